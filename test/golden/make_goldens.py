"""Make cells.json and optimizers.json, the golden values from PyTorch.

    python3 test/golden/make_goldens.py

T steps, B batch, H hidden, E embedding, V vocabulary, L layers. All arithmetic is
float64. What goes in is a multiple of 1/256, so it is exact in float32 and in the
nine significant digits that are written.
"""
import json
import random
import re
from pathlib import Path

import torch
from torch.nn import functional as F

from read_model import CharacterModel

FOLDER = Path(__file__).parent
T, B, V = 5, 3, 11
HIDDEN = {1: 7, 2: 6, 3: 4}  # by number of layers; keeps the file small
CELLS = [("lstm", "tanh"), ("gru", "tanh"), ("rnn", "tanh"), ("rnn", "relu")]


def draw(generator, shape, limit):
    """Multiples of 1/256 in [-limit, limit]."""
    count, steps = torch.Size(shape).numel(), int(limit * 256)
    values = [generator.randint(-steps, steps) / 256 for _ in range(count)]
    return torch.tensor(values, dtype=torch.float64).reshape(shape)


def draw_ids(generator):
    return torch.tensor([[generator.randrange(V) for _ in range(B)] for _ in range(T)])


def short(value):
    """Nine significant digits, and no negative zero."""
    return value if isinstance(value, int) else float(f"{value:.9g}") + 0.0


def flat(tensor):
    return [short(value) for value in tensor.detach().flatten().tolist()]


def record(tensor):
    return {"shape": list(tensor.shape), "data": flat(tensor)}


def record_loss(per_position, leaves):
    """A loss [T, B], its mean, and the mean's gradient for each leaf."""
    loss = per_position.mean()
    gradients = torch.autograd.grad(loss, list(leaves.values()), retain_graph=True)
    return {
        "loss": short(loss.item()),
        "perPosition": record(per_position),
        "gradients": {name: record(g) for name, g in zip(leaves, gradients)},
    }


def make_cell_case(seed, cell, activation, layers, embedding):
    generator = random.Random(seed)
    config = {
        "cell": cell, "activation": activation, "layers": layers,
        "hidden": HIDDEN[layers], "embedding": embedding, "vocabulary": V,
    }
    model = CharacterModel(config).double()
    weights = dict(model.named_parameters())
    for weight in weights.values():
        weight.data = draw(generator, weight.shape, 0.75)
    inputs, targets = draw_ids(generator), draw_ids(generator)
    names = ["h", "c"] if cell == "lstm" else ["h"]
    initial = {
        f"{name}0": draw(generator, (layers, B, HIDDEN[layers]), 1).requires_grad_()
        for name in names
    }

    state = tuple(initial.values())
    logits, final = model(inputs, state if cell == "lstm" else state[0])
    final = final if cell == "lstm" else (final,)
    cross_entropy = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    error = F.softmax(logits, dim=-1) - F.one_hot(targets, V)
    leaves = {**weights, **initial}
    return {
        "name": f"{cell} {activation} layers={layers} embedding={embedding}",
        "config": config,
        "inputs": record(inputs),
        "targets": record(targets),
        "weights": {name: record(weight) for name, weight in weights.items()},
        "initial": {name: record(tensor) for name, tensor in initial.items()},
        "logits": record(logits),
        "final": {name: record(tensor) for name, tensor in zip(names, final)},
        "crossEntropy": record_loss(cross_entropy, leaves),
        "squaredError": record_loss(error.square().sum(-1), leaves),
    }


def make_cells():
    cases = [
        (cell, activation, layers, embedding)
        for cell, activation in CELLS
        for layers in HIDDEN
        for embedding in (0, 5)
    ]
    return {
        "torch": torch.__version__,
        "cases": [make_cell_case(seed, *case) for seed, case in enumerate(cases)],
    }


def make_optimizer_case(name, settings, initial, gradients):
    parameter = initial.clone().requires_grad_()
    rate, decay = settings["learningRate"], settings.get("weightDecay", 0)
    options = {"lr": rate, "weight_decay": decay}
    if name in ("adam", "adamw"):
        options["betas"] = settings["beta1"], settings["beta2"]
        options["eps"] = settings["epsilon"]
    elif name == "rmsprop":
        options["alpha"], options["eps"] = settings["alpha"], settings["epsilon"]
    else:
        options["momentum"] = settings["momentum"]
    optimizers = {
        "adam": torch.optim.Adam, "adamw": torch.optim.AdamW,
        "rmsprop": torch.optim.RMSprop, "sgd": torch.optim.SGD,
    }
    optimizer = optimizers[name]([parameter], **options)

    steps = []
    for gradient in gradients:
        parameter.grad = gradient.clone()
        if settings["clipNorm"]:
            torch.nn.utils.clip_grad_norm_([parameter], settings["clipNorm"])
        optimizer.step()
        steps.append(flat(parameter))
    return {"optimizer": name, "settings": settings, "parameters": steps}


def make_optimizers():
    generator = random.Random(1)
    initial = draw(generator, (13,), 1)
    gradients = draw(generator, (6, 13), 1)
    gradients[2] = draw(generator, (13,), 1 / 16)  # below the limit: not clipped
    gradients[:, 4] = 0  # a weight that never gets a gradient
    adam = {"learningRate": 0.05, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    rmsprop = {"learningRate": 0.05, "alpha": 0.95, "epsilon": 1e-8}
    sgd = {"learningRate": 0.05, "momentum": 0.9}
    cases = [
        (name, {**settings, "weightDecay": decay, "clipNorm": clip})
        for name, settings, decay, clip in [
            ("adam", adam, 0, 0.5), ("adam", adam, 0.1, 0.5), ("adam", adam, 0, 0),
            ("adamw", adam, 0.1, 0.5),
            ("rmsprop", rmsprop, 0, 0.5), ("rmsprop", rmsprop, 0.1, 0.5),
            ("sgd", sgd, 0, 0.5), ("sgd", sgd, 0.1, 0.5), ("sgd", sgd, 0, 0),
        ]
    ]
    return {
        "torch": torch.__version__,
        "initial": flat(initial),
        "gradients": [flat(gradient) for gradient in gradients],
        "gradientNorms": flat(gradients.norm(dim=1)),
        "cases": [make_optimizer_case(*case, initial, gradients) for case in cases],
    }


def write(name, value):
    """Indented JSON, with every list of numbers on one line."""
    text = json.dumps(value, indent=1)
    text = re.sub(r"\[[-+.,\de\s]*\]", lambda m: re.sub(r"\s", "", m[0]), text)
    (FOLDER / name).write_text(text + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    write("cells.json", make_cells())
    write("optimizers.json", make_optimizers())
