"""The networks for images. Chapter "Data and partitions"."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class DigitsCNN(nn.Module):
    """A small network for scikit-learn's 8 x 8 digits: (n, 1, 8, 8) -> (n, classes),
    D = 18,346."""

    dtype = torch.float64

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.fc1 = nn.Linear(16 * 4 * 4, 64)
        self.fc2 = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv2(F.relu(self.conv1(x)))
        # Channels last in memory: pooling takes a fifth of the time
        x = x.movedim(1, 3).contiguous().movedim(3, 1)
        x = F.relu(F.max_pool2d(x, 2))
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)

    def stacked(self, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """The same for N networks at once, (N, n, 1, 8, 8) -> (N, n, classes): one
        convolution with N groups instead of N. `torch.func.vmap` would do it, too, but
        for so small a network its bookkeeping takes a third of the time.

        Args:
            weights: all parameters by name, each (N, ...).
        """
        agents, samples = x.shape[:2]
        bias = {layer: weights[f"{layer}.bias"][:, None]
                for layer in ("conv1", "fc1", "fc2")}
        # (N, n, 3, 3, 8, 8)
        shifted = F.pad(x[:, :, 0], (1, 1, 1, 1)).unfold(2, 8, 1).unfold(3, 8, 1)
        patches = shifted.reshape(agents, samples, 9, 64).transpose(2, 3)
        patches = patches.reshape(agents, samples * 64, 9)
        x = torch.baddbmm(bias["conv1"], patches, weights["conv1.weight"].flatten(2).mT)
        # Into (n, N * 8, 8, 8): the agents side by side as channels
        x = x.view(agents, samples, 8, 8, 8).permute(1, 0, 4, 2, 3)
        x = x.reshape(samples, agents * 8, 8, 8)
        kernel = weights["conv2.weight"].flatten(0, 1)
        x = F.conv2d(F.relu(x), kernel, weights["conv2.bias"].flatten(), padding=1,
                     groups=agents)
        x = x.contiguous(memory_format=torch.channels_last)  # for pooling, as above
        x = F.relu(F.max_pool2d(x, 2)).reshape(samples, agents, -1).transpose(0, 1)
        x = F.relu(torch.baddbmm(bias["fc1"], x, weights["fc1.weight"].mT))
        return torch.baddbmm(bias["fc2"], x, weights["fc2.weight"].mT)


class MnistCNN(nn.Module):
    """The "2-layer CNN" of Sec. 4.1 of the paper for MNIST:
    (n, 1, 28, 28) -> (n, classes), D = 104,242.

    Written in another order than the usual conv2d, tanh, pool, which gives the same
    function in a quarter to half of the time on a CPU. Pooling comes before bias and
    tanh: both are monotone, so max(tanh(x + b)) = tanh(max(x) + b), with a quarter of
    the numbers to work on. The first convolution, with one channel to read, is one
    matrix product over all 3 x 3 patches of an image; its result has the 64 channels
    last in memory, for which pooling and the second convolution are faster. Without
    gradients nobody asks where a maximum was: it is taken of the first corners of all 2
    x 2 windows, then of the second and so on, and three quarters of the products need
    not be kept.
    """

    dtype = torch.float32

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        # 28 -> 30, as of 32 x 32 pixels; pooled to 15
        self.conv1 = nn.Conv2d(1, 64, 3, padding=2)
        self.conv2 = nn.Conv2d(64, 16, 7)  # 15 -> 9, pooled to 4
        self.fc1 = nn.Linear(16 * 4 * 4, 200)
        self.fc2 = nn.Linear(200, classes)

    def forward(self, x: Tensor) -> Tensor:
        # (n, 3, 3, 30, 30)
        shifted = F.pad(x[:, 0], (2, 2, 2, 2)).unfold(1, 30, 1).unfold(2, 30, 1)
        kernel = self.conv1.weight.flatten(1).T.expand(len(x), 9, 64)
        if torch.is_grad_enabled():
            products = torch.bmm(shifted.reshape(-1, 9, 900).mT, kernel)
            x = F.max_pool2d(products.view(-1, 30, 30, 64).movedim(3, 1), 2)
        else:
            corners = (shifted[..., i::2, j::2].reshape(-1, 9, 225).mT
                       for i in (0, 1) for j in (0, 1))
            x = torch.bmm(next(corners), kernel)
            for corner in corners:
                torch.maximum(x, torch.bmm(corner, kernel), out=x)
            x = x.view(-1, 15, 15, 64).movedim(3, 1)
        assert self.conv1.bias is not None
        x = torch.tanh(x + self.conv1.bias[:, None, None])
        x = torch.tanh(F.max_pool2d(self.conv2(x), 2))
        x = torch.tanh(self.fc1(x.flatten(1)))
        return self.fc2(x)


class CifarCNN(nn.Module):
    """The CNN of Sec. 4.1 of the paper for CIFAR-10, in the shape of LeNet:
    (n, 3, 32, 32) -> (n, classes), D = 121,182.

    With the channels last in memory and pooling before relu, which is monotone too, it
    takes half the time on a CPU.
    """

    dtype = torch.float32

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 5)  # 32 -> 28, pooled to 14
        self.conv2 = nn.Conv2d(16, 32, 5)  # 14 -> 10, pooled to 5
        self.fc1 = nn.Linear(32 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = x.movedim(1, 3).contiguous().movedim(3, 1)  # channels last in memory
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc3(F.relu(self.fc2(x)))
