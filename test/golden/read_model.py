"""Read a charloom checkpoint into PyTorch and print its logits as JSON.

    python3 read_model.py CHECKPOINT_FOLDER ID [ID ...]

Prints one list of vocabulary-many logits for each token id, from the zero state.
"""
import json
import struct
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F


class CharacterModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.vocabulary = config["vocabulary"]
        width = config["embedding"] or self.vocabulary  # 0: one-hot input
        if config["embedding"]:
            self.embedding = nn.Embedding(self.vocabulary, width)
        cell = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[config["cell"]]
        options = {"nonlinearity": config["activation"]} if cell is nn.RNN else {}
        self.rnn = cell(width, config["hidden"], config["layers"], **options)
        self.head = nn.Linear(config["hidden"], self.vocabulary)

    def forward(self, ids, state=None):  # ids [T, B] -> logits [T, B, V]
        if hasattr(self, "embedding"):
            x = self.embedding(ids)
        else:
            x = F.one_hot(ids, self.vocabulary).to(self.head.weight.dtype)
        x, state = self.rnn(x, state)
        return self.head(x), state


def read_safetensors(path):
    """8 bytes of header length, a JSON header, then the raw data: float32, or float64 of `--device reference`."""
    file = path.read_bytes()
    (length,) = struct.unpack("<Q", file[:8])
    header, data = json.loads(file[8:8 + length]), file[8 + length:]
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        dtype = {"F32": torch.float32, "F64": torch.float64}[entry["dtype"]]
        values = torch.frombuffer(bytearray(data[begin:end]), dtype=dtype)
        tensors[name] = values.reshape(entry["shape"])
    return tensors


def main():
    folder, ids = Path(sys.argv[1]), [int(argument) for argument in sys.argv[2:]]
    config = json.loads((folder / "../../config.json").read_text())
    model = CharacterModel(config["model"]).double()
    model.load_state_dict(read_safetensors(folder / "model.safetensors"), strict=True)
    with torch.no_grad():
        logits, _ = model(torch.tensor(ids)[:, None])  # one stream: B = 1
    print(json.dumps(logits[:, 0].tolist()))


if __name__ == "__main__":
    main()
