"""PyTorch trains: the recurrent module, a linear layer, cross-entropy, Adam.

Usage: pytorch_train.py WORKLOAD [--as-installed]
Tuned: a thread for every core, denormal numbers flushed to zero, Adam over all tensors at once.
"""
import json
import os
import sys

import torch

from serve import serve

workload = json.loads(sys.argv[1])
as_installed = "--as-installed" in sys.argv
H, L, V = workload["hidden"], workload["layers"], workload["vocabulary"]
B, T = workload["batchSize"], workload["sequenceLength"]
WINDOWS = 200

if not as_installed:
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.set_flush_denormal(True)
torch.manual_seed(1)
network = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[workload["cell"]](V, H, L)
head = torch.nn.Linear(H, V)
# One-hot vectors looked up: faster than making them.
one_hot = torch.nn.Embedding.from_pretrained(torch.eye(V))
parameters = [*network.parameters(), *head.parameters()]
optimizer = torch.optim.Adam(parameters, lr=2e-3, **({} if as_installed else {"foreach": True}))
text = torch.randint(0, V, (WINDOWS * T + 1, B))
state = None
position = 0


def step():
    global state, position
    inputs = text[position : position + T]
    targets = text[position + 1 : position + T + 1]
    position = (position + T) % (WINDOWS * T)
    optimizer.zero_grad(set_to_none=True)
    outputs, state = network(one_hot(inputs), state)
    loss = torch.nn.functional.cross_entropy(head(outputs).view(-1, V), targets.reshape(-1))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 5)
    optimizer.step()
    state = tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()
    loss.item()
    return B * T


serve(step, f"threads: {torch.get_num_threads()}")
