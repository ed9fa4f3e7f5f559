"""PyTorch evaluates a text as one stream: nn.LSTM over pieces of it, or the recurrence by hand with TorchScript.

Usage: pytorch_evaluate.py WORKLOAD [--as-installed]
Tuned: the fastest of several piece lengths and both ways, on one thread and on a thread for every core.
"""
import json
import os
import sys

import torch

from serve import fastest, serve

workload = json.loads(sys.argv[1])
as_installed = "--as-installed" in sys.argv
H, L, V, LENGTH = workload["hidden"], workload["layers"], workload["vocabulary"], workload["characters"]

torch.manual_seed(1)
torch.set_grad_enabled(False)
network = torch.nn.LSTM(V, H, L)
head = torch.nn.Linear(H, V)
one_hot = torch.eye(V)
text = torch.randint(0, V, (LENGTH + 1,))


@torch.jit.script
def recurrence(inputs: torch.Tensor, weight: torch.Tensor, state: torch.Tensor):
    """inputs [T, 4H]: the input's part of the gates, in PyTorch's order; state [2, H]: h and c."""
    H = state.size(1)
    h, c = state[0], state[1]
    outputs = torch.empty(inputs.size(0), H)
    for t in range(inputs.size(0)):
        gates = torch.addmv(inputs[t], weight, h)
        sigmoids = torch.sigmoid(gates)
        c = sigmoids[H : 2 * H] * c + sigmoids[:H] * torch.tanh(gates[2 * H : 3 * H])
        h = sigmoids[3 * H :] * torch.tanh(c)
        outputs[t] = h
    return outputs, torch.stack([h, c])


class Stream:
    """A unit of work is a piece of the text, the state carried on; at the end of the text it begins again."""

    def __init__(self, form, piece, threads):
        self.form, self.piece, self.threads = form, piece, threads
        self.position, self.state, self.total = 0, None, 0.0

    def __call__(self):
        if self.threads:
            torch.set_num_threads(self.threads)
        start = self.position
        end = min(start + self.piece, LENGTH)
        inputs = one_hot[text[start:end]]
        outputs = self.with_module(inputs) if self.form == "nn.LSTM" else self.by_hand(inputs)
        logits = head(outputs)
        self.total += torch.nn.functional.cross_entropy(logits, text[start + 1 : end + 1], reduction="sum").item()
        self.position = end
        if end == LENGTH:
            self.position, self.state, self.total = 0, None, 0.0
        return end - start

    def with_module(self, inputs):
        outputs, self.state = network(inputs[:, None], self.state)
        return outputs[:, 0]

    def by_hand(self, inputs):
        states = self.state or [torch.zeros(2, H) for _ in range(L)]
        self.state = []
        for l, state in enumerate(states):
            weights = [getattr(network, f"{name}_l{l}") for name in ("weight_ih", "bias_ih", "bias_hh", "weight_hh")]
            gates = torch.addmm(weights[1] + weights[2], inputs, weights[0].t())
            inputs, state = recurrence(gates, weights[3], state)
            self.state.append(state)
        return inputs


if as_installed:
    serve(Stream("nn.LSTM", 1000, 0), f"nn.LSTM, pieces of 1000, threads: {torch.get_num_threads()}")
else:
    torch.set_flush_denormal(True)
    counts = sorted({1, len(os.sched_getaffinity(0))})
    settings = [(form, piece, n) for form in ("nn.LSTM", "addmv in TorchScript") for piece in (1000, 10_000) for n in counts]
    forms = {f"{form}, pieces of {piece}, threads: {n}": (form, piece, n) for form, piece, n in settings}
    name = fastest({name: Stream(*form) for name, form in forms.items()})
    serve(Stream(*forms[name]), name)
