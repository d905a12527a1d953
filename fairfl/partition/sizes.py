"""UNI and POW: random samples, equally many or more and more."""

import math
from collections.abc import Sequence
from heapq import heapify, heapreplace

import numpy as np
import torch
from torch import Tensor

from fairfl import _checks
from fairfl.partition.base import Agent, Pool, contents, named, share
from fairfl.randomness import generator


def uniform(data: Pool, agents: int, size: int | None, seed: int) -> list[Agent]:
    """UNI: `size` random samples for each agent, no sample twice.

    Raises:
        ValueError: fewer than agents * size samples (the message names the largest
            shard that fits), a number below 1, or no pool (`Pool`).
    """
    x, y, _ = contents(data)
    size = share(agents, size, len(y))
    return _deal(x, y, [size] * agents, seed, "uni")


def power_law(data: Pool, agents: int, size: int | None, seed: int,
              exponent: float = 1.659, law: str = "power") -> list[Agent]:
    """POW: random samples, `size` an agent on average, no sample twice; a later agent
    never holds fewer, save for the last agent's cut below.

    Args:
        exponent: a > 0 in the laws.
        law: "power", n_i in proportion to i^a, rounded by largest remainder to a sum of
            exactly agents * size, no agent empty; "arithmetic", n_i in proportion to an
            arithmetic progression from the 1 % to the 99 % quantile of the density
            a x^(a-1) on [0, 1], rounded up, the last agent cut to the same sum.

    Raises:
        ValueError: as in `uniform`; an unknown law; a progression whose cut leaves the
            last agent empty.
    """
    _checks.positive(exponent=exponent)
    _checks.known("law", law, sorted(LAWS))
    x, y, _ = contents(data)
    size = share(agents, size, len(y))
    return _deal(x, y, LAWS[law](agents, agents * size, exponent), seed, "pow")


def _deal(x: Tensor, y: Tensor, sizes: list[int], seed: int, kind: str) -> list[Agent]:
    """Shards of these sizes from one shuffle of the pool."""
    order = torch.randperm(len(y), generator=generator(seed, "partition", kind))
    return named(x, y, order[:sum(sizes)].split(sizes))


def _power(agents: int, total: int, exponent: float) -> list[int]:
    sizes = rounded([(i / agents) ** exponent for i in range(1, agents + 1)], total)
    largest = [(-n, i) for i, n in enumerate(sizes)]
    heapify(largest)
    for empty in [i for i, n in enumerate(sizes) if n == 0]:
        n, i = largest[0]  # the first of the largest gives: the sizes stay in order
        heapreplace(largest, (n + 1, i))
        sizes[i] -= 1
        sizes[empty] = 1
    return sizes


def _arithmetic(agents: int, total: int, exponent: float) -> list[int]:
    low, high = 0.01 ** (1 / exponent), 0.99 ** (1 / exponent)
    steps = [low + (high - low) * i / max(agents - 1, 1) for i in range(agents)]
    whole = math.fsum(steps)
    sizes = [math.ceil(total * s / whole - 1e-9) for s in steps]  # 600.0000000001: 600
    sizes[-1] = total - sum(sizes[:-1])
    if sizes[-1] < 1:
        raise ValueError(f"rounding up leaves no samples for agent {str(agents)!r}; "
                         f"raise size above {total // agents}")
    return sizes


LAWS = {"power": _power, "arithmetic": _arithmetic}


def rounded(weights: Sequence[float] | np.ndarray, total: int) -> list[int]:
    """Whole numbers in proportion to the weights, with this sum: rounded down, then one
    more for the largest remainders, the first of equal ones."""
    whole = math.fsum(weights)
    exact = [total * w / whole for w in weights]
    sizes = [math.floor(e) for e in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: sizes[i] - exact[i])
    for i in by_remainder[: total - sum(sizes)]:
        sizes[i] += 1
    return sizes
