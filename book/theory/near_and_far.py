"""Premise and conclusion of Theorem 2 of Xu et al. (2021) where the minimum is known,
with the server near it and far from it. Chapter "Is it fair?"."""

from typing import NamedTuple

import torch
from torch import Tensor

from book.theory import guarantee, quadratics
from book.theory.problems import Logistic, Problem, Quadratic, hessian
from fairfl.randomness import generator
from fairfl.schedules import Schedule

CONDITIONS = {"kappa 1": 1.0, "kappa 3": 3.0, "kappa 10": 10.0, "kappa 100": 100.0}
PROBLEMS = (*CONDITIONS, "logistic")
# how long the steps are, and how far apart the agents' own optima
SITUATIONS = {"near": (Schedule(0.5, 0.96), 0.0), "constant": (Schedule(0.5), 0.0),
              "far": (Schedule(0.5, 0.96), 0.3)}
SIZES = torch.tensor([4, 8, 16, 32, 64, 128])  # batches; noise falls with their root


def optima(agents: int = 6, dimension: int = 20) -> Tensor:
    return torch.randn(agents, dimension, generator=generator(0, "optima"),
                       dtype=torch.float64)


def _logistic(flipped: list[float]) -> Logistic:
    def draws(name: str) -> torch.Generator:
        return generator(0, name)

    x = torch.randn(512, 10, generator=draws("samples"), dtype=torch.float64)
    truth = torch.randn(10, generator=draws("truth"), dtype=torch.float64)
    drawn = torch.rand(7, 512, generator=draws("labels"), dtype=torch.float64)
    y = (drawn[0] < torch.sigmoid(2 * x @ truth)).double()
    wrong = drawn[1:] < torch.tensor(flipped)[:, None]
    return Logistic(x, torch.where(wrong, 1 - y, y), SIZES, ridge=0.1)


def problem(name: str, spread: float) -> Problem:
    """One of `PROBLEMS`; `spread` > 0: each agent has an optimum of its own (in
    logistic regression: up to 40 % of its labels are wrong)."""
    if name == "logistic":
        return _logistic([0.4, 0.3, 0.2, 0.1, 0.0, 0.0] if spread else [0.0] * 6)
    noise = 4 / SIZES.double().sqrt()
    return Quadratic(hessian(20, CONDITIONS[name]), spread * optima(), noise)


class Watched(NamedTuple):
    """The last rounds of some runs."""

    share: guarantee.Shares
    enough: float  # share of the pairs for which `guarantee.sufficient` holds
    error: float  # mean distance of the server from the minimum at the end
    certain: bool  # the conclusion holds wherever `guarantee.sufficient` does
    got: float  # median length of a download, in parts of the sum's
    margin: Tensor  # of the pairs with the premise: gap - 2 |v|, in units of 2 e
    holds: Tensor  # whether the conclusion holds for these


def watch(situation: str, name: str, rounds: int = 150, last: int = 50,
          runs: int = 16) -> Watched:
    """Runs of six agents in one of `SITUATIONS`, on one of `PROBLEMS`."""
    gamma, spread = SITUATIONS[situation]
    task = problem(name, spread)
    h = quadratics.run(task, gamma, rounds, runs=runs, distance=3.0)
    kappa = task.smoothness / task.convexity * (1 + 1e-9)  # type: ignore[attr-defined]
    kept = slice(rounds - last, None)
    pairs, premise, conclusion, enough = (found[kept] for found in (
        guarantee.ordered(h.r), guarantee.premise(h.r, h.before, h.lengths),
        guarantee.conclusion(h.losses),
        guarantee.sufficient(h.before, h.lengths, h.error, kappa)))
    margin = (h.before[:, :, None, :] - h.before[..., None] - 2 * h.lengths[..., None])
    margin = (margin / (2 * h.error[..., None, None]))[kept]
    return Watched(
        guarantee.shares(pairs, premise, conclusion),
        float((enough & pairs).sum() / pairs.sum()), float(h.error[-1].mean()),
        bool(conclusion[enough].all()),
        float((h.lengths / h.total[..., None])[kept].median()),
        margin[premise], conclusion[premise])
