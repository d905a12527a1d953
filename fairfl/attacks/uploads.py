"""Attackers who upload something else than what they trained.

Chapter "When agents cheat".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fairfl import _checks
from fairfl.attacks.base import Attack, Sight


@dataclass(frozen=True, kw_only=True)
class Zero(Attack):
    """Uploads nothing: a zero vector."""

    def upload(self, sight: Sight) -> Tensor:
        return torch.zeros_like(sight.update)


@dataclass(frozen=True, kw_only=True)
class Noise(Attack):
    """Uploads Gaussian noise, new in each round, as long as its own update would be."""

    def upload(self, sight: Sight) -> Tensor:
        size, draws = sight.update.shape, sight.draws()
        noise = torch.randn(size, generator=draws, dtype=torch.float64)
        length = sight.update.double().norm().cpu()
        return (noise * (length / noise.norm())).to(sight.update)


@dataclass(frozen=True, kw_only=True)
class Scaled(Attack):
    """Uploads a multiple of its update.

    A mechanism that normalises, eq. (1), does not see a positive factor.

    Args:
        factor: any finite number; -1 turns the update round (`Flip`).
    """

    factor: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _checks.within(-math.inf, math.inf, factor=self.factor)

    def upload(self, sight: Sight) -> Tensor:
        return self.factor * sight.update


@dataclass(frozen=True, kw_only=True)
class Flip(Scaled):
    """Uploads its update with all signs turned round."""

    factor: float = -1.0


@dataclass(frozen=True, kw_only=True)
class Download(Attack):
    """Uploads again what it downloaded in the round before, v_{i,t-1}.

    A guess of where the others are going. Before its first download it uploads nothing.
    A download of zeros (a quota of 0) is re-uploaded as it is.
    """

    def upload(self, sight: Sight) -> Tensor:
        if sight.download is None:
            return torch.zeros_like(sight.update)
        return sight.download.clone()
