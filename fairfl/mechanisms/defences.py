"""Corrections of the cosine value and of the sum, each against one way to cheat.

They need the cosines between the updates, and between updates and last downloads,
nothing else. `mechanisms.guarded` puts them into the mechanism. None is from the paper,
which leaves adversaries to future work. Chapter "When agents cheat".
"""

import torch
from torch import Tensor

from fairfl import _checks
from fairfl._arrays import CANCELLED


def likeness(cosines: Tensor, power: float | None) -> Tensor:
    """How much two updates count as one: s_ij = max(0, cos(u_i, u_j))^power, s_ii = 1.

    (N, N) -> (N, N) float64. At power 8 a cosine of .5 gives .004, one of .9 gives .43;
    None: nobody is like another.
    """
    if power is None:
        return torch.eye(len(cosines), dtype=torch.float64)
    _checks.positive(crowding=power)
    return cosines.double().clamp(0, 1).pow(power).fill_diagonal_(1)


def shared(r: Tensor, alike: Tensor) -> Tensor:
    """Weights of the sum in which a crowd counts once, (N,): r_i / m_i, sum 1.

    m_i = sum_j s_ij is 1 for an update that nobody shares, k for one of k equal ones.
    """
    weights = r / alike.sum(1)
    return weights / weights.sum()


def judges(weights: Tensor, alike: Tensor) -> Tensor:
    """Row i: the weights of the sum that values agent i, (N,), (N, N) -> (N, N).

    Updates are left out as far as they are like i's: (1 - s_ij) times j's weight.
    """
    return (1 - alike) * weights


def values(cosines: Tensor, weights: Tensor, with_downloads: Tensor | None = None
          ) -> Tensor:
    """cos(u_i, o_i), o_i = sum_j weights_ij u_j / |u_j|, (N,), 0 where o_i cancels.

    Eq. (3) with a sum o_i for each agent, in cosines instead of vectors; where all o_i
    are u_N it gives what `cgsv.cosine`, the body of eq. (3), gives. With downloads:
    only for what is new, cos(u_i, o_i) - cos(u_i, v_i) cos(v_i, o_i), v_i the agent's
    last download: what the part of u_i at right angles to v_i adds to the cosine.

    Args:
        cosines: (N, N) of the updates with each other.
        weights: (N, N); all rows r: psi. `judges`: without the agent itself.
        with_downloads: (N, N), cos(v_i, u_j); zeros where there was no download.
    """
    squares = ((weights @ cosines) * weights).sum(1)
    there = squares > CANCELLED * weights.abs().sum(1) ** 2
    inner = (weights * cosines).sum(1)
    if with_downloads is not None:
        along = (weights * with_downloads).sum(1)
        inner = inner - with_downloads.diagonal() * along
    return (inner / squares.where(there, 1.0).sqrt()).clamp(-1, 1).where(there, 0.0)
