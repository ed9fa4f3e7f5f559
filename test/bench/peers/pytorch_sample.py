"""PyTorch draws text, one character at a time: nn.LSTM, or the cell by hand, compiled with TorchScript, on vectors.

Usage: pytorch_sample.py WORKLOAD [--as-installed]
Tuned: the fastest of both on one thread and on a thread for every core. As installed: nn.LSTM.
"""
import json
import os
import sys
from typing import List

import torch

from serve import fastest, serve

workload = json.loads(sys.argv[1])
as_installed = "--as-installed" in sys.argv
H, L, V, LENGTH = workload["hidden"], workload["layers"], workload["vocabulary"], workload["characters"]
# Enough for a trial.
SHORT = 200

torch.manual_seed(1)
torch.set_grad_enabled(False)
network = torch.nn.LSTM(V, H, L)
head = torch.nn.Linear(H, V)
one_hot = torch.eye(V)


def with_module(length: int) -> List[int]:
    symbols: List[int] = []
    symbol = 0
    state = None
    for _ in range(length):
        output, state = network(one_hot[symbol].view(1, 1, V), state)
        symbol = int(torch.multinomial(torch.softmax(head(output[0, 0]), 0), 1).item())
        symbols.append(symbol)
    return symbols


@torch.jit.script
def by_hand(
    length: int, H: int, table: torch.Tensor, weights: List[torch.Tensor], biases: List[torch.Tensor],
    head_weight: torch.Tensor, head_bias: torch.Tensor
) -> List[int]:
    """table [V, 4H]: what the first layer makes of a symbol; weights: of h, then of what lies below and h together."""
    symbols: List[int] = []
    symbol = 0
    hidden = [torch.zeros(H) for _ in weights]
    cells = [torch.zeros(H) for _ in weights]
    for _ in range(length):
        for layer in range(len(weights)):
            if layer == 0:
                gates = torch.addmv(table[symbol], weights[0], hidden[0])
            else:
                below = torch.cat([hidden[layer - 1], hidden[layer]])
                gates = torch.addmv(biases[layer], weights[layer], below)
            ifo = torch.sigmoid(gates[: 3 * H])
            cell = ifo[H : 2 * H] * cells[layer] + ifo[:H] * torch.tanh(gates[3 * H :])
            cells[layer] = cell
            hidden[layer] = ifo[2 * H :] * torch.tanh(cell)
        probabilities = torch.softmax(torch.addmv(head_bias, head_weight, hidden[-1]), 0)
        symbol = int(torch.multinomial(probabilities, 1).item())
        symbols.append(symbol)
    return symbols


def sigmoids_first(rows):
    """PyTorch's gates i f g o as i f o g: the three sigmoids are one call then."""
    i, f, g, o = rows.chunk(4)
    return torch.cat([i, f, o, g]).contiguous()


ih = [sigmoids_first(getattr(network, f"weight_ih_l{l}")) for l in range(L)]
hh = [sigmoids_first(getattr(network, f"weight_hh_l{l}")) for l in range(L)]
biases = [
    sigmoids_first(getattr(network, f"bias_ih_l{l}") + getattr(network, f"bias_hh_l{l}")) for l in range(L)
]
table = (ih[0].t() + biases[0]).contiguous()
weights = [hh[0]] + [torch.cat([ih[l], hh[l]], 1) for l in range(1, L)]


def drawn(form, threads, length):
    """A unit of work. Setting the number of threads costs a microsecond."""

    def unit():
        if threads:
            torch.set_num_threads(threads)
        if form == "nn.LSTM":
            return len(with_module(length))
        return len(by_hand(length, H, table, weights, biases, head.weight, head.bias))

    return unit


if as_installed:
    serve(drawn("nn.LSTM", 0, LENGTH), f"nn.LSTM, threads: {torch.get_num_threads()}")
else:
    torch.set_flush_denormal(True)
    counts = sorted({1, len(os.sched_getaffinity(0))})
    forms = {f"{form}, threads: {n}": (form, n) for form in ("nn.LSTM", "addmv in TorchScript") for n in counts}
    name = fastest({name: drawn(*form, SHORT) for name, form in forms.items()})
    serve(drawn(*forms[name], LENGTH), name)
