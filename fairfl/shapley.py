"""The Shapley value of any cooperative game (Xu et al. 2021, Sec. 3.2; chapter "Who contributed?").

A game is a callable that takes a boolean coalition matrix (M, N), True where agent j belongs to coalition m, and
returns the M values, or the table of all 2^N values: coalition S stands at the index whose bit j says whether agent
j is in S. The value of the empty coalition need not be 0; efficiency then reads sum(phi) = v(all) - v(nobody).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations
from math import comb

import torch
from torch import Tensor

from fairfl.arrays import like, tensor

Game = Callable[[Tensor], Tensor]
BLOCK = 16          # a block of 2^16 doubles stays in the cache, which makes it the fastest as well as a small one


def coalitions(n: int) -> Tensor:
    """All coalitions of n agents as a boolean matrix (2^n, n); row number = bitmask, agent j = bit j."""
    return (torch.arange(2**n)[:, None] >> torch.arange(n)) % 2 == 1


def exact(table):
    """The Shapley value of every agent from the table of all 2^N values, in O(2^N) time for all agents at once.

    Args:
        table: (2^N,) values, numpy or torch; index = bitmask, agent j = bit j.
    Returns:
        (N,) float64, the same kind of array on the same device.
    """
    values = tensor(table, "table", 1)
    n = values.numel().bit_length() - 1
    if n < 1 or values.numel() != 2**n:
        raise ValueError(f"a table of 2^N values, N >= 1, is needed, not one of {values.numel()}")
    low = min(n, BLOCK)

    def block(others: tuple[int, ...]) -> Tensor:
        start = sum(1 << j for j in others)
        return values[start : start + 2**low].double()

    return like(fold(n, low, block, values.device), table)


def fold(
    n: int,
    low: int,
    block: Callable[[tuple[int, ...]], Tensor],
    device: torch.device | str = "cpu",
    progress: Callable[[Iterable], Iterable] = iter,
) -> Tensor:
    """Shapley values of a game that arrives in blocks, so that the table of 2^N values is never held.

    The value of a coalition of s agents enters phi_i with weight +c_s - b_s if i is a member and -b_s if not. So
    phi_i = sum_{S with i} c_|S| v(S) - sum_S b_|S| v(S), where c_s = 1 / ((N-1) binom(N-2, s-1)), c_N = 1/N and
    b_s = 1 / (N binom(N-1, s)), b_N = 0. The second sum is common to all agents; the first is `marginals`.

    Args:
        block: given some of the agents low..N-1, the 2^low values of these together with every coalition of the
            agents 0..low-1. Must be float64; it is read before the next call and not kept.
        progress: wraps the iterable of 2^(N-low) blocks, e.g. a progress bar.
    Returns:
        (N,) float64.
    """
    with_i, everyone = _weights(n)
    sizes = coalition_sizes(low).to(device)
    first = torch.zeros(2**low, dtype=torch.float64, device=device)     # sum over the others of c_|S| v(S)
    high = torch.zeros(n - low, dtype=torch.float64)
    common = 0.0
    blocks = progress([others for size in range(n - low + 1) for others in combinations(range(low, n), size)])
    size, c, b = -1, None, None
    for others in blocks:
        if len(others) != size:
            size = len(others)
            c, b = (weights.to(device)[sizes + size] for weights in (with_i, everyone))
        values = block(others)
        weighted = c * values
        first += weighted
        for j in others:
            high[j - low] += weighted.sum().item()
        common += torch.dot(b, values).item()
    return torch.cat([marginals(first), high.to(device)]) - common


def marginals(table: Tensor) -> Tensor:
    """For every agent the sum of `table` over the coalitions that hold it, by halving: the upper half of the table
    is the coalitions with the last agent; add it to the lower half, and the last agent is gone. O(2^N)."""
    sums = []
    while table.numel() > 1:
        without, with_last = table.chunk(2)
        sums.append(with_last.sum())
        table = without + with_last
    return torch.stack(sums[::-1]) if sums else table[:0]


def doubled(start: float, steps: list[float], out: Tensor) -> Tensor:
    """Fills `out` (2^k,) with start + sum of steps_j over the members j of each coalition, by doubling."""
    out[0] = start
    for j, step in enumerate(steps):
        torch.add(out[: 1 << j], step, out=out[1 << j : 2 << j])
    return out


def coalition_sizes(n: int) -> Tensor:
    """(2^n,) number of members of each coalition."""
    return doubled(0, [1] * n, torch.empty(2**n, dtype=torch.int64))


def _weights(n: int) -> tuple[Tensor, Tensor]:
    """c_s and b_s of `fold` for s = 0..n; c_0 is never used because no agent is in the empty coalition."""
    c = [0.0] + [1 / ((n - 1) * comb(n - 2, s - 1)) for s in range(1, n)] + [1 / n]
    b = [1 / (n * comb(n - 1, s)) for s in range(n)] + [0.0]
    return torch.tensor(c, dtype=torch.float64), torch.tensor(b, dtype=torch.float64)
