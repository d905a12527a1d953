"""CLA: agents that hold more and more classes."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from fairfl import _checks
from fairfl.partition.base import Agent, Pool, advice, contents, named, share
from fairfl.randomness import generator


def classes(data: Pool, agents: int, size: int | None, seed: int, held: str = "nested",
            replace: bool = False) -> list[Agent]:
    """CLA: `size` samples for each agent, of k_i = floor(linspace(1, C, N)) of the C
    classes, as evenly spread over them as `size` allows, ordered by class.

    Args:
        held: "nested", agent i holds classes 0 to k_i - 1; "spread", its classes go on
            where those of agent i - 1 end, so that any two classes are held by equally
            many agents or differ by one.
        replace: draw with replacement within a class, so that a sample may occur twice,
            with one agent or with two.

    Raises:
        ValueError: too few samples of a class (the message names the largest shard that
            fits), a shard smaller than the number of classes, an unknown `held`, a
            number below 1, or no pool (`Pool`).
    """
    _checks.known("held", held, ("nested", "spread"))
    x, y, c = contents(data)
    size = share(agents, size, len(y), again=True)  # what there is counts by class
    if size < c:
        raise ValueError(f"a shard of {size} samples cannot hold all {c} classes")
    members = [(y == label).nonzero().flatten() for label in range(c)]
    wanted = demand(class_sets(agents, c, held), size, c)
    _check_supply(wanted, [len(m) for m in members], held, replace)
    parts = []  # by class, then by agent
    for label, member in enumerate(members):
        counts = wanted[:, label].tolist()
        n = sum(counts)
        draws = generator(seed, "partition", "cla", label)
        if replace and n:
            picks = torch.randint(len(member), (n,), generator=draws)
        else:
            picks = torch.randperm(len(member), generator=draws)[:n]
        parts.append(member[picks].split(counts))
    return named(x, y, [torch.cat(shard) for shard in zip(*parts, strict=True)])


def class_sets(agents: int, c: int, held: str) -> list[list[int]]:
    """The classes of each agent. Integers: a linspace in floats may fall just below a
    whole number."""
    counts = [1 + (c - 1) * i // max(agents - 1, 1) for i in range(agents)]
    ends = [0] * agents if held == "nested" else accumulate(counts, initial=0)
    return [[(start + j) % c for j in range(k)]
            for start, k in zip(ends, counts, strict=False)]


def demand(sets: list[list[int]], size: int, c: int) -> Tensor:
    """Samples of each class that each agent wants, (N, C); the odd ones are of the
    agent's last classes, which fewer agents hold when the sets are nested."""
    wanted = [[0] * c for _ in sets]
    for row, labels in zip(wanted, sets, strict=True):
        share, odd = divmod(size, len(labels))
        for j, label in enumerate(labels, start=1):
            row[label] = share + (j > len(labels) - odd)
    return torch.tensor(wanted)


def largest_shard(agents: int, supply: Sequence[int], held: str = "nested") -> int:
    """The largest `size` for which `classes` needs no sample twice; 0 if there is none.
    The supply: samples of each class in the pool."""
    c, sets = len(supply), class_sets(agents, len(supply), held)

    def too_large(size: int) -> bool:
        return bool((demand(sets, size, c).sum(0) > torch.tensor(supply)).any())

    sizes = range(c, sum(supply) // agents + 1)
    fitting = bisect_left(sizes, True, key=too_large)
    return sizes[fitting - 1] if fitting else 0


def _check_supply(wanted: Tensor, supply: Sequence[int], held: str, replace: bool):
    """Whether the pool has what the agents want of each class, (N, C)."""
    short = wanted.sum(0) - torch.tensor(supply)
    label = int(short.argmax())
    if replace:
        empty = [str(k) for k, n in enumerate(supply) if n == 0 and short[k] > 0]
        if empty:
            raise ValueError(f"there are no samples of class {', '.join(empty)}")
    elif short[label] > 0:
        largest = advice(largest_shard(len(wanted), supply, held))
        raise ValueError(f"{len(wanted)} agents with {int(wanted[0].sum())} samples "
                         f"each want {wanted[:, label].sum()} samples of class {label},"
                         f" there are {supply[label]}; {largest}, unless drawn with "
                         "replace=True")
