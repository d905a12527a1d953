"""An agent, and what all partitions share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from fairfl.datasets import Data

Pool = Data | tuple[Tensor, Tensor]


class Agent(NamedTuple):
    """One participant and its samples."""

    key: str
    x: Tensor  # (n, ...) floating point, or int64 word numbers
    y: Tensor  # (n,) int64
    true_y: Tensor | None = None  # (n,) before label noise, for probes; None: as y


def class_counts(agents: Sequence[Agent], classes: int) -> Tensor:
    """How many samples of each class each agent holds, (N, C) int64.

    Raises:
        ValueError: a label outside 0 to C - 1.
    """
    for agent in agents:
        check_labels(agent, classes)
    return torch.stack([torch.bincount(agent.y, minlength=classes) for agent in agents])


def contents(data: Pool) -> tuple[Tensor, Tensor, int]:
    """x, y and the number of classes of a pool.

    Raises:
        ValueError: it is empty, or x and y do not fit.
    """
    x, y = (data.x, data.y) if isinstance(data, Data) else data
    if len(x) != len(y) or len(y) == 0:
        raise ValueError(f"{len(x)} samples and {len(y)} labels are no pool to draw from")
    return x, y, data.classes if isinstance(data, Data) else int(y.max()) + 1


def share(agents: int, size: int | None, samples: int) -> int:
    """The samples of an agent, on average.

    Args:
        size: None: all that there is.
        samples: what there is.

    Raises:
        ValueError: a number below 1.
    """
    if agents < 1 or (size is not None and size < 1):
        raise ValueError(f"agents and size must be at least 1, not {agents} and {size}")
    if size is None and agents > samples:
        raise ValueError(f"{agents} agents cannot share {samples} samples")
    return samples // agents if size is None else size


def check_total(agents: int, total: int, samples: int) -> None:
    """
    Raises:
        ValueError: the agents want more than there is.
    """
    if total > samples:
        raise ValueError(
            f"{agents} agents with {total // agents} samples each want {total} samples, there are {samples}; "
            f"the largest shard that fits has {samples // agents}"
        )


def named(x: Tensor, y: Tensor, shards: Sequence[Tensor]) -> list[Agent]:
    """Agents "1" to "N" with the samples of these indices."""
    return [Agent(str(i), x[shard], y[shard]) for i, shard in enumerate(shards, start=1)]


def check_labels(agent: Agent, classes: int) -> None:
    """
    Raises:
        ValueError: a label lies outside 0 to classes - 1.
    """
    if len(agent.y) and not 0 <= int(agent.y.min()) <= int(agent.y.max()) < classes:
        raise ValueError(f"agent {agent.key!r} has labels outside 0 to {classes - 1}")
