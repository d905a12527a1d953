"""An agent, and what all partitions share."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fairfl import _checks
from fairfl.datasets import Data

WITHIN: Any = None  # labels that come with the samples

Pool = Data | tuple[Tensor | np.ndarray, Tensor | np.ndarray]


class Agent(NamedTuple):
    """One participant and its samples."""

    key: str
    x: Tensor  # (n, ...) floating point or int64 word numbers; a Dataset, DataLoader
    y: Tensor = WITHIN  # (n,) int64; (n, ...) of any kind for a loss of one's own
    true_y: Tensor | None = None  # (n,) before label noise, for probes; None: as y


def class_counts(agents: Sequence[Agent], classes: int) -> Tensor:
    """How many samples of each class each agent holds, (N, C) int64.

    Raises:
        ValueError: a label is not one of 0 to C - 1.
    """
    labels = [checked_labels(f"agent {a.key!r}", a.y, classes) for a in agents]
    return torch.stack([torch.bincount(y, minlength=classes) for y in labels])


def contents(data: Pool) -> tuple[Tensor, Tensor, int]:
    """x, y (int64) and the number of classes of a pool, checked. Of a pair x, y, each
    class must occur, else C would be a guess."""
    given = (data.x, data.y) if isinstance(data, Data) else data
    x, y = (torch.as_tensor(part) for part in given)
    if len(x) != len(y) or len(y) == 0:
        raise ValueError(f"{len(x)} samples and {len(y)} labels are no pool")
    if isinstance(data, Data):
        return x, checked_labels("the pool", y, data.classes), data.classes
    c = len(np.unique(y.cpu()))
    return x, checked_labels(f"the pool with {c} different labels", y, c), c


def checked_labels(whose: str, y: Tensor, classes: int) -> Tensor:
    """The labels as int64, once they are whole numbers, (n,), from 0 to classes - 1."""
    if not isinstance(y, Tensor):
        raise ValueError(f"{whose} needs labels in a tensor, not a {type(y).__name__}")
    if y.ndim != 1 or y.dtype == torch.bool or y.is_floating_point() or y.is_complex():
        raise ValueError(f"{whose} needs labels that are whole numbers of shape (n,), "
                         f"not {y.dtype} of shape {tuple(y.shape)}")
    y = y.long()
    if len(y) and not 0 <= y.min() <= y.max() < classes:
        raise ValueError(f"{whose} has labels outside 0 to {classes - 1}")
    return y


def share(agents: int, size: int | None, samples: int, again: bool = False) -> int:
    """The samples of an agent, on average, out of as many as there are (None: all of
    them); more than that may only be dealt out if they may be dealt `again`."""
    _checks.whole(agents=agents, size=1 if size is None else size)
    if size is None and agents > samples:
        raise ValueError(f"{agents} agents cannot share {samples} samples")
    size = samples // agents if size is None else size
    if agents * size > samples and not again:
        raise ValueError(f"{agents} agents with {size} samples each want "
                         f"{agents * size} samples, there are {samples}; "
                         f"{advice(samples // agents)}")
    return size


def advice(largest: int) -> str:
    """The end of a message about shards that are too large."""
    return f"the largest shard that fits has {largest}" if largest else "no shard fits"


def named(x: Tensor, y: Tensor, shards: Sequence[Tensor]) -> list[Agent]:
    """Agents "1" to "N" with the samples of these indices."""
    return [Agent(str(i), x[shard], y[shard]) for i, shard in enumerate(shards, 1)]
