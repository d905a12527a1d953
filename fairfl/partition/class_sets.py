"""CLA: agents that hold more and more classes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import torch
from torch import Tensor

from fairfl.partition.base import Agent, Pool, contents, named, share
from fairfl.randomness import generator


def classes(
    data: Pool, agents: int, size: int | None, seed: int, held: str = "nested", replace: bool = False
) -> list[Agent]:
    """CLA: `size` samples for each agent, of k_i = floor(linspace(1, C, N)) of the C classes, as evenly
    spread over them as `size` allows, ordered by class.

    Args:
        held: "nested", agent i holds classes 0 to k_i - 1; "spread", its classes go on where those of agent
            i - 1 end, so that any two classes are held by equally many agents or differ by one.
        replace: draw with replacement within a class, so that a sample may occur twice, with one agent or
            with two.

    Raises:
        ValueError: too few samples of a class (the message names the largest shard that fits), a shard
            smaller than the number of classes, an unknown `held`, or a number below 1.
    """
    x, y, c = contents(data)
    size = share(agents, size, len(y))
    if held not in ("nested", "spread"):
        raise ValueError(f"unknown held {held!r}; known are nested, spread")
    if size < c:
        raise ValueError(f"a shard of {size} samples cannot hold all {c} classes")
    members = [(y == label).nonzero().flatten() for label in range(c)]
    wanted = demand(class_sets(agents, c, held), size, c)
    _check_supply(wanted, [len(m) for m in members], held, replace)
    parts = []  # by class, then by agent
    for label in range(c):
        n, draws = int(wanted[:, label].sum()), generator(seed, "partition", "cla", label)
        if replace and n:
            picks = torch.randint(len(members[label]), (n,), generator=draws)
        else:
            picks = torch.randperm(len(members[label]), generator=draws)[:n]
        parts.append(members[label][picks].split(wanted[:, label].tolist()))
    return named(x, y, [torch.cat(shard) for shard in zip(*parts, strict=True)])


def class_sets(agents: int, c: int, held: str) -> list[list[int]]:
    """The classes of each agent. Integers: a linspace in floats may fall just below a whole number."""
    counts = [1 + (c - 1) * i // max(agents - 1, 1) for i in range(agents)]
    starts = [0 if held == "nested" else sum(counts[:i]) for i in range(agents)]
    return [[(start + j) % c for j in range(k)] for start, k in zip(starts, counts, strict=True)]


def demand(sets: list[list[int]], size: int, c: int) -> Tensor:
    """Samples of each class that each agent wants, (N, C); the odd ones are of the agent's last classes,
    which fewer agents hold when the sets are nested."""
    wanted = [[0] * c for _ in sets]
    for row, labels in zip(wanted, sets, strict=True):
        share, odd = divmod(size, len(labels))
        for j, label in enumerate(labels, start=1):
            row[label] = share + (j > len(labels) - odd)
    return torch.tensor(wanted)


def largest_shard(agents: int, supply: Sequence[int], held: str = "nested") -> int:
    """The largest `size` for which `classes` needs no sample twice; 0 if there is none.

    Args:
        supply: samples of each class in the pool.
        held: see `classes`.
    """
    c = len(supply)
    sets, available = class_sets(agents, c, held), torch.tensor(supply)
    too_large = bisect_left(range(c, sum(supply) + 1), True,
                            key=lambda size: bool((demand(sets, size, c).sum(0) > available).any()))
    return c + too_large - 1 if too_large else 0


def _check_supply(wanted: Tensor, supply: Sequence[int], held: str, replace: bool) -> None:
    """Whether the pool has what the agents want of each class, (N, C)."""
    short = wanted.sum(0) - torch.tensor(supply)
    label = int(short.argmax())
    if replace:
        if empty := [str(k) for k, n in enumerate(supply) if n == 0 and short[k] > 0]:
            raise ValueError(f"there are no samples of class {', '.join(empty)} to draw from")
    elif short[label] > 0:
        fitting = largest_shard(len(wanted), supply, held)
        advice = f"the largest shard that fits has {fitting}" if fitting else "no shard fits"
        raise ValueError(
            f"{len(wanted)} agents with {int(wanted[0].sum())} samples each want {wanted[:, label].sum()} samples of "
            f"class {label}, there are {supply[label]}; {advice}, unless drawn with replace=True"
        )
