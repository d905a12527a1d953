"""Games whose Shapley value has a closed form (chapter "Who contributed?").

They are the oracles that the general algorithms are tested against, and the control
variates that make sampling cheaper: known games that are close to the one in question.
"""

from collections.abc import Sequence
from math import comb
from typing import NamedTuple

import torch
from torch import Tensor

from fairfl import _checks
from fairfl._arrays import tensor
from fairfl.shapley import Game


class Known(NamedTuple):
    """A game and its Shapley value."""

    game: Game  # (M, N) bool -> (M,) float64
    values: Tensor  # (N,) float64


def additive(x: Sequence[float] | Tensor, nobody: float = 0.0) -> Known:
    """v(S) = nobody + sum of x_i over S: all are worth what they bring, phi_i = x_i."""
    x = _numbers(x, "x")
    return Known(lambda members: nobody + members.double() @ x, x)


def airport(costs: Sequence[float] | Tensor) -> Known:
    """v(S) = the largest cost in S: a runway must be long enough for the largest of the
    planes that use it. Each stretch of it is shared equally by the planes that need it
    (Littlechild and Owen, 1973). ValueError for a negative cost.
    """
    costs = _numbers(costs, "costs")
    if (costs < 0).any():
        raise ValueError(f"costs must not be negative: {costs.tolist()}")
    ordered, order = costs.sort()
    stretch = torch.diff(ordered, prepend=torch.zeros(1, dtype=torch.float64))
    users = torch.arange(len(costs), 0, -1)
    phi = torch.empty_like(costs)
    phi[order] = (stretch / users).cumsum(0)
    return Known(lambda members: torch.where(members, costs, 0.0).amax(1), phi)


def glove(left: int, right: int) -> Known:
    """v(S) = the number of pairs in S: agents 0..left-1 hold a left glove each, the
    `right` others a right one. Joining a random set of predecessors pays 1 exactly if
    one's own side is the shorter there. ValueError: a negative number, or no agent.
    """
    if left < 0 or right < 0 or left + right == 0:
        raise ValueError(f"there must be some gloves, not {left} left, {right} right")

    def worth(own: int, other: int) -> float:
        """P(fewer predecessors of one's own side, oneself in `own`, than others)."""
        n = own + other
        return sum(
            comb(own - 1, k) * comb(other, m - k) / comb(n - 1, m)
            for m in range(n) for k in range((m + 1) // 2) if k < own and m - k <= other
        ) / n

    def pairs(members: Tensor) -> Tensor:
        lefts, rights = members[:, :left].sum(1), members[:, left:].sum(1)
        return torch.minimum(lefts, rights).double()

    phi = [worth(left, right)] * left + [worth(right, left)] * right
    return Known(pairs, torch.tensor(phi, dtype=torch.float64))


def voting(weights: Sequence[int], quota: int) -> Known:
    """v(S) = 1 if the votes of S reach the quota, else 0; phi is the Shapley-Shubik
    index. Counts by size and total vote the sets in which an agent is pivotal, so it
    takes whole votes and O(N^3 quota) time.

    ValueError: votes that are negative or not whole, or a quota that is not positive.
    """
    votes = _numbers(weights, "weights")
    _checks.whole(quota=quota)
    if (votes < 0).any() or (votes != votes.round()).any():
        raise ValueError(f"votes must be whole numbers, not negative: {votes.tolist()}")
    whole, n = [int(vote) for vote in votes], len(votes)

    def pivotal(i: int) -> float:
        # sets[s][total]: coalitions of s others that fall short
        sets = [[0] * quota for _ in range(n)]
        sets[0][0] = 1
        for j in range(n):
            if j != i:
                for s in range(n - 2, -1, -1):
                    for total in range(quota - whole[j]):
                        sets[s + 1][total + whole[j]] += sets[s][total]
        short = max(quota - whole[i], 0)
        return sum(sum(row[short:]) / comb(n - 1, s) for s, row in enumerate(sets)) / n

    phi = torch.tensor([pivotal(i) for i in range(n)], dtype=torch.float64)
    return Known(lambda members: (members.double() @ votes >= quota).double(), phi)


def size_scaled(x: Sequence[float] | Tensor, k: Sequence[float] | Tensor) -> Known:
    """v(S) = k_|S| * (sum of x_i over S), with a factor for each size 1..N.

    phi_i = k_N mean(x) + lambda (x_i - mean(x)), where lambda is the mean of the other
    k: by symmetry phi must be affine in x, efficiency and the difference of two agents'
    values fix the two constants. ValueError: not one factor for each size.
    """
    x, k = _numbers(x, "x"), _numbers(k, "k")
    n, mean = len(x), x.mean()
    if n != len(k):
        raise ValueError(f"{n} agents need {n} factors, one a size, not {len(k)}")
    slope = k[:-1].sum() / max(n - 1, 1)
    padded = torch.cat([torch.zeros(1, dtype=torch.float64), k])
    phi = k[-1] * mean + slope * (x - mean)
    return Known(lambda members: (members.double() @ x) * padded[members.sum(1)], phi)


def _numbers(x: Sequence[float] | Tensor, name: str) -> Tensor:
    numbers = tensor(x, name, 1).to("cpu", torch.float64)
    if not numbers.isfinite().all():
        raise ValueError(f"{name} must be finite numbers: {numbers.tolist()}")
    return numbers
