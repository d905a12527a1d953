"""The memory of eq. (4): what r_t holds of the past, and where it goes; chapter "A
memory of contributions".

Two views. As an average: r_t is a weighted mean of the shares psi / sum psi of all
rounds (`attention`, `past`). As an iteration: eqs. (3) and (4) together multiply r by a
matrix made of the cosines M_ij = cos(u_i, u_j) (`values`, `frozen`), so with unchanged
cosines r turns to the top eigenvector (`perron`, `contraction`), or climbs the nearest
hill of `agreement`.

Closed forms, tested against the library's eqs. (3) and (4), `cgsv.cosine` and
`rewards.importance`. They need the cosines only: all updates are summed with one length
Gamma. float64 throughout.
"""

import torch
from torch import Tensor

from fairfl import cgsv, rewards
from fairfl._arrays import CANCELLED


def attention(psi: Tensor, alpha: float = 0.95) -> Tensor:
    """e_t, the weight of round t's values in r_t: (T, N) -> (T,), prop-past-rounds.

    e_t = (1 - alpha) Psi_t / (alpha + (1 - alpha) Psi_t), Psi_t = sum_i psi_{i,t};
    e_1 = 1, because the average starts at 0. Below 0 where Psi_t is.

    Args:
        psi: the values of rounds 1..T, `lifted` where the floor acted.
        alpha: weight of the past, in [0, 1).

    Raises:
        ValueError: alpha is outside [0, 1), psi is not a finite (T, N) matrix, or the
            averages of a round, which is named, sum to 0 or less.
    """
    _check_alpha(alpha)
    if psi.ndim != 2 or 0 in psi.shape or not psi.isfinite().all():
        raise ValueError("psi must be a finite (rounds, agents) matrix, not of shape "
                         f"{tuple(psi.shape)}")
    new = (1 - alpha) * psi.double().sum(1)
    old = torch.full_like(new, alpha)
    old[0] = 0.0
    for t, total in enumerate((new + old).tolist(), start=1):
        if not total > 0:
            raise ValueError(f"in round {t} the averages sum to {total:.3g}; only a "
                             "positive sum can be normalised")
    return new / (new + old)


def past(e: Tensor) -> Tensor:
    """omega_{t,tau}, the weight of round tau's shares in r_t: (T,) -> (T, T), rows t.

    omega_{t,tau} = e_tau (1 - e_{tau+1}) ... (1 - e_t), 0 for tau > t; rows sum to 1,
    and r_t = sum_tau omega_{t,tau} psi_tau / Psi_tau.

    Args:
        e: see `attention`; e[0] must be 1.
    """
    if e.ndim != 1 or not len(e) or e[0] != 1:
        raise ValueError("e must be a vector that starts with 1: round 1 has no past")
    omega = torch.zeros(len(e), len(e), dtype=torch.float64)
    for t, new in enumerate(e.tolist()):
        if t:
            omega[t] = (1 - new) * omega[t - 1]
        omega[t, t] = new
    return omega


def lifted(psi: Tensor, r: Tensor, alpha: float = 0.95, floor: float = 1e-3) -> Tensor:
    """The values that give without a floor what psi gives with it:
    max(psi, (floor - alpha r) / (1 - alpha)).

    Args:
        psi: (N,), or (T, N) for many rounds.
        r: of the same shape, the averages *before* these values were taken in: r_{t-1},
            zeros in round 1.
    """
    _check_alpha(alpha)
    if psi.shape != r.shape:
        raise ValueError(f"psi has the shape {tuple(psi.shape)}, r {tuple(r.shape)}")
    return torch.maximum(psi.double(), (floor - alpha * r.double()) / (1 - alpha))


def values(cosines: Tensor, r: Tensor) -> Tensor:
    """Eq. (3) from the cosines: psi = M r / sqrt(r' M r), (N, N) and (N,) -> (N,); 0
    where the sum cancels. The cosines are taken as they are, see `checked`.
    """
    _check_fit(cosines, r)
    r = r.double()
    along = cosines.double() @ r
    square = r @ along
    if square <= CANCELLED * r.abs().sum() ** 2:
        return torch.zeros_like(r)
    return along / square.sqrt()


def frozen(cosines: Tensor, r: Tensor, rounds: int, alpha: float = 0.95,
           floor: float | None = 1e-3) -> Tensor:
    """Eqs. (3) and (4) round after round with cosines that do not change: (N, N) and
    (N,) -> (rounds + 1, N).

    Row 0 is `r`, divided by its sum. Where the sum cancels r stays.

    Raises:
        ValueError: cosines that no vectors have, weights that do not fit or do not have
            a positive sum, or, without a floor, averages whose sum is not positive.
    """
    matrix = checked(cosines)
    _check_fit(matrix, r)
    if not r.sum() > 0:
        raise ValueError(f"the weights must have a positive sum, not {r.sum():.3g}")
    trace = [r.double() / r.double().sum()]
    for _ in range(rounds):
        psi = values(matrix, trace[-1])
        r = rewards.importance(trace[-1], psi, alpha, floor) if psi.any() else trace[-1]
        trace.append(r)
    return torch.stack(trace)


def agreement(cosines: Tensor, r: Tensor) -> Tensor:
    """A(r) = r' M r / r' r, () float64, in [0, N]: |u_N|^2 over what it would be if the
    updates were orthogonal. With unchanged cosines and the averages cut off at 0 it
    never falls (prf:ref thm-climb)."""
    _check_fit(cosines, r)
    if not r.any():
        raise ValueError("all weights are zero")
    r = r.double()
    return r @ cosines.double() @ r / (r @ r)


def top_eigenvector(cosines: Tensor) -> Tensor:
    """The eigenvector of M with the largest eigenvalue, (N, N) -> (N,), of length 1;
    its sign, which is free, makes the entry largest in magnitude positive."""
    vector = torch.linalg.eigh(checked(cosines)).eigenvectors[:, -1]
    return vector * torch.sign(vector[vector.abs().argmax()])


def perron(cosines: Tensor) -> Tensor:
    """Where r goes if no cosine is negative: the top eigenvector with sum 1, (N, N) ->
    (N,), all entries positive.

    Raises:
        ValueError: a cosine is negative, or the agents fall apart into groups that have
            no cosine between them, so that there is no such vector, or more than one.
    """
    matrix = _one_group(cosines)
    vector = top_eigenvector(matrix)
    return vector / vector.sum()


def contraction(cosines: Tensor, alpha: float = 0.95) -> float:
    """theta of prf:ref thm-perron: by this, at least, the tangent of the angle between
    r and `perron` shrinks in a round.

    theta = (alpha + (1 - alpha) lambda_2) / (alpha + (1 - alpha) lambda_1), from the
    two largest eigenvalues of M.

    Raises:
        ValueError: as `perron`; alpha is outside [0, 1).
    """
    _check_alpha(alpha)
    matrix = _one_group(cosines)
    largest = torch.linalg.eigvalsh(matrix).flip(0).clamp(min=0).tolist()
    second = largest[1] if len(largest) > 1 else 0.0
    return (alpha + (1 - alpha) * second) / (alpha + (1 - alpha) * largest[0])


def growth(r: Tensor, rho: float, alpha: float = 0.95) -> float:
    """By what the differences r_i - r_j are multiplied in a round if any two updates
    have the cosine rho.

    (alpha + k (1 - rho)) / (alpha + k (1 + (N - 1) rho)), where
    k = (1 - alpha) / sqrt((1 - rho) sum r^2 + rho): below 1 if rho > 0, 1 if rho = 0,
    above 1 if rho < 0 (prf:ref prop-equal-cosines).

    Args:
        r: (N,) the weights, none at the floor; taken with sum 1.
        rho: in (-1 / (N - 1), 1].
    """
    _check_alpha(alpha)
    rewards.check_agents("r", r)
    agents = len(r)
    if agents < 2 or not -1 / (agents - 1) < rho <= 1:
        raise ValueError("need at least 2 agents and rho in (-1/(N-1), 1], not "
                         f"{agents} and {rho!r}")
    r = r.double() / r.double().sum()
    k = (1 - alpha) / float((1 - rho) * r.square().sum() + rho) ** 0.5
    return (alpha + k * (1 - rho)) / (alpha + k * (1 + (agents - 1) * rho))


def equal_cosines(agents: int, rho: float) -> Tensor:
    """M with 1 on the diagonal and rho elsewhere, (N, N) float64."""
    matrix = torch.full((agents, agents), float(rho), dtype=torch.float64)
    return matrix.fill_diagonal_(1.0)


def checked(cosines: Tensor) -> Tensor:
    """The matrix of the cosines, float64, symmetric to the last digit.

    Raises:
        ValueError: as in `cgsv.checked`; its diagonal is not 1 (or 0, for an update of
            zero), or no vectors have these cosines: an eigenvalue is negative.
    """
    cgsv.checked(cosines)
    matrix = torch.as_tensor(cosines).detach().to("cpu", torch.float64)
    squares = matrix.diagonal()
    if (torch.minimum(squares.abs(), (squares - 1).abs()) > 1e-6).any():
        raise ValueError("a matrix of cosines has 1 on its diagonal, or 0 for an "
                         "update of zero")
    matrix = (matrix + matrix.T) / 2
    least = float(torch.linalg.eigvalsh(matrix)[0])
    if least < -1e-6:
        raise ValueError("no vectors have these cosines: the matrix has the negative "
                         f"eigenvalue {least:.3g}")
    return matrix


def _one_group(cosines: Tensor) -> Tensor:
    """The checked matrix, if no cosine is negative and all agents hang together."""
    matrix = checked(cosines)
    negative = (matrix < 0).nonzero()
    if len(negative):
        i, j = negative[0].tolist()
        raise ValueError(f"agents {i} and {j} (counted from 0) have the negative "
                         f"cosine {matrix[i, j]:.3g}; only without negative ones there "
                         "is a positive top eigenvector")
    reached = torch.arange(len(matrix)) == 0
    for _ in range(len(matrix)):
        reached = reached | (matrix[reached] > 0).any(0)
    if not reached.all() or not (matrix.diagonal() > 0).all():
        missing = (~reached).nonzero().flatten().tolist()
        raise ValueError("the agents fall apart into groups: no chain of positive "
                         f"cosines leads from agent 0 to agents {missing}, or an "
                         "update is zero")
    return matrix


def _check_fit(cosines: Tensor, r: Tensor) -> None:
    rewards.check_agents("r", r)
    if cosines.shape != (len(r), len(r)):
        raise ValueError(f"r has {len(r)} agents, the matrix of cosines the shape "
                         f"{tuple(cosines.shape)}")


def _check_alpha(alpha: float) -> None:
    if not 0 <= alpha < 1:
        raise ValueError(f"alpha must lie in [0, 1), not {alpha!r}")
