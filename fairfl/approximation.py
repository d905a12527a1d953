"""How far psi is from phi: the first-order law and a certificate; chapter "A cheap
approximation".

All of it is computed from the Gram matrix G of the a_i = r_i u_i (`cgsv.gram`) in
polynomial time. The Gram matrix is compared with the mean of all its reorderings:
G = dbar I + obar (11' - I) + E, where dbar is the mean squared norm and obar the mean
inner product. For coalitions of s agents h(S)^2 = |u_S|^2 then has the mean hbar_s^2
(`cgsv.mean_squares`), and deviation(S) = h(S)^2 - hbar_|S|^2 is a sum over members.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from fairfl import cgsv
from fairfl._arrays import like
from fairfl._moments import Moments


def slope(agents: int, rho: float) -> float:
    """c_N(rho): for updates of one length and mean cosine rho, to first order
    phi_i - 1/N = c_N (psi_i / sum psi - 1/N).

    Below 1 psi overstates the differences between agents, above 1 it understates them.
    ValueError: fewer than 3 agents, or rho outside of what updates can have on average.
    """
    if agents < 3 or not -1 / (agents - 1) < rho <= 1:
        raise ValueError("need at least 3 agents and rho in (-1/(N-1), 1], "
                         f"not {agents} and {rho!r}")
    s = torch.arange(1, agents + 1, dtype=torch.float64)
    by_numerator, by_denominator, _ = _slopes(s * (1 + (s - 1) * rho))
    return (by_numerator - by_denominator).item()


def first_order(gram):
    """The CGSV to first order in E, at the cost of psi: (N, N) -> (N,) float64.

    phi_i = 1/N + c_1 (p_i - 1/N) + c_2 (|a_i|^2 - dbar) / |u_N|^2 + O(E^2), where
    p_i = <a_i, u_N> / |u_N|^2 is the agent's share of r_i psi_i. Sums to 1 like phi
    itself. For one or two agents it is exact.
    """
    active, matrix = cgsv.counting(cgsv.checked(gram))
    n = len(active)
    if n < 3:
        return cgsv.exact(gram)
    a, b, c = _slopes(cgsv.mean_squares(matrix))
    inner, squares = matrix.sum(1), matrix.diagonal()
    by_inner = (a - b) * (inner - inner.mean())
    by_norm = (b - c) * (squares - squares.mean())
    return cgsv.everyone(1 / n + (by_inner + by_norm) / matrix.sum(), active, gram)


def _slopes(mean_squares: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How phi answers to g in the numerator, to inner products and norms below it."""
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
        """(N,) the middle of the intervals; it estimates phi better than psi does."""
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

    1/h(S) is developed to first order around hbar_s, which gives a game with a Shapley
    value in closed form; the error of v(S) is v(S) (x-1)^2 times a factor of at most
    c_0 <= 1, x = h(S)^2 / hbar_s^2, and as |v| <= 1 the mean of (x-1)^2 bounds it. If
    all psi_i >= 0 then 0 <= v <= 1, the errors have a known sign, and the intervals are
    half as long. What float64 may add, in the Gram matrix too, is part of them; it
    grows with the square of (sum of the |a_i|) / |u_N|.

    `gram`, (N, N), is that of the a_i up to a positive factor. Arrays are of its kind;
    [0, 0] for an agent without an update, and for all agents if u_N = 0.
    """
    active, matrix = cgsv.counting(cgsv.checked(gram))
    ends = _Developed(matrix).interval() if len(active) else matrix.new_zeros(2, 0)
    return Certificate(*(cgsv.everyone(end, active, gram) for end in ends))


def certified(gram):
    """(N, N) bool: entry (i, j) is true where phi_i > phi_j is certain. A difference of
    values depends on fewer coalitions than each of them, so this decides more pairs
    than the intervals of `certificate` would."""
    matrix = cgsv.checked(gram)
    sure = torch.zeros(matrix.shape, dtype=torch.bool, device=matrix.device)
    active, inner = cgsv.counting(matrix)
    if len(active):
        developed = _Developed(inner)
        ends = developed.interval()
        lower, upper = (cgsv.everyone(end, active, matrix) for end in ends)
        sure = lower[:, None] > upper[None, :]  # without an update: the interval [0, 0]
        sure[active[:, None], active[None, :]] |= developed.gaps() > 0
    return like(sure, gram)


class _Developed:
    """The game with 1/h(S) developed around hbar_|S|, for agents that all have an
    update, and what it may be wrong by.

    T is uniform among the coalitions of m = 0..N-1 agents without i, "before", and
    joined by i, "joined". Results of `Moments` have a column for each m. Of all N
    agents together the deviation is 0; no moment is taken there, because |u_N| may be
    so short that dividing by it would make much of a rounding error.
    """

    def __init__(self, matrix: Tensor):
        n, squares, inner = len(matrix), matrix.diagonal(), matrix.sum(1)
        length = matrix.sum().sqrt()
        excess = matrix - (matrix.sum() - squares.sum()) / max(n * (n - 1), 1)
        self.n, self.g = n, inner / length
        self.delta = squares - squares.mean()
        self.excess = excess - torch.diag(excess.diagonal())  # E of `first_order`
        others = 1 - torch.eye(n, dtype=matrix.dtype, device=matrix.device)
        self.before = Moments(others, self.excess, self.delta.expand(n, n))
        self.joined = Moments(others, self.excess, self.delta + 2 * self.excess)
        mean_squares = cgsv.mean_squares(matrix)
        self.factor = _factor(matrix, mean_squares)
        self.scale = mean_squares.sqrt()[:-1]  # hbar_s, s < N
        # If inner products are wrong by 1e-15 of the product of the norms, |u_N|^2 is
        # by 1e-15 (sum of the |a_i|)^2, and the g_i relatively by this over |u_N|^2.
        reach = squares.sqrt() * squares.sqrt().sum()
        self.rounding = 1e-15 * n * (reach.sum() / length**2).item()
        # all psi_i >= 0, so v(S) >= 0 for all S
        self.one_sided = bool((inner >= 1e-15 * reach).all())

    def value(self) -> Tensor:
        """Shapley value of the game w(S) = g(S) / hbar_s - g(S) deviation(S) /
        (2 hbar_s^3), w(all) = 1: (N,)."""
        g, delta, scale = self.g[:, None], self.delta[:, None], self.scale
        mean = self.before.of(self.g)
        worth = mean[:, 1:] / scale - self.before.times(self.g)[:, 1:] / (2 * scale**3)
        crossed = g * (delta + self.joined.mean()) + delta * mean
        crossed = crossed + self.joined.times(self.g)
        more = (g + mean)[:, :-1] / scale - crossed[:, :-1] / (2 * scale**3)
        return (1 + more.sum(1) - worth.sum(1)) / self.n

    def errors(self) -> tuple[Tensor, Tensor]:
        """(N,) bounds on the error of `value` from coalitions joined, and before."""
        joined = self.joined.square(self.delta)[:, :-1] / self.scale**4
        before = self.before.square(torch.zeros_like(self.delta))[:, 1:] / self.scale**4
        factor = self.factor / self.n
        return factor * joined.sum(1), factor * before.sum(1)

    def interval(self) -> tuple[Tensor, Tensor]:
        centre, (joined, before) = self.value(), self.errors()
        if not self.one_sided:
            joined = before = joined + before
        return centre - before - self.rounding, centre + joined + self.rounding

    def pair_errors(self) -> Tensor:
        """(N, N): bound on the error of value_i - value_j from the coalitions that i
        has joined and j has not."""
        one = torch.eye(self.n, dtype=self.g.dtype, device=self.g.device)
        i, j = (one == 0).nonzero(as_tuple=True)
        others = 1 - one[i] - one[j]
        errors = torch.zeros_like(self.excess)
        if self.n > 1:
            joined = Moments(others, self.excess, self.delta + 2 * self.excess[i])
            squares = joined.square(self.delta[i]) / self.scale**4
            errors[i, j] = self.factor / (self.n - 1) * squares.sum(1)
        return errors

    def gaps(self) -> Tensor:
        """(N, N): phi_i - phi_j is at least this."""
        value, errors = self.value(), self.pair_errors()
        wrong = errors.T if self.one_sided else errors + errors.T
        return value[:, None] - value[None, :] - wrong - 2 * self.rounding


def _factor(matrix: Tensor, mean_squares: Tensor) -> Tensor:
    """c_0 = (y + 2) / (2 (y + 1)^2), y the least possible h(S) / hbar_s."""
    least = torch.linalg.eigvalsh(matrix)[0]
    least = least - 1e-14 * len(matrix) * matrix.diagonal().sum()  # what rounding adds
    s = torch.arange(1, len(matrix) + 1, dtype=matrix.dtype, device=matrix.device)
    y = (s * least.clamp(min=0) / mean_squares).min().sqrt()
    return (y + 2) / (2 * (y + 1) ** 2)
