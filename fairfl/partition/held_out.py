"""A validation set that no agent holds."""

import torch
from torch import Tensor

from fairfl import _checks
from fairfl.datasets import Data
from fairfl.partition.base import checked_labels, contents
from fairfl.partition.sizes import rounded
from fairfl.randomness import generator

Pair = tuple[Tensor, Tensor]


def hold_out(data: Data, count: int | None, seed: int) -> tuple[Data, Pair]:
    """Split a stratified validation set of `count` samples (None: a tenth of the pool,
    at most 1,000) off the training pool, before that is dealt out. A data set with a
    published validation set gives that one, and keeps its pool.

    Returns:
        The data set with what is left of its pool, in the same order; x and y of the
        validation set, by class.

    Raises:
        ValueError: a count below 1, or one that leaves nothing of the pool; labels
            outside 0 to C - 1.
    """
    x, y, c = contents(data)
    if data.validation is not None:
        checked_labels("the validation set", data.validation[1], c)
        return data, data.validation
    count = min(1000, len(y) // 10) if count is None else count
    _checks.whole(count=count)
    _checks.within(1, len(y) - 1, count=count)
    members = [(y == label).nonzero().flatten() for label in range(c)]
    taken = []
    for label, number in enumerate(rounded([len(m) for m in members], count)):
        draws = generator(seed, "hold out", label)
        order = torch.randperm(len(members[label]), generator=draws)
        taken.append(members[label][order[:number]])
    chosen = torch.cat(taken)
    kept = torch.ones(len(y), dtype=torch.bool)
    kept[chosen] = False
    return data._replace(x=x[kept], y=y[kept]), (x[chosen], y[chosen])
