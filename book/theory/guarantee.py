"""The fairness guarantee: premise and conclusion of Theorem 2 of Xu et al. (2021), and
conditions that can be proved. Chapter "Is it fair?".

All functions look at one round t of N agents, or at many: leading dimensions are kept.
They answer for all ordered pairs, (..., N) -> (..., N, N): entry (i, j) asks whether
agent i is at least as well off as agent j. delta_{i,t} = |w_t - w_{i,t}| is called
`before` where it is that of round t-1.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from fairfl.history import History


def ordered(r: Tensor) -> Tensor:
    """The pairs of the theorem: r_i >= r_j, i != j, (..., N) -> (..., N, N) bool."""
    _check(r=r)
    own = torch.eye(r.shape[-1], dtype=torch.bool, device=r.device)
    return (r[..., :, None] >= r[..., None, :]) & ~own


def premise(r: Tensor, before: Tensor, lengths: Tensor) -> Tensor:
    """Theorem 2: r_{i,t} >= r_{j,t} and delta_{j,t-1} - delta_{i,t-1} >= 2 |v_{i,t}|.

    Args:
        r: importance coefficients of round t, (..., N).
        before: delta_{i,t-1} >= 0, (..., N).
        lengths: |v_{i,t}| >= 0, what each agent downloads in round t, (..., N).

    Raises:
        ValueError: shapes differ, or a number is NaN, or negative where it is a length;
            the message names agent and argument.
    """
    _check(r=r, before=before, lengths=lengths)
    gap = before[..., None, :] - before[..., :, None]
    return ordered(r) & (gap >= 2 * lengths[..., :, None])


def conclusion(losses: Tensor) -> Tensor:
    """Theorem 2: F(w_{i,t}) <= F(w_{j,t}), (..., N) -> (..., N, N)."""
    _check(losses=losses)
    return losses[..., :, None] <= losses[..., None, :]


def nearer(distances: Tensor) -> Tensor:
    """distance_i <= distance_j, e.g. of |w_{t-1} - w_{i,t}|, about which the lemma on
    geometry speaks."""
    _check(distances=distances)
    return distances[..., :, None] <= distances[..., None, :]


def nearer_now(before: Tensor, missing: Tensor) -> Tensor:
    """delta_{j,t-1} - delta_{i,t-1} >= |u - v_i| + |u - v_j|: enough for delta_{i,t} <=
    delta_{j,t}.

    Args:
        before: delta_{i,t-1}, (..., N).
        missing: |u_N - v_i|, what each agent does not download, (..., N).
    """
    _check(before=before, missing=missing)
    gap = before[..., None, :] - before[..., :, None]
    return gap >= missing[..., :, None] + missing[..., None, :]


def sufficient(
    before: Tensor, lengths: Tensor, error: Tensor, condition: float
) -> Tensor:
    """delta_{j,t-1} - |v_j| - e >= sqrt(kappa) (delta_{i,t-1} + |v_i| + e): enough for
    the conclusion wherever mu/2 |w - w*|^2 <= F(w) - F(w*) <= L/2 |w - w*|^2.

    Args:
        before, lengths: as in `premise`.
        error: e = |w_{t-1} - w*|, one number a round, (...).
        condition: kappa = L / mu >= 1.

    Raises:
        ValueError: as in `premise`; kappa is below 1; not one error a round.
    """
    if not condition >= 1:
        raise ValueError("the condition number kappa must be at least 1, not "
                         f"{condition!r}")
    error = torch.as_tensor(error, dtype=before.dtype, device=before.device)
    if error.shape != before.shape[:-1]:
        raise ValueError(f"error has shape {tuple(error.shape)}; it is one number a "
                         f"round, {tuple(before.shape[:-1])}")
    error = error[..., None].expand_as(before)
    _check(before=before, lengths=lengths, error=error)
    reach = before + lengths + error  # at most this far is w_{i,t} from w*
    least = before - lengths - error  # at least this far is w_{j,t}
    own = torch.eye(before.shape[-1], dtype=torch.bool, device=before.device)
    return (least[..., None, :] >= condition**0.5 * reach[..., :, None]) & ~own


class Shares(NamedTuple):
    """How often premise and conclusion hold among the pairs with r_i >= r_j; nan where
    there is nothing to count."""

    pairs: int
    premise: float  # share of the pairs for which the premise holds
    given: float  # share of those for which the conclusion holds, too
    always: float  # share of all pairs for which the conclusion holds


def shares(pairs: Tensor, premise: Tensor, conclusion: Tensor) -> Shares:
    """Count over all rounds and runs; all arguments (..., N, N) bool."""
    def part(of: Tensor, among: Tensor) -> float:
        return float((of & among).sum() / among.sum()) if among.any() else float("nan")

    return Shares(int(pairs.sum()), part(premise, pairs),
                  part(conclusion, premise & pairs), part(conclusion, pairs))


class Observed(NamedTuple):
    """What Theorem 2 needs of a recorded run, in the rounds with recorded losses;
    delta_{i,0} = 0."""

    t: Tensor  # (K,) int64
    r: Tensor  # (K, N)
    before: Tensor  # (K, N) delta_{i,t-1}
    lengths: Tensor  # (K, N) |v_{i,t}|
    losses: Tensor  # (K, N) F(w_{i,t})


def rounds_of(history: History, wanted: Sequence[int] | None = None) -> Observed:
    """Read a history with the series r, download_cosine, aggregate_norm,
    server_distance and union_loss.

    By the mask lemma |v_i| = cos(v_i, u_N) |u_N|.

    Args:
        wanted: only these rounds of those in which losses were recorded; default: all.

    Raises:
        KeyError: a series is not recorded.
        ValueError: no losses were recorded in the wanted rounds.
    """
    every = history.rounds("union_loss").tolist()
    t = [round for round in every if wanted is None or round in wanted]
    if not t:
        raise ValueError(f"losses were recorded in rounds {every} only")
    after = history["server_distance"]
    before = torch.cat([torch.zeros_like(after[:1]), after])
    at = torch.tensor(t)
    lengths = history["download_cosine"] * history["aggregate_norm"][:, None]
    losses = history["union_loss"][[every.index(round) for round in t]]
    return Observed(at, history["r"][at - 1], before[at - 1], lengths[at - 1], losses)


def _check(**given: Tensor) -> None:
    shape = next(iter(given.values())).shape
    for name, values in given.items():
        if values.ndim == 0 or values.shape != shape:
            raise ValueError(f"{name} has shape {tuple(values.shape)}, expected one "
                             f"number an agent, {tuple(shape)}")
        free = name in ("r", "losses")  # of any sign
        bad = values.isnan() if free else ~(values >= 0)
        if bad.any():
            agents = bad.reshape(-1, shape[-1]).any(0).nonzero().flatten().tolist()
            raise ValueError(f"{name} is {'NaN' if free else 'negative or NaN'} for "
                             f"agents {agents} (counted from 0)")
