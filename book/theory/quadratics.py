"""Federations on losses whose minimum is known (`problems`). Chapter "Is it fair?".

Nothing is trained here but vectors, so many runs go side by side: S runs of N agents
with D parameters are tensors (S, N, D). `run` is the mechanism of Sec. 3.4, from the
library's eqs. (1), (3), (4) and (5).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from book.theory.problems import Logistic, Problem, Quadratic, hessian
from fairfl import _checks, cgsv, rewards
from fairfl.randomness import generator
from fairfl.schedules import Schedule

__all__ = ["Draws", "Logistic", "Problem", "Quadratic", "Trajectory", "drawn",
           "hessian", "run", "step"]


class Trajectory(NamedTuple):
    """S runs of T rounds, in the rounds t = 1..T; (T, S, N) unless said otherwise."""

    r: Tensor
    before: Tensor  # delta_{i,t-1}
    after: Tensor  # delta_{i,t}
    lengths: Tensor  # |v_{i,t}|
    losses: Tensor  # F(w_{i,t})
    error: Tensor  # (T, S) |w_{t-1} - w*|
    total: Tensor  # (T, S) |u_{N,t}|
    models: Tensor  # (S, N, D) after the last round
    server: Tensor  # (S, D) after the last round


def run(problem: Problem, gamma: Schedule, rounds: int, runs: int = 4,
        distance: float = 5.0, seed: int = 0, alpha: float = 0.95, beta: float = 1.0,
        floor: float = 1e-3) -> Trajectory:
    """S runs side by side, from starting points at `distance` from w*.

    Args:
        alpha, beta, floor: as of `mechanisms.CGSV`.

    Raises:
        ValueError: fewer than one run or round.
    """
    _checks.whole(rounds=rounds, runs=runs)
    optimum, n, draws = problem.optimum, problem.agents, generator(seed, "quadratics")
    start = torch.randn(runs, len(optimum), generator=draws, dtype=torch.float64)
    server = optimum + distance * start / start.norm(dim=-1, keepdim=True)
    models = server[:, None].repeat(1, n, 1)
    average = torch.zeros(runs, n).double()
    weights = torch.full((runs, n), 1 / n).double()
    after, seen = torch.zeros(runs, n).double(), []
    for t in range(1, rounds + 1):
        error, before = (server - optimum).norm(dim=-1), after
        updates = -problem.gradients(models, draws)
        total, v, average, weights = step(updates, average, weights, gamma(t), alpha,
                                          beta, floor)
        server, models = server + total, models + v
        after = (models - server[:, None]).norm(dim=-1)
        seen.append((weights, before, after, v.norm(dim=-1), problem.loss(models),
                     error, total.norm(dim=-1)))
    series = [torch.stack(values) for values in zip(*seen, strict=True)]
    return Trajectory._make([*series, models, server])


def step(
    updates: Tensor, average: Tensor, weights: Tensor, gamma: float, alpha: float,
    beta: float, floor: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A round of S federations: updates (S, N, D), averages and weights (S, N) -> the
    sum (S, D), the downloads (S, N, D), the new averages and coefficients (S, N). Where
    the sum cancels, averages and weights stay."""
    u = rewards.normalise(updates, gamma)
    total = rewards.aggregate(u, weights)
    psi = cgsv.cosine(u, total)
    r = rewards.importance(average, psi, alpha, floor)
    alive = total.any(-1, keepdim=True)
    weights, average = torch.where(alive, r, weights), torch.where(alive, r, average)
    quotas = rewards.quotas(weights, beta, total.shape[-1])
    return total, rewards.mask(total[:, None], quotas), average, weights


class Draws(NamedTuple):
    """S rounds of two agents; (S, 2) unless said otherwise."""

    r: Tensor
    before: Tensor  # delta_{i,t-1}
    after: Tensor  # delta_{i,t}
    lengths: Tensor  # |v_{i,t}|
    losses: Tensor  # F(w_{i,t})
    error: Tensor  # (S,) |w_{t-1} - w*|
    reached: Tensor  # |w_{t-1} - w_{i,t}|
    missing: Tensor  # |u_N - v_{i,t}|


def _unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=-1, keepdim=True)


def _off(points: Tensor, models: Tensor) -> Tensor:
    """How far models are from their run's point, (S, D), (S, N, D) -> (S, N)."""
    return (points[:, None] - models).norm(dim=-1)


def drawn(matrix: Tensor, count: int, error: float = 0.0, worst: bool = False,
          rigorous: bool = False, seed: int = 0) -> Draws:
    """Single rounds drawn at random in which agent 1 fulfils the premise of Theorem 2
    against agent 2, F a quadratic.

    The server stands at distance `error` from w* = 0; delta_1 is uniform on [0, 1],
    |u_N| on [0, 1/2], q_1 >= q_2 uniform on 0..D; delta_2 is the least that the premise
    allows and an exponential slack of mean 1/2.

    Args:
        matrix: the Hessian A, (D, D).
        worst: agent 1 is off along the stiffest axis of A and agent 2 along the
            softest, and nothing is downloaded; else all directions are random.
        rigorous: delta_2 is the least that `guarantee.sufficient` allows, and slack.
    """
    d, draws = len(matrix), generator(seed, "rounds")
    values, axes = torch.linalg.eigh(matrix)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=draws, dtype=torch.float64)

    def direction(*shape: int) -> Tensor:
        return _unit(torch.randn(*shape, d, generator=draws, dtype=torch.float64))

    server = error * direction(count)
    total = 0.5 * uniform(count, 1) * direction(count)
    quotas = torch.randint(0, d + 1, (count, 2), generator=draws)
    quotas = quotas.sort(dim=-1, descending=True).values
    if worst:
        total = 0 * total
        way = torch.stack([axes[:, -1], axes[:, 0]]).expand(count, -1, -1)
    else:
        way = direction(count, 2)
    v = rewards.mask(total[:, None], quotas)
    lengths, first = v.norm(dim=-1), uniform(count)
    second = first + 2 * lengths[:, 0]
    if rigorous:
        root = float(values[-1] / values[0]) ** 0.5
        second = lengths[:, 1] + error + root * (first + lengths[:, 0] + error)
    second = second - 0.5 * torch.log(1 - uniform(count))
    before = torch.stack([first, second], dim=-1)
    models = server[:, None] + before[..., None] * way + v

    return Draws(
        torch.tensor([0.6, 0.4], dtype=torch.float64).expand(count, -1), before,
        after=_off(server + total, models), lengths=lengths,
        losses=((models @ matrix) * models).sum(-1) / 2,
        error=torch.full((count,), error, dtype=torch.float64),
        reached=_off(server, models), missing=(total[:, None] - v).norm(dim=-1),
    )
