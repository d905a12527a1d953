"""UNI and POW: random samples, equally many or more and more."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from fairfl.partition.base import Agent, Pool, check_total, contents, named, share
from fairfl.randomness import generator


def uniform(data: Pool, agents: int, size: int | None, seed: int) -> list[Agent]:
    """UNI: `size` random samples for each agent, no sample twice.

    Raises:
        ValueError: fewer than agents * size samples (the message names the largest shard that fits), or a
            number below 1.
    """
    size = share(agents, size, len(contents(data)[1]))
    return _deal(data, [size] * agents, seed, "uni")


def power_law(
    data: Pool, agents: int, size: int | None, seed: int, exponent: float = 1.659, law: str = "power"
) -> list[Agent]:
    """POW: random samples, `size` an agent on average, no sample twice; a later agent never holds fewer, save
    for the last agent's cut below.

    Args:
        exponent: a > 0 in the laws.
        law: "power", n_i in proportion to i^a, rounded by largest remainder to a sum of exactly
            agents * size, no agent empty; "arithmetic", n_i in proportion to an arithmetic progression from
            the 1 % to the 99 % quantile of the density a x^(a-1) on [0, 1], rounded up, the last agent cut to
            the same sum.

    Raises:
        ValueError: as in `uniform`; an unknown law; a progression whose cut leaves the last agent empty.
    """
    size = share(agents, size, len(contents(data)[1]))
    if not 0 < exponent < math.inf:
        raise ValueError(f"exponent must be positive and finite, not {exponent}")
    if law not in LAWS:
        raise ValueError(f"unknown law {law!r}; known are {', '.join(sorted(LAWS))}")
    return _deal(data, LAWS[law](agents, agents * size, exponent), seed, "pow")


def _deal(data: Pool, sizes: Sequence[int], seed: int, purpose: str) -> list[Agent]:
    """Shards of these sizes from one shuffle of the pool."""
    x, y, _ = contents(data)
    check_total(len(sizes), sum(sizes), len(y))
    order = torch.randperm(len(y), generator=generator(seed, "partition", purpose))
    return named(x, y, order[:sum(sizes)].split(list(sizes)))


def _power(agents: int, total: int, exponent: float) -> list[int]:
    sizes = rounded([(i / agents) ** exponent for i in range(1, agents + 1)], total)
    while 0 in sizes:  # the first of the largest shards gives, so that the order of the sizes stays
        sizes[sizes.index(max(sizes))] -= 1
        sizes[sizes.index(0)] += 1
    return sizes


def _arithmetic(agents: int, total: int, exponent: float) -> list[int]:
    low, high = 0.01 ** (1 / exponent), 0.99 ** (1 / exponent)
    steps = [low + (high - low) * i / max(agents - 1, 1) for i in range(agents)]
    sizes = [math.ceil(total * s / math.fsum(steps) - 1e-9) for s in steps]  # 600.0000000001 is 600
    sizes[-1] = total - sum(sizes[:-1])
    if sizes[-1] < 1:
        raise ValueError(
            f"rounding up leaves no samples for agent {str(agents)!r}; raise size above {total // agents}"
        )
    return sizes


LAWS = {"power": _power, "arithmetic": _arithmetic}


def rounded(weights: Sequence[float], total: int) -> list[int]:
    """Whole numbers in proportion to the weights, with this sum: rounded down, then one more for the largest
    remainders, the first of equal ones."""
    exact = [total * w / math.fsum(weights) for w in weights]
    sizes = [math.floor(e) for e in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: sizes[i] - exact[i])
    for i in by_remainder[: total - sum(sizes)]:
        sizes[i] += 1
    return sizes
