"""What one round's values say of an attacker, in formulas. Chapter "When agents cheat".

n honest agents have updates of one length and pairwise cosine rho; all weights are equal. An attacker, or k copies of
one agent, stand beside them. The Gram matrices here are for checks: `cgsv.psi` and `cgsv.exact` of them give the same.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from fairfl.theory.memory import equal_cosines


class Values(NamedTuple):
    """Of the attacker (each of its names) and of each honest agent."""

    attacker: float
    honest: float

    def share(self, names: int, honest: int) -> float:
        """The attackers' part of the sum of all values, for so many names and honest agents."""
        return names * self.attacker / (names * self.attacker + honest * self.honest)


def one_gram(n: int, rho: float, gamma: float) -> Tensor:
    """Gram matrix of an attacker, first, with cosine gamma to each of n honest agents, (n + 1, n + 1) float64.

    Raises:
        ValueError: no vectors have these cosines, or n < 1.
    """
    gram = copies_gram(1, n, rho)
    gram[0, 1:] = gram[1:, 0] = gamma
    if torch.linalg.eigvalsh(gram)[0] < -1e-9:
        raise ValueError(f"no {n} + 1 vectors have the cosines rho={rho} and gamma={gamma}")
    return gram


def copies_gram(k: int, n: int, rho: float) -> Tensor:
    """Gram matrix of k equal updates, first, and n others; all cosines between different agents are rho.

    Raises:
        ValueError: k or n is below 1, or rho is outside [-1 / n, 1].
    """
    if k < 1 or n < 1 or not -1 / n <= rho <= 1:
        raise ValueError(f"there are no {k} copies and {n} others with cosine rho={rho}")
    gram = equal_cosines(k + n, rho)
    gram[:k, :k] = 1
    return gram


def noise() -> float:
    """gamma of an attacker whose upload is orthogonal to all others."""
    return 0.0


def flip(rho: float) -> float:
    """gamma of one that uploads the negative of an honest update."""
    return -rho


def sum_of_honest(n: int, rho: float) -> float:
    """gamma of one that uploads the sum of the honest updates: sqrt((1 + (n - 1) rho) / n)."""
    return math.sqrt((1 + (n - 1) * rho) / n)


def psi(n: int, rho: float, gamma: float) -> Values:
    """psi of an attacker with cosine gamma to each of n honest agents, and of those."""
    both, own, square = _terms(n, rho, gamma)
    return Values(own / math.sqrt(square), both / math.sqrt(square))


def phi(n: int, rho: float, gamma: float) -> Values:
    """phi, eq. (2), of the same: the mean over the number s of honest agents that come before the attacker."""
    both, own, square = _terms(n, rho, gamma)
    total = own  # s = 0
    for s in range(1, n + 1):
        before = s * (1 + (s - 1) * rho)
        total += (s * both + own) / math.sqrt(before + 1 + 2 * s * gamma) - s * both / math.sqrt(before)
    attacker = total / (n + 1) / math.sqrt(square)
    return Values(attacker, (1 - attacker) / n)


def _terms(n: int, rho: float, gamma: float) -> tuple[float, float, float]:
    """<u_h, u_N>, <u_f, u_N> and |u_N|^2 of unit vectors."""
    return 1 + (n - 1) * rho + gamma, 1 + n * gamma, 1 + 2 * n * gamma + n * (1 + (n - 1) * rho)


def copies_psi(k: int, n: int, rho: float) -> Values:
    """psi of each of k equal updates and of each of n others."""
    copy, other = k + n * rho, 1 + (n - 1) * rho + k * rho
    length = math.sqrt(k * copy + n * other)
    return Values(copy / length, other / length)


def copies_limit(k: int, n: int, rho: float) -> Values:
    """Where r goes if these updates come in every round: the eigenvector of the matrix of cosines, sum 1.

    Without the floor under r. At rho = 0 the copies take everything, if k > 1; one agent among orthogonal ones stays
    where it started, at 1 / (n + 1).
    """
    if k == 1:
        return Values(1 / (n + 1), 1 / (n + 1))
    small = torch.tensor([[k, n * rho], [k * rho, 1 + (n - 1) * rho]], dtype=torch.float64)
    values, vectors = torch.linalg.eig(small)
    copy, other = vectors[:, values.real.argmax()].real.abs().tolist()
    return Values(copy / (k * copy + n * other), other / (k * copy + n * other))


def expulsion(n: int, rho: float, alpha: float) -> float:
    """theta: the factor a round by which r of a noise maker falls against that of an honest agent, once it is small.

    (alpha + kappa) / (alpha + kappa (1 + (n - 1) rho)), kappa = (1 - alpha) / sqrt(r' M r), r = 1 / n for the honest.
    """
    top = 1 + (n - 1) * rho
    kappa = (1 - alpha) * math.sqrt(n / top)
    return (alpha + kappa) / (alpha + kappa * top)
