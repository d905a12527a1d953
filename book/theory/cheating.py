"""What one round's values say of an attacker, in closed form.

n honest agents have updates of one length and pairwise cosine rho; all weights are
equal. An attacker, or k copies of one agent, stand beside them. The formulas for eqs.
(2) and (3) are oracles: `cgsv.exact` and `cgsv.psi` of the Gram matrices here must give
the same. Chapter "When agents cheat".
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from book.theory.memory import equal_cosines


class Values(NamedTuple):
    """Of the attacker (each of its names) and of each honest agent."""

    attacker: float
    honest: float

    def share(self, names: int, honest: int) -> float:
        """The attackers' part of the sum, for so many names and honest agents."""
        return names * self.attacker / (names * self.attacker + honest * self.honest)


def one_gram(n: int, rho: float, gamma: float) -> Tensor:
    """Gram matrix of an attacker, first, with cosine gamma to n honest agents.

    ValueError if no vectors have these cosines.
    """
    gram = copies_gram(1, n, rho)
    gram[0, 1:] = gram[1:, 0] = gamma
    if torch.linalg.eigvalsh(gram)[0] < -1e-9:
        raise ValueError(f"no {n} + 1 vectors have cosines rho={rho} and gamma={gamma}")
    return gram


def copies_gram(k: int, n: int, rho: float) -> Tensor:
    """Gram matrix of k equal updates, first, and n others, all cosines else rho.

    ValueError if k or n is below 1, or rho outside [-1 / n, 1].
    """
    if k < 1 or n < 1 or not -1 / n <= rho <= 1:
        raise ValueError(f"no {k} copies and {n} others have the cosine rho={rho}")
    gram = equal_cosines(k + n, rho)
    gram[:k, :k] = 1
    return gram


def sum_of_honest(n: int, rho: float) -> float:
    """gamma of one that uploads the sum of the honest updates."""
    return math.sqrt((1 + (n - 1) * rho) / n)


def hidden(gamma: float, s: float) -> float:
    """gamma of the same upload with noise of s times its length, which no update has a
    part of."""
    return gamma / math.sqrt(1 + s**2)


def camouflage(n: int, rho: float) -> float:
    """s at which the sum of the honest updates, `hidden`, has the cosine rho to each of
    them, so that it stands among them like one more honest agent.

    ValueError if rho is not in (0, 1].
    """
    if not 0 < rho <= 1:
        raise ValueError(f"the cosine rho must lie in (0, 1], not {rho!r}")
    return math.sqrt(max((sum_of_honest(n, rho) / rho) ** 2 - 1, 0.0))


def own_part(n: int, rho: float) -> float:
    """`detection` of each of n >= 2 honest agents without an attacker: the residual."""
    return math.sqrt(1 - (n - 1) * max(rho, 0.0) ** 2 / (1 + (n - 2) * rho))


def psi(n: int, rho: float, gamma: float) -> Values:
    """Eq. (3) of an attacker with cosine gamma to n honest agents, and of those."""
    both, own, square = _terms(n, rho, gamma)
    return Values(own / math.sqrt(square), both / math.sqrt(square))


def phi(n: int, rho: float, gamma: float) -> Values:
    """Eq. (2) of the same: the mean over the number s of honest agents before it."""
    both, own, square = _terms(n, rho, gamma)
    total = own  # s = 0
    for s in range(1, n + 1):
        before = s * (1 + (s - 1) * rho)
        after = before + 1 + 2 * s * gamma
        total += (s * both + own) / math.sqrt(after) - s * both / math.sqrt(before)
    attacker = total / (n + 1) / math.sqrt(square)
    return Values(attacker, (1 - attacker) / n)


def _terms(n: int, rho: float, gamma: float) -> tuple[float, float, float]:
    """<u_h, u_N>, <u_f, u_N> and |u_N|^2 of unit vectors, h honest, f the attacker."""
    both, own = 1 + (n - 1) * rho + gamma, 1 + n * gamma
    return both, own, own + n * both


def copies_psi(k: int, n: int, rho: float) -> Values:
    """psi of each of k equal updates and of each of n others."""
    copy = k + n * rho
    other = 1 + (n - 1) * rho + k * rho
    length = math.sqrt(k * copy + n * other)
    return Values(copy / length, other / length)


def copies_limit(k: int, n: int, rho: float) -> Values:
    """Where r goes if these updates come in every round: an eigenvector, sum 1.

    Without the floor. At rho = 0 the copies take everything, if k > 1.
    """
    if k == 1:
        return Values(1 / (n + 1), 1 / (n + 1))
    small = torch.tensor(
        [[k, n * rho], [k * rho, 1 + (n - 1) * rho]], dtype=torch.float64)
    values, vectors = torch.linalg.eig(small)
    copy, other = vectors[:, values.real.argmax()].real.abs().tolist()
    total = k * copy + n * other
    return Values(copy / total, other / total)


def expulsion(n: int, rho: float, alpha: float) -> float:
    """theta: the factor a round by which r of a noise maker falls, once it is small.

    Against an honest agent's; kappa = (1 - alpha) / sqrt(r' M r), r = 1 / n for those.
    """
    top = 1 + (n - 1) * rho
    kappa = (1 - alpha) * math.sqrt(n / top)
    return (alpha + kappa) / (alpha + kappa * top)
