"""Federations on losses whose minimum is known: quadratics and logistic regression. Chapter "Is it fair?".

Nothing is trained here but vectors, so many runs go side by side: S runs of N agents with D parameters are tensors
(S, N, D). `run` is the mechanism of Sec. 3.4 (eqs. (1), (3), (4), (5)), as `mechanisms.CGSV` has it, for a batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from fairfl._arrays import CANCELLED
from fairfl.randomness import generator
from fairfl.schedules import Schedule


class Problem(Protocol):
    """N local losses F_i whose mean is F, with mu/2 |w - w*|^2 <= F(w) - F(w*) <= L/2 |w - w*|^2 for all w."""

    optimum: Tensor  # (D,) w*
    convexity: float  # mu
    smoothness: float  # L
    agents: int

    def loss(self, w: Tensor) -> Tensor:
        """F(w), (..., D) -> (...)."""

    def gradients(self, models: Tensor, draws: torch.Generator) -> Tensor:
        """Noisy gradients of F_i at w_i, (S, N, D) -> (S, N, D)."""


@dataclass(frozen=True)
class Quadratic:
    """F_i(w) = (w - c_i)^T A (w - c_i) / 2, and gradients with Gaussian noise of the agent's own size.

    F is the same with the mean of the c_i, but for a constant, which `loss` leaves out.

    Args:
        hessian: A, (D, D), symmetric and positive definite.
        optima: c_i, (N, D).
        noise: standard deviation of each entry of the noise, (N,), in units of Gaussian entries times A's root.
    """

    hessian: Tensor
    optima: Tensor
    noise: Tensor

    def __post_init__(self) -> None:
        d = self.hessian.shape[-1]
        if self.hessian.shape != (d, d) or self.optima.ndim != 2 or self.optima.shape[1] != d:
            raise ValueError(f"a Hessian of shape {tuple(self.hessian.shape)} does not fit optima of shape "
                             f"{tuple(self.optima.shape)}")
        if self.noise.shape != (len(self.optima),) or not (self.noise >= 0).all():
            raise ValueError(f"noise must be one number >= 0 for each of {len(self.optima)} agents, not "
                             f"{self.noise.tolist()}")
        if not torch.allclose(self.hessian, self.hessian.T) or not self.convexity > 0:
            raise ValueError("the Hessian must be symmetric and positive definite")

    @property
    def agents(self) -> int:
        return len(self.optima)

    @property
    def optimum(self) -> Tensor:
        return self.optima.mean(0)

    @property
    def convexity(self) -> float:
        return float(torch.linalg.eigvalsh(self.hessian)[0])

    @property
    def smoothness(self) -> float:
        return float(torch.linalg.eigvalsh(self.hessian)[-1])

    def loss(self, w: Tensor) -> Tensor:
        gap = w - self.optimum
        return ((gap @ self.hessian) * gap).sum(-1) / 2

    def gradients(self, models: Tensor, draws: torch.Generator) -> Tensor:
        noise = torch.randn(models.shape, generator=draws, dtype=models.dtype)
        return (models - self.optima) @ self.hessian + self.noise[:, None] * noise


def hessian(dimension: int, condition: float, seed: int = 0) -> Tensor:
    """A random rotation of diag(1, ..., kappa), geometrically spaced, (D, D) float64.

    Raises:
        ValueError: kappa is below 1.
    """
    if not condition >= 1:
        raise ValueError(f"the condition number kappa must be at least 1, not {condition!r}")
    gauss = torch.randn(dimension, dimension, generator=generator(seed, "rotation"), dtype=torch.float64)
    rotation, triangle = torch.linalg.qr(gauss)
    rotation = rotation * triangle.diagonal().sign()  # the one with a positive diagonal, whoever computes it
    values = condition ** torch.linspace(0, 1, dimension, dtype=torch.float64)
    found = rotation @ torch.diag(values) @ rotation.T
    return (found + found.T) / 2


@dataclass(frozen=True)
class Logistic:
    """Logistic regression with a ridge: agent i draws a batch from common samples, with labels of its own.

    Args:
        x: samples, (n, D). labels: what each agent believes of them, 0 or 1, (N, n) float64.
        batch: how many samples each agent draws in a round, (N,).
        ridge: weight of |w|^2 / 2, > 0; it is mu, and L = mu + the largest eigenvalue of x^T x / (4n).
    """

    x: Tensor
    labels: Tensor
    batch: Tensor
    ridge: float

    def __post_init__(self) -> None:
        if self.labels.ndim != 2 or self.labels.shape[1] != len(self.x) or len(self.batch) != len(self.labels):
            raise ValueError(f"labels of shape {tuple(self.labels.shape)} do not fit {len(self.x)} samples and "
                             f"{len(self.batch)} batches")
        if not self.ridge > 0 or not (self.batch >= 1).all():
            raise ValueError(f"ridge must be positive and every batch at least 1, not {self.ridge!r} and "
                             f"{self.batch.tolist()}")

    @property
    def agents(self) -> int:
        return len(self.labels)

    @property
    def convexity(self) -> float:
        return self.ridge

    @property
    def smoothness(self) -> float:
        return self.ridge + float(torch.linalg.eigvalsh(self.x.T @ self.x)[-1]) / (4 * len(self.x))

    @property
    def optimum(self) -> Tensor:
        """By Newton's method, to rounding."""
        w = torch.zeros(self.x.shape[1], dtype=self.x.dtype)
        for _ in range(30):
            p = torch.sigmoid(self.x @ w)
            slope = self.x.T @ (p - self.labels.mean(0)) / len(self.x) + self.ridge * w
            curvature = self.x.T @ ((p * (1 - p))[:, None] * self.x) / len(self.x)
            w = w - torch.linalg.solve(curvature + self.ridge * torch.eye(len(w), dtype=w.dtype), slope)
        return w

    def loss(self, w: Tensor) -> Tensor:
        logits = w @ self.x.T
        entropy = torch.nn.functional.softplus(logits) - self.labels.mean(0) * logits
        return entropy.mean(-1) + self.ridge / 2 * (w * w).sum(-1)

    def gradients(self, models: Tensor, draws: torch.Generator) -> Tensor:
        largest = int(self.batch.max())
        drawn = torch.randint(len(self.x), (*models.shape[:2], largest), generator=draws)
        weight = (torch.arange(largest) < self.batch[:, None]) / self.batch[:, None].to(models)
        x = self.x[drawn]  # (S, N, batch, D)
        y = self.labels.expand(len(models), -1, -1).gather(2, drawn)
        slope = (torch.sigmoid((x @ models[..., None])[..., 0]) - y) * weight
        return (slope[..., None, :] @ x)[..., 0, :] + self.ridge * models


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


def run(problem: Problem, gamma: Schedule, rounds: int, runs: int = 4, distance: float = 5.0, seed: int = 0,
        alpha: float = 0.95, beta: float = 1.0, floor: float = 1e-3) -> Trajectory:
    """S runs side by side, from starting points at `distance` from w*.

    Args:
        alpha, beta, floor: as of `mechanisms.CGSV`.

    Raises:
        ValueError: fewer than one run or round.
    """
    if rounds < 1 or runs < 1:
        raise ValueError(f"needs at least one round and one run, not {rounds} and {runs}")
    optimum, n, draws = problem.optimum, problem.agents, generator(seed, "quadratics")
    start = torch.randn(runs, len(optimum), generator=draws, dtype=torch.float64)
    server = optimum + distance * start / start.norm(dim=-1, keepdim=True)
    models = server[:, None].repeat(1, n, 1)
    average, weights = torch.zeros(runs, n).double(), torch.full((runs, n), 1 / n).double()
    seen = []
    for t in range(1, rounds + 1):
        error, before = (server - optimum).norm(dim=-1), (models - server[:, None]).norm(dim=-1)
        total, v, average, weights = step(-problem.gradients(models, draws), average, weights, gamma(t), alpha, beta,
                                          floor)
        server, models = server + total, models + v
        seen.append((weights, before, (models - server[:, None]).norm(dim=-1), v.norm(dim=-1), problem.loss(models),
                     error, total.norm(dim=-1)))
    return Trajectory(*(torch.stack(series) for series in zip(*seen, strict=True)), models, server)


def step(updates: Tensor, average: Tensor, weights: Tensor, gamma: float, alpha: float, beta: float, floor: float
         ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Eqs. (1), (3), (4), (5) for S federations: updates (S, N, D), averages and weights (S, N) -> the sum (S, D), the
    downloads (S, N, D), the new averages and coefficients (S, N)."""
    lengths = updates.norm(dim=-1, keepdim=True)
    u = torch.where(lengths > 0, gamma * updates / lengths, 0.0)
    total = (weights[..., None] * u).sum(-2)
    norm = total.norm(dim=-1)
    gone = norm**2 <= CANCELLED * (weights.sum(-1) * gamma) ** 2  # `rewards.aggregate`
    total = torch.where(gone[:, None], 0.0, total)
    psi = (u @ total[..., None])[..., 0] / (gamma * norm).clamp(min=1e-300)[:, None]
    moved = (alpha * average + (1 - alpha) * psi).clamp(min=floor)
    r = torch.where(gone[:, None], weights, moved / moved.sum(-1, keepdim=True))
    average = torch.where(gone[:, None], average, r)
    quality = torch.tanh(beta * r)
    quotas = (total.shape[-1] * quality / quality.amax(-1, keepdim=True) + 1e-9).floor()
    return total, masks(total, quotas), average, r


def masks(total: Tensor, quotas: Tensor) -> Tensor:
    """`rewards.mask` for a batch: the sums (S, D) and quotas (S, N) -> (S, N, D)."""
    rank = total.abs().argsort(dim=-1, descending=True, stable=True).argsort(dim=-1)
    return torch.where(rank[:, None, :] < quotas[..., None], total[:, None, :], 0.0)


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


def drawn(matrix: Tensor, count: int, error: float = 0.0, worst: bool = False, rigorous: bool = False, seed: int = 0
          ) -> Draws:
    """Single rounds drawn at random in which agent 1 fulfils the premise of Theorem 2 against agent 2, F a quadratic.

    The server stands at distance `error` from w* = 0; delta_1 is uniform on [0, 1], |u_N| on [0, 1/2], q_1 >= q_2
    uniform on 0..D; delta_2 is the least that the premise allows and an exponential slack of mean 1/2.

    Args:
        matrix: the Hessian A, (D, D).
        worst: agent 1 is off along the stiffest axis of A and agent 2 along the softest, and nothing is downloaded;
            else all directions are random.
        rigorous: delta_2 is the least that `guarantee.sufficient` allows, and the slack.
    """
    d, draws = len(matrix), generator(seed, "rounds")
    values, axes = torch.linalg.eigh(matrix)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=draws, dtype=torch.float64)

    def direction(*shape: int) -> Tensor:
        found = torch.randn(*shape, d, generator=draws, dtype=torch.float64)
        return found / found.norm(dim=-1, keepdim=True)

    server, total = error * direction(count), 0.5 * uniform(count, 1) * direction(count)
    quotas = torch.randint(0, d + 1, (count, 2), generator=draws).sort(dim=-1, descending=True).values
    way = torch.stack([axes[:, -1], axes[:, 0]]).expand(count, -1, -1) if worst else direction(count, 2)
    total = 0 * total if worst else total
    v = masks(total, quotas)
    lengths, first = v.norm(dim=-1), uniform(count)
    if rigorous:
        kappa = float(values[-1] / values[0])
        second = lengths[:, 1] + error + kappa**0.5 * (first + lengths[:, 0] + error)
    else:
        second = first + 2 * lengths[:, 0]
    second = second - 0.5 * torch.log(1 - uniform(count))
    before = torch.stack([first, second], dim=-1)
    models = server[:, None] + before[..., None] * way + v
    losses = ((models @ matrix) * models).sum(-1) / 2
    after = (models - (server + total)[:, None]).norm(dim=-1)
    r = torch.tensor([0.6, 0.4], dtype=torch.float64).expand(count, -1)
    return Draws(r, before, after, lengths, losses, torch.full((count,), error, dtype=torch.float64),
                 (models - server[:, None]).norm(dim=-1), (total[:, None] - v).norm(dim=-1))
