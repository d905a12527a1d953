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

from fairfl import _checks
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


WEIGHTINGS = ("sizes", "r", "true labels")


class Losses(NamedTuple):
    """What one reading of the training loss gives."""

    t: Tensor  # (K,) the rounds in which it was recorded
    agents: Tensor  # (K, N) F(w_{i,t})
    server: Tensor  # (K,) F(w_t)


def losses(history: History, weighting: str = "sizes") -> Losses:
    """The training loss under one of the `WEIGHTINGS`.

    "sizes": the mean over all agents' samples with the labels they hold, sum_j p_j
    F_j(w_{i,t}); "r": sum_j r_{j,t} F_j(w_{i,t}), what the authors' main.py writes;
    "true labels": as "sizes", with the labels from before label noise.

    Raises:
        ValueError: another weighting.
        KeyError: the series it needs is not recorded: union_loss or shard_losses;
            shard_losses; true_loss.
    """
    _checks.known("weighting", weighting, WEIGHTINGS)
    name = "true_loss" if weighting == "true labels" else "shard_losses"
    if weighting == "sizes" and "union_loss" in history.names:
        name = "union_loss"
    t, agents, server = history.rounds(name), history[name], history[f"server_{name}"]
    if name == "shard_losses":  # of agent i's model (rows) on agent j's samples
        weights = history["r"][t - 1] if weighting == "r" else history["weights"][:1]
        agents = (agents.double() * weights.double()[:, None, :]).sum(-1)
        server = (server.double() * weights.double()).sum(-1)
    return Losses(t, agents, server)


def rounds_of(history: History, wanted: Sequence[int] | None = None,
              weighting: str = "sizes") -> Observed:
    """Read a history with the series r, download_cosine, aggregate_norm,
    server_distance, and what `losses` needs; the weights of round 1 are the size
    shares.

    By the mask lemma |v_i| = cos(v_i, u_N) |u_N|.

    Args:
        wanted: only these rounds of those in which losses were recorded; default: all.

    Raises:
        KeyError: a series is not recorded.
        ValueError: no losses were recorded in the wanted rounds; another weighting.
    """
    recorded, every, _ = losses(history, weighting)
    kept = [k for k, t in enumerate(recorded.tolist()) if wanted is None or t in wanted]
    if not kept:
        raise ValueError(f"losses were recorded in rounds {recorded.tolist()} only")
    at, after = recorded[kept], history["server_distance"]
    before = torch.cat([torch.zeros_like(after[:1]), after])
    lengths = history["download_cosine"] * history["aggregate_norm"][:, None]
    return Observed(at, history["r"][at - 1], before[at - 1], lengths[at - 1],
                    every[kept])


def second_half(history: History, weighting: str = "sizes") -> Shares:
    """`shares` over the second half of the rounds with recorded losses."""
    every = losses(history, weighting).t.tolist()
    seen = rounds_of(history, [t for t in every if 2 * t > every[-1]], weighting)
    return shares(ordered(seen.r), premise(seen.r, seen.before, seen.lengths),
                  conclusion(seen.losses))


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
