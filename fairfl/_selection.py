"""Numbers at some ranks of many, without sorting all of them."""

import numpy as np
import torch
from torch import Tensor

from fairfl._parallel import spread

SMALL = 1 << 15  # entries that are sorted all
SLICE = 1 << 17  # entries that stay in a CPU's cache
BINS = 1 << 12
STEPS = 7  # 2^7 bins from one power of two to the next


def near(magnitude: Tensor, ranks: Tensor) -> tuple[Tensor, Tensor]:
    """The entries around some ranks, sorted.

    A float's bits, read as a whole number, are in the order of its magnitude; the upper
    ones are the number of its bin. Only bins in which a wanted rank lies are sorted.

    Args:
        magnitude: (D,) float32 or float64, not negative, finite.
        ranks: (N,) int64, places in ascending order, from 0 to D - 1.

    Returns:
        Entries in ascending order, and for each rank how many of the smaller entries
        are not among them, (N,) int64.
    """
    if len(magnitude) <= SMALL or magnitude.device.type != "cpu":
        return sort(magnitude), torch.zeros_like(ranks)
    kind, mantissa = ((torch.int64, 52) if magnitude.dtype == torch.float64
                      else (torch.int32, 23))
    shift, parts = mantissa - STEPS, magnitude.split(SLICE)
    lowest = (magnitude.max().view(kind) >> shift) - BINS + 1

    def binned(part: Tensor) -> tuple[Tensor, Tensor]:
        """Bins from 0, which the smallest share, to BINS - 1, and their counts."""
        bins = (part.view(kind) >> shift).sub_(lowest).clamp_(min=0)
        return bins, bins.bincount(minlength=BINS)

    bins, counted = zip(*spread(binned, parts), strict=True)
    counts = sum(counted)
    chosen = torch.searchsorted(counts.cumsum(0), ranks, right=True)
    wanted = torch.zeros(BINS, dtype=torch.bool)
    wanted[chosen] = True
    left_out = counts.where(~wanted, 0).cumsum(0)[chosen]
    found = spread(lambda i: parts[i].numpy()[wanted.numpy().take(bins[i].numpy())],
                   range(len(parts)))
    return sort(torch.from_numpy(np.concatenate(found))), left_out


def sort(numbers: Tensor) -> Tensor:
    """Ascending. On a CPU numpy's sort is many times as fast as torch's."""
    if numbers.device.type == "cpu":
        return torch.from_numpy(np.sort(numbers.numpy()))
    return numbers.sort().values


def position(numbers: Tensor, value: float, k: int) -> int:
    """The index of the k-th entry that equals `value`; -1 for k = 0."""
    if k == 0:
        return -1
    if numbers.device.type != "cpu":
        return int((numbers == value).nonzero()[k - 1])
    for start in range(0, len(numbers), SLICE):
        equal = numbers.numpy()[start : start + SLICE] == value
        here = int(np.count_nonzero(equal))
        if k <= here:
            return start + int(np.flatnonzero(equal)[k - 1])
        k -= here
    raise ValueError(f"fewer entries than asked for equal {value}")
