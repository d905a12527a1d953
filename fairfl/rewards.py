"""The server's step in formulas: eqs. (1), (4) and (5) of Xu et al. (2021).

N agents, D parameters. Sums, norms and cosines are taken in float64 whatever the updates' precision. The chapter
"Paying with gradients" derives what stands here; `downloads` holds the fast form of the mask for many agents.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fairfl._arrays import float64_device, norms, slices, width

# A sum is taken to cancel when its norm is below this part of what its terms could reach: what is left then is
# rounding, and its direction means nothing.
CANCELLED = 10**-6.5


def check_agents(name: str, values: Tensor) -> None:
    """ValueError unless `values` is a finite vector with one entry for each agent."""
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"{name} must be a vector with one entry per agent, not of shape {tuple(values.shape)}")
    if not values.isfinite().all():
        wrong = (~values.isfinite()).nonzero().flatten().tolist()
        raise ValueError(f"{name} holds NaN or infinite entries, at positions {wrong}")


def normalise(updates: Tensor, gamma: float, epsilon: float = 0.0) -> Tensor:
    """Eq. (1), left: u_i = gamma * Delta w_i / |Delta w_i|, (N, D) -> (N, D).

    A zero update stays zero (the paper divides 0 by 0 there). With `epsilon` > 0 the divisor is |Delta w_i| +
    epsilon, so that updates much shorter than epsilon are *not* brought to length gamma.

    Raises:
        ValueError: gamma is not positive, or an entry is not finite.
    """
    if not gamma > 0:
        raise ValueError(f"gamma must be positive, not {gamma!r}")
    length = norms(updates) + epsilon
    factor = torch.where(length > 0, gamma / length, 0.0)
    limits = torch.finfo(updates.dtype)
    if ((factor == 0) | ((factor >= limits.tiny) & (factor <= limits.max))).all():
        return updates * factor.to(updates)[:, None]
    # In two steps, because gamma / length leaves the range of a float.
    peaks = updates.abs().amax(dim=1)
    safe = torch.where(peaks > 0, peaks, 1.0)
    scale = torch.where(length > 0, gamma * safe.to(length) / length, 0.0)
    return updates / safe[:, None] * scale.to(updates)[:, None]


def factors(lengths: Tensor, gamma: float, scaling: str = "normalised", epsilon: float = 0.0) -> Tensor:
    """What the updates are multiplied by before they are summed, (N,) -> (N,), float64.

    Args:
        lengths: |Delta w_i|, see `norms`.
        scaling: "normalised", gamma / (|Delta w_i| + epsilon), eq. (1), left; "clipped", at most 1; "raw", 1. An update
            that is zero, or shorter than 10^-300 gamma, has 0.

    Raises:
        ValueError: gamma is not positive.
    """
    if not gamma > 0:
        raise ValueError(f"gamma must be positive, not {gamma!r}")
    divisor = lengths + epsilon
    found = torch.where(divisor > 1e-300 * gamma, gamma / divisor, 0.0)
    return {"normalised": found, "clipped": found.clamp(max=1), "raw": torch.ones_like(found)}[scaling]


def clip(updates: Tensor, gamma: float) -> Tensor:
    """Shorten the updates that are longer than gamma to length gamma; leave the others: (N, D) -> (N, D)."""
    clipped = normalise(updates, gamma)
    for i in (norms(updates) <= gamma).nonzero().flatten().tolist():
        clipped[i] = updates[i]
    return clipped


def aggregate(updates: Tensor, weights: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Eq. (1), right: u_N = sum_i r_i u_i, (N, D) and (N,) -> (D,), summed in float64, in the updates' dtype.

    A sum that cancels but for rounding is returned as exact zeros: its direction would be noise.

    Args:
        lengths: the updates' norms, (N,), where they are known.

    Raises:
        ValueError: the weights are not one finite number for each row of `updates`.
    """
    check_agents("weights", weights)
    if updates.ndim != 2 or len(updates) != len(weights):
        raise ValueError(f"updates of shape {tuple(updates.shape)} do not fit {len(weights)} weights; "
                         f"expected ({len(weights)}, D)")
    weights, step = weights.to(float64_device(updates), torch.float64), width(updates)
    total = updates.new_empty(updates.shape[1])
    for part, columns in zip(total.split(step), slices(updates, torch.ones(()), step), strict=True):
        part.copy_(weights @ columns)
    lengths = norms(updates) if lengths is None else lengths
    if norms(total[None]) <= CANCELLED * (weights.abs() * lengths).sum():
        total.zero_()
    return total


def importance(r: Tensor, psi: Tensor, alpha: float = 0.95, floor: float | None = 1e-3) -> Tensor:
    """Eq. (4): r_t = normalised(alpha * r_{t-1} + (1 - alpha) * psi_t), both (N,) -> (N,), float64, sum 1.

    Args:
        r: the coefficients of the last round; zeros before the first.
        psi: the agents' values in this round, in [-1, 1].
        alpha: weight of the past, in [0, 1].
        floor: the moving average is raised to this before it is normalised (the paper has no such floor; without
            one a negative average gives a negative weight). None: no floor.

    Raises:
        ValueError: alpha is outside [0, 1], shapes differ, an entry is not finite, or (without a floor) the sum is
            not positive, so that normalising would turn every sign round.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie in [0, 1], not {alpha!r}")
    check_agents("r", r)
    check_agents("psi", psi)
    if r.shape != psi.shape:
        raise ValueError(f"r has {len(r)} agents, psi has {len(psi)}")
    average = alpha * r.double() + (1 - alpha) * psi.double()
    if floor is not None:
        average = average.clamp(min=floor)
    total = average.sum()
    if not total > 0:
        raise ValueError(f"the moving averages {average.tolist()} sum to {total:.3g}; eq. (4) can only divide by a "
                         "positive sum. Use a positive floor.")
    return average / total


def quality(r: Tensor, beta: float) -> Tensor:
    """Eq. (5) before rounding: tanh(beta r_i) / max_j tanh(beta r_j), (N,) -> (N,), float64, at most 1.

    ``beta=math.inf`` gives 1 to each agent with r_i > 0: equal rewards.

    Raises:
        ValueError: beta <= 0, or no r_i is positive.
    """
    if not beta > 0:
        raise ValueError(f"beta must be positive, not {beta!r}")
    check_agents("r", r)
    if not r.max() > 0:
        raise ValueError(f"eq. (5) needs a positive importance coefficient; r = {r.tolist()}")
    if math.isinf(beta):
        return torch.sign(r.double())
    reward = torch.tanh(beta * r.double())
    return reward / reward.max()


def quotas(r: Tensor, beta: float, dimension: int) -> Tensor:
    """Eq. (5): q_i = floor(D tanh(beta r_i) / max_j tanh(beta r_j)), (N,) -> (N,) int64 in [0, D].

    Products that miss a whole number only by rounding count as that number (100 * 0.29 is 28.999999999999996).
    """
    return count(quality(r, beta), dimension)


def count(quality: Tensor, dimension: int) -> Tensor:
    """floor(D * quality) as int64, not below 0 and safe against rounding."""
    return (dimension * quality + 1e-9).floor().clamp(min=0).long()


def mask(u: Tensor, q: int) -> Tensor:
    """mask(u, q) of eq. (5): the q entries of u that are largest in magnitude, zero elsewhere, (D,) -> (D,).

    Exactly q entries are kept (none if q < 0): of equal magnitudes the earlier ones, so masks are nested in q.

    Raises:
        ValueError: q is larger than D.
    """
    if q > len(u):
        raise ValueError(f"cannot keep {q} of {len(u)} entries")
    order = torch.argsort(u.abs(), descending=True, stable=True)
    kept = torch.zeros_like(u)
    kept[order[: max(q, 0)]] = u[order[: max(q, 0)]]
    return kept


def altruism_bound(least_quality: float, weakest: float) -> float:
    """The paper's lower bound on beta (Sec. 3.4): from it on, q_i >= floor(c D) for all agents with r_i >= weakest.

    beta = artanh(c) / r_min, for c = `least_quality` in (0, 1) and r_min = `weakest` > 0. (The paper allows c = 1,
    which only beta = infinity reaches.)
    """
    if not 0 < least_quality < 1:
        raise ValueError(f"least_quality must lie strictly between 0 and 1, not {least_quality!r}")
    if not 0 < weakest <= 1:
        raise ValueError(f"weakest must lie in (0, 1], not {weakest!r}")
    return math.atanh(least_quality) / weakest


def sharp_altruism_bound(least_quality: float, weakest: float, agents: int) -> float:
    """The smallest beta that ensures q_i >= floor(c D) whenever all r_i >= weakest and sum r = 1.

    The root of tanh(beta r_min) = c tanh(beta r_max), where r_max = 1 - (N - 1) r_min is the most that one of N
    agents can have; 0 if c <= r_min / r_max, because then no altruism is needed. Never above `altruism_bound`.
    """
    from scipy.optimize import brentq

    paper = altruism_bound(least_quality, weakest)
    if weakest * agents > 1 + 1e-12:
        raise ValueError(f"{agents} coefficients of at least {weakest} cannot sum to 1")
    strongest = 1 - (agents - 1) * weakest
    if least_quality <= weakest / strongest:
        return 0.0
    return brentq(lambda beta: math.tanh(beta * weakest) - least_quality * math.tanh(beta * strongest),
                  1e-9, 2 * paper, xtol=1e-12)
