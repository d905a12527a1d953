"""The server's step in formulas: eqs. (1), (4) and (5) of Xu et al. (2021).

N agents, D parameters. Leading dimensions stand for several federations at a time:
updates are (..., N, D), numbers of the agents (..., N). Sums, norms and cosines are in
float64 whatever the updates' precision. The chapter "Paying with gradients" derives
what stands here; `downloads` holds the fast form of the mask for many agents.
"""

import math
import sys
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

from fairfl import _checks
from fairfl._arrays import CANCELLED, check_finite, float64_device, norms, read, squared


def check_agents(name: str, values: Tensor) -> None:
    """ValueError unless `values` is real and finite, with an entry for each agent."""
    if values.ndim == 0 or 0 in values.shape or values.is_complex():
        raise ValueError(f"{name} must hold one real number for each agent, not "
                         f"{values.dtype} of shape {tuple(values.shape)}")
    if not values.isfinite().all():
        wrong = (~values.isfinite()).nonzero().squeeze(1).tolist()
        raise ValueError(f"{name} holds NaN or infinite entries, at positions {wrong}")


def check_positive(numbers: Tensor, problem: str, given: Tensor) -> None:
    """ValueError, with what was given, unless all numbers are positive."""
    if not (numbers > 0).all():
        raise ValueError(f"{problem}: {given.tolist()}")


def factors(lengths: Tensor, gamma: float, scaling: str = "normalised",
            epsilon: float = 0.0) -> Tensor:
    """What updates of these lengths are multiplied by before they are summed, (..., N).

    "normalised", gamma / (|Delta w_i| + epsilon), eq. (1), left, and 0 where that
    divides by 0; "clipped", the same, at most 1; "raw", 1. float64. ValueError: gamma
    is not positive, or an unknown scaling.
    """
    _checks.positive(gamma=gamma)
    _checks.known("scaling", scaling, ("normalised", "clipped", "raw"))
    divisor = lengths + epsilon
    found = torch.where(divisor > 0, gamma / divisor, 0.0)
    if scaling == "raw":
        return torch.ones_like(found)
    return found.clamp(max=1) if scaling == "clipped" else found


def normalise(updates: Tensor, gamma: float, epsilon: float = 0.0) -> Tensor:
    """Eq. (1), left: u_i = gamma * Delta w_i / |Delta w_i|, (..., N, D), same dtype.

    A zero update stays zero (the paper divides 0 by 0 there). With `epsilon` > 0 the
    divisor is |Delta w_i| + epsilon, so that updates much shorter than epsilon are
    *not* brought to length gamma. ValueError: gamma <= 0, or an entry is not finite.
    """
    return _scaled(updates, factors(norms(updates), gamma, "normalised", epsilon))


def clip(updates: Tensor, gamma: float) -> Tensor:
    """Shorten the updates that are longer than gamma to length gamma; leave the others:
    (..., N, D), same dtype."""
    return _scaled(updates, factors(norms(updates), gamma, "clipped"))


def _scaled(updates: Tensor, factor: Tensor) -> Tensor:
    limits = torch.finfo(updates.dtype)
    fits = (factor == 0) | (factor >= limits.tiny) & (factor <= limits.max)
    if fits.all():
        return updates * factor.to(updates)[..., None]
    return (updates.to(factor) * factor[..., None]).to(updates)


def aggregate(updates: Tensor, weights: Tensor,
              lengths: Tensor | None = None) -> Tensor:
    """Eq. (1), right: u_N = sum_i r_i u_i, (..., N, D) and (..., N) -> (..., D), summed
    in float64, in the updates' dtype.

    A sum that cancels but for rounding is returned as exact zeros: its direction would
    be noise. `lengths`: the updates' norms, (..., N), where they are known. ValueError:
    the weights are not one finite number for each row of `updates`.
    """
    return summed(updates, weights, lengths).vector


class Sum(NamedTuple):
    """A sum of updates, and what one reading of them finds beside it."""

    vector: Tensor  # (..., D) u_N
    length: Tensor  # (...) |u_N|, float64
    inner: Tensor  # (..., N) <u_i, u_N>, float64


def summed(updates: Tensor, weights: Tensor, lengths: Tensor | None = None) -> Sum:
    """As `aggregate`, with what eq. (3) needs."""
    check_agents("weights", weights)
    if updates.shape[:-1] != weights.shape:
        raise ValueError(f"updates of shape {tuple(updates.shape)} do not fit weights "
                         f"of shape {tuple(weights.shape)}")
    lengths = norms(updates) if lengths is None else lengths
    weights = weights.to(float64_device(updates), torch.float64)

    def of(columns: Tensor, _: slice) -> tuple[Tensor, Tensor, Tensor]:
        total = (weights[..., None, :] @ columns).squeeze(-2).to(updates)
        rounded = total.to(columns)
        return total, squared(rounded), (columns @ rounded[..., None]).squeeze(-1)

    vector, squares, inner = zip(*read(updates, of), strict=True)
    total = torch.cat(vector, -1)
    square, products = (reduce(torch.add, parts) for parts in (squares, inner))
    check_finite(square, "u_N")
    cancels = square <= CANCELLED * (weights.abs() * lengths).sum(-1) ** 2
    total[cancels], square[cancels], products[cancels] = 0.0, 0.0, 0.0
    return Sum(total, square.sqrt(), products)


def importance(r: Tensor, psi: Tensor, alpha: float = 0.95,
               floor: float | None = 1e-3) -> Tensor:
    """Eq. (4): r_t = normalised(alpha * r_{t-1} + (1 - alpha) * psi_t), (..., N)
    float64, sum 1.

    Args:
        r: (..., N) the coefficients of the last round; zeros before the first.
        psi: (..., N) the agents' values in this round, in [-1, 1].
        alpha: weight of the past, in [0, 1].
        floor: the moving average is raised to this before it is normalised. None: no
            floor, as in the paper; a negative average then gives a negative weight.

    Raises:
        ValueError: alpha is outside [0, 1], shapes differ, an entry is not finite, or
            (without a floor) a sum is not positive, so that normalising would turn
            every sign round.
    """
    _checks.within(0, 1, alpha=alpha)
    check_agents("r", r)
    check_agents("psi", psi)
    if r.shape != psi.shape:
        raise ValueError(f"r has the shape {tuple(r.shape)}, psi {tuple(psi.shape)}")
    average = alpha * r.double() + (1 - alpha) * psi.double()
    if floor is not None:
        average = average.clamp(min=floor)
    total = average.sum(-1, keepdim=True)
    check_positive(total, "eq. (4) divides by a positive sum (use a floor)", average)
    return average / total


def quality(r: Tensor, beta: float) -> Tensor:
    """Eq. (5) before rounding: tanh(beta r_i) / max_j tanh(beta r_j), (..., N) float64,
    at most 1.

    ``beta=math.inf`` gives 1 to each agent with r_i > 0: equal rewards.

    Raises:
        ValueError: beta <= 0, or no r_i is positive.
    """
    _checks.positive(infinite=True, beta=beta)
    check_agents("r", r)
    check_positive(r.amax(-1), "eq. (5) needs a positive importance coefficient", r)
    reward = torch.tanh(min(beta, sys.float_info.max) * r.double())  # inf * 0 is nan
    return reward / reward.amax(-1, keepdim=True)


def quotas(r: Tensor, beta: float, dimension: int) -> Tensor:
    """Eq. (5): q_i = floor(D tanh(beta r_i) / max_j tanh(beta r_j)), (..., N) int64 in
    [0, D].

    Products that miss a whole number only by rounding count as that number (100 * 0.29
    is 28.999999999999996).
    """
    return count(quality(r, beta), dimension)


def count(quality: Tensor, dimension: int) -> Tensor:
    """floor(D * quality) as int64, not below 0 and safe against rounding."""
    return (dimension * quality + 1e-9).floor().clamp(min=0).long()


def mask(u: Tensor, q: int | Tensor) -> Tensor:
    """mask(u, q) of eq. (5): the q entries of u that are largest in magnitude, zero
    elsewhere, (..., D). The textbook that `downloads` is tested against.

    Exactly q entries are kept (none if q < 0): of equal magnitudes the earlier ones, so
    masks are nested in q. One q, or (...) of them, broadcast against the vectors.
    ValueError: q is larger than D.
    """
    q = torch.as_tensor(q, device=u.device)
    if q.max() > u.shape[-1]:
        raise ValueError(f"cannot keep {q.max().item()} of {u.shape[-1]} entries")
    rank = u.abs().argsort(dim=-1, descending=True, stable=True).argsort(-1)
    return torch.where(rank < q[..., None], u, 0.0)


def altruism_bound(least_quality: float, weakest: float) -> float:
    """The paper's lower bound on beta (Sec. 3.4): from it on, q_i >= floor(c D) for all
    agents with r_i >= weakest.

    beta = artanh(c) / r_min, c = `least_quality` in (0, 1), r_min = `weakest` > 0.
    (The paper allows c = 1, which only beta = infinity reaches.)
    """
    if not 0 < least_quality < 1:
        raise ValueError("least_quality must lie strictly between 0 and 1, "
                         f"not {least_quality!r}")
    if not 0 < weakest <= 1:
        raise ValueError(f"weakest must lie in (0, 1], not {weakest!r}")
    return math.atanh(least_quality) / weakest


def sharp_altruism_bound(least_quality: float, weakest: float, agents: int) -> float:
    """The smallest beta that ensures q_i >= floor(c D) whenever all r_i >= weakest and
    sum r = 1.

    The root of tanh(beta r_min) = c tanh(beta r_max), where r_max = 1 - (N - 1) r_min
    is the most that one of N agents can have; 0 if c <= r_min / r_max, because then no
    altruism is needed. Never above `altruism_bound`.
    """
    from scipy.optimize import brentq

    paper = altruism_bound(least_quality, weakest)
    if weakest * agents > 1 + 1e-12:
        raise ValueError(f"{agents} coefficients of at least {weakest} cannot sum to 1")
    strongest = 1 - (agents - 1) * weakest
    if least_quality <= weakest / strongest:
        return 0.0

    def missing(beta: float) -> float:
        return math.tanh(beta * weakest) - least_quality * math.tanh(beta * strongest)

    return brentq(missing, 1e-9, 2 * paper, xtol=1e-12)
