"""Three corrections of the cosine value and of the sum, each against one way to cheat. Chapter "When agents cheat".

All of them are functions of what the server knows; `mechanisms.guarded` puts them into the mechanism. None is from the
paper, which leaves adversaries to future work.
"""

from __future__ import annotations

import torch
from torch import Tensor


def without_own(psi: Tensor, own: Tensor, length: float) -> Tensor:
    """cos(u_i, u_N - r_i u_i): what an agent's update is worth to the sum of the *others*, (N,) -> (N,) float64.

    Args:
        psi: cos(u_i, u_N), (N,).
        own: r_i |u_i|, with how much of its own length an agent is in the sum, (N,).
        length: |u_N|.
    Returns:
        (N,) in [-1, 1]; 0 where the others' sum cancels.
    """
    return toward_others(psi, torch.ones_like(psi), psi, own, length)


def toward_others(with_sum: Tensor, with_own: Tensor, psi: Tensor, own: Tensor, length: float) -> Tensor:
    """cos(x_i, u_N - r_i u_i) of any vectors x_i, from with_sum = cos(x_i, u_N) and with_own = cos(x_i, u_i), (N,) each.

    Other arguments as in `without_own`, which is the case x_i = u_i.
    """
    squares = length**2 - 2 * own * psi * length + own**2
    there = squares > 1e-13 * (length + own) ** 2
    cosine = (with_sum * length - own * with_own) / squares.where(there, 1.0).sqrt()
    return cosine.clamp(-1, 1).where(there, 0.0)


def crowd(cosines: Tensor, power: float) -> Tensor:
    """How many agents say what agent i says: m_i = sum_j max(0, cos(u_i, u_j))^power, (N, N) -> (N,).

    1 for an update that nobody shares, k for one of k equal ones. An agent without an update has 1.

    Args:
        power: how alike two updates must be to count as one, > 0; at 8 a cosine of .5 counts .004, one of .9 counts .43.

    Raises:
        ValueError: power is not positive.
    """
    if not power > 0:
        raise ValueError(f"crowding must be positive, not {power!r}")
    return cosines.double().clamp(0, 1).pow(power).fill_diagonal_(0).sum(1) + 1


def shared_weights(r: Tensor, m: Tensor) -> Tensor:
    """Weights of the sum in which a crowd counts once: (r_i / m_i) / sum_j (r_j / m_j), (N,)."""
    return (r / m) / (r / m).sum()


def news(value: Tensor, with_own: Tensor, with_sum: Tensor) -> Tensor:
    """What of a value is new to the server: psi_i - cos(u_i, v_i) cos(v_i, u_N), (N,), v_i the agent's last download.

    It is the cosine to u_N of the part of u_i that is orthogonal to v_i, times the share of that part in u_i. An update
    that repeats the download has exactly 0.

    Args:
        value: cos(u_i, u_N), or to the sum of the others. with_own: cos(u_i, v_i), 0 without a download. with_sum:
            cos(v_i, u_N), or to the sum of the others.
    """
    return value - with_own * with_sum
