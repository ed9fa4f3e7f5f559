"""PyTorch trains a network of charloom's on a text, with the same settings: what it has learned after how long.

Usage: pytorch_quality.py TEXT SETTINGS, the settings of charloom's configuration as JSON. Prints a JSON line for each
evaluation of the validation part: the seconds since the program started and the cross-entropy in nats per character. As in
charloom the budget begins with the first step, and evaluating is a part of it. The initial weights are PyTorch's own. Tuned
as pytorch_train.py is.
"""
import json
import math
import os
import sys
import time

START = time.time()
import torch  # noqa: E402 (loading it is part of the time)

text_file, settings = sys.argv[1], json.loads(sys.argv[2])
EXPECTED = {"unit": "character", "minCount": 1, "optimizer": "adamw", "schedule": "cosine", "loss": "cross-entropy"}
for name, value in EXPECTED.items():
    if settings[name] != value:
        sys.exit(f"this program knows {name} {value} only, not {settings[name]}")
for name in ("embedding", "minutes", "warmup", "clipNorm", "evalEvery"):
    if settings[name] == 0:
        sys.exit(f"this program knows no {name} of 0")
B, T, H, L = (settings[name] for name in ("batchSize", "sequenceLength", "hidden", "layers"))
RATE, WARM_UP, BUDGET = settings["learningRate"], settings["warmup"], 60 * settings["minutes"]
FINAL_FRACTION = 0.05
# Characters of the validation part that are read at once; their state is carried on.
WINDOW = 2000
THREADS = len(os.sched_getaffinity(0))

torch.set_num_threads(THREADS)
torch.set_flush_denormal(True)
torch.manual_seed(settings["seed"])
with open(text_file, encoding="utf-8", newline="") as file:
    text = file.read()
ids = {character: i for i, character in enumerate(sorted(set(text)))}
V = len(ids)
data = torch.tensor([ids[character] for character in text])
shares = [float(share) for share in settings["split"].split("/")]
ends = [int(len(data) * sum(shares[: i + 1]) / sum(shares)) for i in range(2)]
training, validation = data[: ends[0]], data[ends[0] : ends[1]]

embedding = torch.nn.Embedding(V, settings["embedding"])
network = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[settings["cell"]](
    settings["embedding"], H, L, dropout=settings["dropout"] if L > 1 else 0
)
head = torch.nn.Linear(H, V)
dropout = torch.nn.Dropout(settings["dropout"])
parameters = [*embedding.parameters(), *network.parameters(), *head.parameters()]
optimizer = torch.optim.AdamW(
    [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": settings["weightDecay"]},
        {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0},
    ],
    lr=RATE,
    foreach=True,
)


def cross_entropy_of(text):
    """The sum over a text that is read as one stream."""
    dropout.eval(), network.eval()
    total, state = 0.0, None
    with torch.no_grad():
        for i in range(0, len(text) - 1, WINDOW):
            inputs = text[i : min(i + WINDOW, len(text) - 1)]
            targets = text[i + 1 : i + 1 + len(inputs)]
            outputs, state = network(embedding(inputs)[:, None], state)
            total += torch.nn.functional.cross_entropy(head(outputs[:, 0]), targets, reduction="sum").item()
    dropout.train(), network.train()
    return total


def seconds_to_read(threads):
    torch.set_num_threads(threads)
    start = time.time()
    cross_entropy_of(validation[: 2 * WINDOW])
    return time.time() - start


def evaluate():
    torch.set_num_threads(reading_threads)
    cross_entropy = cross_entropy_of(validation) / (len(validation) - 1)
    torch.set_num_threads(THREADS)
    print(json.dumps({"seconds": time.time() - START, "crossEntropy": cross_entropy}), flush=True)


# A single text may be read faster by one thread.
seconds_to_read(THREADS)
reading_threads = min({1, THREADS}, key=seconds_to_read)
torch.set_num_threads(THREADS)

length = (len(training) - 1) // B
streams = torch.stack([training[b * length : (b + 1) * length + 1] for b in range(B)], 1)
state, position, steps = None, 0, 0
begin = time.time()
while True:
    progress = (time.time() - begin) / BUDGET
    if progress >= 1:
        break
    if position + T > length:
        state, position = None, 0
    inputs, targets = streams[position : position + T], streams[position + 1 : position + T + 1]
    position += T
    cosine = FINAL_FRACTION + (1 - FINAL_FRACTION) * 0.5 * (1 + math.cos(math.pi * progress))
    for group in optimizer.param_groups:
        group["lr"] = RATE * cosine * min(1, (steps + 1) / WARM_UP)
    if state is not None:
        keep = (torch.rand(B, 1) >= settings["resetProbability"]).float()
        state = tuple(part * keep for part in state) if isinstance(state, tuple) else state * keep
    optimizer.zero_grad(set_to_none=True)
    outputs, state = network(dropout(embedding(inputs)), state)
    loss = torch.nn.functional.cross_entropy(head(dropout(outputs)).view(-1, V), targets.reshape(-1))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, settings["clipNorm"])
    optimizer.step()
    state = tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()
    steps += 1
    if steps % settings["evalEvery"] == 0:
        evaluate()
evaluate()
