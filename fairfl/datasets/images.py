"""Grey levels to numbers of mean 0 and variance 1."""

import torch
from torch import Tensor


def standardised(images: Tensor, test_images: Tensor) -> tuple[Tensor, Tensor]:
    """Images, (n, C, H, W) uint8, as float32, scaled by the mean and standard deviation
    of each channel of the training images.

    Both come from the counts of the 256 grey levels: exact, however many threads add
    up. A channel of one level only is not divided.
    """
    level = torch.arange(256, dtype=torch.float64)
    x, test_x = (part.to(torch.float32, memory_format=torch.contiguous_format)
                 for part in (images, test_images))
    for c in range(images.shape[1]):
        counts = torch.bincount(images[:, c].flatten(), minlength=256)
        share = counts.double() / counts.sum()
        mean = (share * level).sum()
        std = (share * (level - mean) ** 2).sum().sqrt()
        for part in (x, test_x):
            part[:, c].sub_(mean).div_(std if std > 0 else 1)
    return x, test_x
