"""How far psi is from phi: the first-order law and a certificate; chapter "A cheap approximation".

All of it is computed from the Gram matrix G of the a_i = r_i u_i (`cgsv.gram`) in polynomial time. The Gram matrix is
compared with the mean of all its reorderings: G = dbar I + obar (11' - I) + E, where dbar is the mean squared norm and
obar the mean inner product. For coalitions of s agents h(S)^2 = |u_S|^2 then has the mean hbar_s^2
(`cgsv.mean_squares`), and what is left, deviation(S) = h(S)^2 - hbar_|S|^2, is a sum over the members of S.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from fairfl import cgsv
from fairfl.arrays import like
from fairfl.moments import Moments


def slope(agents: int, rho: float) -> float:
    """c_N(rho): for updates of one length and mean cosine rho, phi_i - 1/N = c_N (psi_i / sum psi - 1/N) to first
    order.

    Below 1 psi overstates the differences between agents, above 1 it understates them.

    Raises:
        ValueError: fewer than 3 agents, or a rho that no updates can have on average, outside (-1/(N-1), 1].
    """
    if agents < 3 or not -1 / (agents - 1) < rho <= 1:
        raise ValueError(f"need at least 3 agents and rho in (-1/(N-1), 1], not {agents} and {rho!r}")
    s = torch.arange(1, agents + 1, dtype=torch.float64)
    by_numerator, by_denominator, _ = _slopes(s * (1 + (s - 1) * rho))
    return (by_numerator - by_denominator).item()


def first_order(gram):
    """The CGSV to first order in E, at the cost of psi: (N, N) -> (N,) float64.

    phi_i = 1/N + c_1 (p_i - 1/N) + c_2 (|a_i|^2 - dbar) / |u_N|^2 + O(E^2), where p_i = <a_i, u_N> / |u_N|^2 is the
    agent's share of r_i psi_i. Sums to 1 like phi itself. For one or two agents it is exact.
    """
    return _for_active(gram, lambda matrix: (_first_order(matrix),))[0]


def _first_order(matrix: Tensor) -> Tensor:
    n = len(matrix)
    if n < 3:
        return cgsv.exact(matrix)
    a, b, c = _slopes(cgsv.mean_squares(matrix))
    inner, squares = matrix.sum(1), matrix.diagonal()
    return 1 / n + ((a - b) * (inner - inner.mean()) + (b - c) * (squares - squares.mean())) / matrix.sum()


def _slopes(mean_squares: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How phi answers to g in the numerator, to inner products in the denominator, and to norms there."""
    n = len(mean_squares)
    s = torch.arange(1, n, dtype=mean_squares.dtype, device=mean_squares.device)
    ratio = (mean_squares[-1] / mean_squares[:-1]).sqrt()  # H / hbar_s
    numerator = ratio.sum() / (n - 1)
    pairs = (s * (s - 1) * ratio**3).sum() / (n * (n - 1) * (n - 2))
    norms = (s * ratio**3).sum() / (2 * n * (n - 1))
    return numerator, pairs, norms


class Certificate(NamedTuple):
    """An interval for each agent that holds its CGSV, whatever the updates are."""

    lower: Tensor  # (N,) float64
    upper: Tensor  # (N,)

    @property
    def centre(self):
        """(N,) the middle of the intervals, which estimates phi better than psi does."""
        return (self.lower + self.upper) / 2

    @property
    def radius(self):
        """(N,) half their lengths: |phi - centre| <= radius."""
        return (self.upper - self.lower) / 2

    def bound(self, estimate):
        """(N,) the most by which `estimate` can be wrong: |phi - estimate| <= bound."""
        return abs(estimate - self.centre) + self.radius


def certificate(gram) -> Certificate:
    """Intervals that hold phi_i for certain, in O(N^3) time.

    1/h(S) is developed to first order around hbar_s, which gives a game with a Shapley value in closed form; the error
    of v(S) is v(S) (x-1)^2 times a factor of at most c_0 <= 1, x = h(S)^2 / hbar_s^2, and as |v| <= 1 the mean of
    (x-1)^2 bounds it. If all psi_i >= 0 then 0 <= v <= 1, the errors have a known sign, and the intervals are half as
    long.

    Args:
        gram: (N, N) Gram matrix of the a_i, up to a positive factor.
    Returns:
        Arrays of the kind of `gram`; [0, 0] for an agent without an update, and for all agents if u_N = 0.
    """
    return Certificate(*_for_active(gram, _interval))


def certified(gram):
    """(N, N) bool: entry (i, j) is true where phi_i > phi_j is certain.

    The difference of two values depends on fewer coalitions than each of them, so this decides more pairs than
    comparing the intervals of `certificate` would.
    """
    matrix = cgsv.checked(gram)
    interval = certificate(matrix)
    sure = interval.lower[:, None] > interval.upper[None, :]
    active = (matrix.diagonal() > 0).nonzero().flatten()
    if len(active) > 1 and not cgsv.cancels(matrix):
        inner = matrix[active][:, active]
        centre, errors = _second_order(inner), _pair_errors(inner)
        above = errors.T if _all_positive(inner) else errors + errors.T
        gap = centre[:, None] - centre[None, :] - above - _rounding(inner)
        sure[active[:, None], active[None, :]] |= gap > 0
    return like(sure, gram)


def _for_active(gram, function) -> tuple:
    """Each result of `function` on the agents with an update, 0 for the others and where u_N = 0."""
    matrix = cgsv.checked(gram)
    active = (matrix.diagonal() > 0).nonzero().flatten()
    if not len(active) or cgsv.cancels(matrix):
        return (like(torch.zeros_like(matrix[0]), gram),) * 2
    results = function(matrix[active][:, active])
    return tuple(like(torch.zeros_like(matrix[0]).index_copy(0, active, result), gram) for result in results)


def _interval(matrix: Tensor) -> tuple[Tensor, Tensor]:
    centre, rounding = _second_order(matrix), _rounding(matrix)
    joined, before = _errors(matrix)
    if not _all_positive(matrix):
        joined = before = joined + before
    return centre - before - rounding, centre + joined + rounding


def _all_positive(matrix: Tensor) -> bool:
    """Whether all psi_i >= 0, so that v(S) >= 0 for all S."""
    return bool((matrix.sum(1) >= 0).all())


def _rounding(matrix: Tensor) -> float:
    """What float64 may add to the difference of two ways to compute phi: g loses digits where u_N is short."""
    reach = matrix.diagonal().sqrt().sum() / matrix.sum().sqrt()
    return 1e-14 * len(matrix) * reach.item()


# Below, T is uniform among the coalitions of m = 0..N-1 agents without i, "before", and joined by i, "joined". Results
# of `Moments` have a column for each m. Of all N agents together the deviation is 0; no moment is taken there, because
# |u_N| may be so short that dividing by it would make much of a rounding error.


def _second_order(matrix: Tensor) -> Tensor:
    """Shapley value of the game w(S) = g(S) / hbar_s - g(S) deviation(S) / (2 hbar_s^3), w(all) = 1: (N,)."""
    n = len(matrix)
    delta, excess, scale = _split(matrix)
    g = matrix.sum(1) / matrix.sum().sqrt()
    others, scale = 1 - torch.eye(n, dtype=matrix.dtype, device=matrix.device), scale[:-1]
    before = Moments(others, excess, delta.expand(n, n))
    joined = Moments(others, excess, delta + 2 * excess)
    mean = before.of(g)
    worth = mean[:, 1:] / scale - before.times(g)[:, 1:] / (2 * scale**3)
    crossed = g[:, None] * (delta[:, None] + joined.mean()) + delta[:, None] * mean + joined.times(g)
    more = (g[:, None] + mean)[:, :-1] / scale - crossed[:, :-1] / (2 * scale**3)
    return (1 + more.sum(1) - worth.sum(1)) / n


def _errors(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Bounds on the error of `_second_order` from the coalitions that i has joined, and from those before, (N,)."""
    n = len(matrix)
    delta, excess, scale = _split(matrix)
    others = 1 - torch.eye(n, dtype=matrix.dtype, device=matrix.device)
    joined = Moments(others, excess, delta + 2 * excess).square(delta)[:, : n - 1]  # of all N agents x = 1 exactly
    before = Moments(others, excess, delta.expand(n, n)).square(torch.zeros_like(delta))[:, 1:]
    factor = _factor(matrix, scale) / n
    return factor * (joined / scale[:-1] ** 4).sum(1), factor * (before / scale[:-1] ** 4).sum(1)


def _pair_errors(matrix: Tensor) -> Tensor:
    """(N, N): bound on the error of phi_i - phi_j from the coalitions that i has joined and j has not."""
    n = len(matrix)
    delta, excess, scale = _split(matrix)
    i, j = (~torch.eye(n, dtype=torch.bool, device=matrix.device)).nonzero(as_tuple=True)
    others = torch.ones(len(i), n, dtype=matrix.dtype, device=matrix.device)
    others[torch.arange(len(i)), i] = others[torch.arange(len(j)), j] = 0
    joined = Moments(others, excess, delta + 2 * excess[i]).square(delta[i])
    errors = torch.zeros_like(matrix)
    errors[i, j] = _factor(matrix, scale) / (n - 1) * (joined / scale[:-1] ** 4).sum(1)
    return errors


def _split(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """delta_i = |a_i|^2 - dbar (N,), E with a zero diagonal (N, N), and hbar_s (N,)."""
    n = len(matrix)
    squares = matrix.diagonal()
    excess = matrix - (matrix.sum() - squares.sum()) / max(n * (n - 1), 1)
    excess = excess - torch.diag(excess.diagonal())
    return squares - squares.mean(), excess, cgsv.mean_squares(matrix).sqrt()


def _factor(matrix: Tensor, scale: Tensor) -> Tensor:
    """c_0 = (y + 2) / (2 (y + 1)^2), y the least possible h(S) / hbar_s."""
    least = torch.linalg.eigvalsh(matrix)[0] - 1e-14 * len(matrix) * matrix.diagonal().sum()  # less what rounding adds
    s = torch.arange(1, len(matrix) + 1, dtype=matrix.dtype, device=matrix.device)
    y = (s * least.clamp(min=0) / scale**2).min().sqrt()
    return (y + 2) / (2 * (y + 1) ** 2)
