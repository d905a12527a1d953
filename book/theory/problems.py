"""Losses whose minimum is known: quadratics and logistic regression. Chapter "Is it
fair?"."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from fairfl import _checks
from fairfl.randomness import generator


class Problem(Protocol):
    """N local losses F_i whose mean is F, with mu/2 |w - w*|^2 <= F(w) - F(w*) <=
    L/2 |w - w*|^2 for all w."""

    @property
    def optimum(self) -> Tensor:
        """w*, (D,)."""

    @property
    def agents(self) -> int:
        """N."""

    def loss(self, w: Tensor) -> Tensor:
        """F(w), (..., D) -> (...)."""

    def gradients(self, models: Tensor, draws: torch.Generator) -> Tensor:
        """Noisy gradients of F_i at w_i, (S, N, D) -> (S, N, D)."""


@dataclass(frozen=True)
class Quadratic:
    """F_i(w) = (w - c_i)^T A (w - c_i) / 2, and gradients with Gaussian noise of the
    agent's own size. F is the same with the mean of the c_i, but for a constant, which
    `loss` leaves out.

    Args:
        hessian: A, (D, D), symmetric and positive definite.
        optima: c_i, (N, D).
        noise: standard deviation of each entry of the gradient noise, (N,).
    """

    hessian: Tensor
    optima: Tensor
    noise: Tensor

    def __post_init__(self) -> None:
        shape, d = self.optima.shape, self.hessian.shape[-1]
        if self.hessian.shape != (d, d) or len(shape) != 2 or shape[1] != d:
            raise ValueError(f"a Hessian of shape {tuple(self.hessian.shape)} does not "
                             f"fit optima of shape {tuple(shape)}")
        if self.noise.shape != shape[:1] or not (self.noise >= 0).all():
            raise ValueError(f"noise must be one number >= 0 for each of {shape[0]} "
                             f"agents, not {self.noise.tolist()}")
        symmetric = torch.allclose(self.hessian, self.hessian.T)
        if not symmetric or not self.convexity > 0:
            raise ValueError("the Hessian must be symmetric and positive definite")

    @property
    def agents(self) -> int:
        return len(self.optima)

    @property
    def optimum(self) -> Tensor:
        return self.optima.mean(0)

    @property
    def convexity(self) -> float:
        """mu."""
        return float(torch.linalg.eigvalsh(self.hessian)[0])

    @property
    def smoothness(self) -> float:
        """L."""
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
        raise ValueError(f"the condition number kappa must be at least 1, not "
                         f"{condition}")
    gauss = torch.randn(dimension, dimension, generator=generator(seed, "rotation"),
                        dtype=torch.float64)
    rotation, triangle = torch.linalg.qr(gauss)
    # the one with a positive diagonal, whoever computes it
    rotation = rotation * triangle.diagonal().sign()
    values = condition ** torch.linspace(0, 1, dimension, dtype=torch.float64)
    found = rotation @ torch.diag(values) @ rotation.T
    return (found + found.T) / 2


@dataclass(frozen=True)
class Logistic:
    """Logistic regression with a ridge: agent i draws a batch from common samples, with
    labels of its own.

    Args:
        x: samples, (n, D).
        labels: what each agent believes of them, 0 or 1, (N, n) float64.
        batch: how many samples each agent draws in a round, (N,).
        ridge: weight of |w|^2 / 2, > 0; it is mu, and L = mu + the largest eigenvalue
            of x^T x / (4n).
    """

    x: Tensor
    labels: Tensor
    batch: Tensor
    ridge: float

    def __post_init__(self) -> None:
        if self.labels.shape != (len(self.batch), len(self.x)):
            raise ValueError(f"labels of shape {tuple(self.labels.shape)} do not fit "
                             f"{len(self.x)} samples and {len(self.batch)} batches")
        _checks.positive(ridge=self.ridge)
        if not (self.batch >= 1).all():
            raise ValueError(f"batches of {self.batch.tolist()} samples: at least 1")

    @property
    def agents(self) -> int:
        return len(self.labels)

    @property
    def convexity(self) -> float:
        """mu."""
        return self.ridge

    @property
    def smoothness(self) -> float:
        """L."""
        largest = torch.linalg.eigvalsh(self.x.T @ self.x)[-1]
        return self.ridge + float(largest) / (4 * len(self.x))

    @property
    def optimum(self) -> Tensor:
        """By Newton's method, to rounding."""
        w = torch.zeros(self.x.shape[1], dtype=self.x.dtype)
        ridge = self.ridge * torch.eye(len(w), dtype=w.dtype)
        for _ in range(30):
            p = torch.sigmoid(self.x @ w)
            slope = self.x.T @ (p - self.labels.mean(0)) / len(self.x) + ridge @ w
            curvature = self.x.T @ ((p * (1 - p))[:, None] * self.x) / len(self.x)
            w = w - torch.linalg.solve(curvature + ridge, slope)
        return w

    def loss(self, w: Tensor) -> Tensor:
        logits = w @ self.x.T
        entropy = torch.nn.functional.softplus(logits) - self.labels.mean(0) * logits
        return entropy.mean(-1) + self.ridge / 2 * (w * w).sum(-1)

    def gradients(self, models: Tensor, draws: torch.Generator) -> Tensor:
        largest, batch = int(self.batch.max()), self.batch[:, None]
        size = *models.shape[:2], largest
        drawn = torch.randint(len(self.x), size, generator=draws)
        weight = (torch.arange(largest) < batch) / batch.to(models)
        x = self.x[drawn]  # (S, N, batch, D)
        y = self.labels.expand(len(models), -1, -1).gather(2, drawn)
        slope = (torch.sigmoid((x @ models[..., None])[..., 0]) - y) * weight
        return (slope[..., None, :] @ x)[..., 0, :] + self.ridge * models
