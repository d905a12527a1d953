"""The networks of the experiments, each built from a name and a seed. Chapter "Data and partitions".

All of them return logits of shape (n, classes). Their layers are named, so that one can ask for the last.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fairfl.randomness import seeded


class DigitsCNN(nn.Module):
    """A small network for scikit-learn's 8 x 8 digits: (n, 1, 8, 8) -> (n, 10), D = 18,346."""

    dtype = torch.float64

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.fc1 = nn.Linear(16 * 4 * 4, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv1(x))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


class MnistCNN(nn.Module):
    """The "2-layer CNN" of Sec. 4.1 of the paper for MNIST: (n, 1, 28, 28) -> (n, 10), D = 104,242.

    Written in another order than the usual conv2d, tanh, pool, which gives the same function in half the time
    on a CPU. Pooling comes before tanh: tanh is monotone, so max(tanh(x)) = tanh(max(x)), with a quarter of
    the tanh to compute. The first convolution, with one channel to read, is one matrix product over all 3 x 3
    patches; its result has the 64 channels last in memory, for which pooling and the second convolution are
    faster.
    """

    dtype = torch.float32

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 3, padding=2)  # 28 -> 30, as of 32 x 32 pixels; pooled to 15
        self.conv2 = nn.Conv2d(64, 16, 7)  # 15 -> 9, pooled to 4
        self.fc1 = nn.Linear(16 * 4 * 4, 200)
        self.fc2 = nn.Linear(200, 10)

    def forward(self, x: Tensor) -> Tensor:
        patches = F.pad(x, (2, 2, 2, 2)).unfold(2, 3, 1).unfold(3, 3, 1)  # (n, 1, 30, 30, 3, 3)
        x = F.linear(patches[:, 0].flatten(3), self.conv1.weight.flatten(1), self.conv1.bias).movedim(3, 1)
        x = torch.tanh(F.max_pool2d(x, 2))
        x = torch.tanh(F.max_pool2d(self.conv2(x), 2))
        x = torch.tanh(self.fc1(x.flatten(1)))
        return self.fc2(x)


MODELS: dict[str, type[nn.Module]] = {"digits_cnn": DigitsCNN, "mnist_cnn": MnistCNN}


def build(name: str, seed: int, dtype: torch.dtype | None = None) -> nn.Module:
    """A network with freshly drawn weights, on the CPU.

    Args:
        name: a key of `MODELS`.
        seed: the weights depend on it and on the name alone; torch's initialisation draws them in float32 and
            they are the same numbers in every `dtype`.
        dtype: floating point; default: the network's own, float64 for digits and float32 for MNIST.

    Raises:
        ValueError: an unknown name; the message lists the known ones.
    """
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}; known are {', '.join(sorted(MODELS))}")
    before = torch.get_default_dtype()
    with seeded(seed, "model", name), torch.device("cpu"):
        torch.set_default_dtype(torch.float32)
        try:
            module = MODELS[name]()
        finally:
            torch.set_default_dtype(before)
    return module.to(dtype or module.dtype)
