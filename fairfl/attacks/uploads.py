"""Who uploads something else than what it trained. Chapter "When agents cheat"."""

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
        own = sight.update.double().cpu()
        noise = torch.randn(len(own), generator=sight.draws(), dtype=torch.float64)
        return (noise * (own.norm() / noise.norm())).to(sight.update)


@dataclass(frozen=True, kw_only=True)
class Scaled(Attack):
    """Uploads its update times `factor`, any finite number.

    A mechanism that normalises, eq. (1), does not see a positive factor.
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

    A guess of where the others are going; before its first download, nothing.
    """

    def upload(self, sight: Sight) -> Tensor:
        nothing = torch.zeros_like(sight.update)
        return nothing if sight.download is None else sight.download.clone()
