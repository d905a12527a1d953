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


@dataclass(frozen=True, kw_only=True)
class Guess(Attack):
    """Uploads a guess of where the others are going, as long as its own update.

    Cosines rate it high, and the common model is hardly harmed. In the spirit of ACE
    (Xu et al., 2024), whose code is not public. Before the first download (of "line",
    the second) it uploads its own update, and so where the guess is a zero vector.

    Args:
        at: "download", the last one, v_{i,t-1}; "both", the sum of its direction and
            that of w_{i,t-1} - w_0; "line", 2 v_{i,t-1} - v_{i,t-2}.
    """

    at: str = "both"

    def __post_init__(self) -> None:
        super().__post_init__()
        _checks.known("guess", self.at, ("download", "both", "line"))

    def upload(self, sight: Sight) -> Tensor:
        guess = self._guess(sight)
        if guess is None or not guess.any():
            return sight.update
        own = sight.update.double()
        return (guess * (own.norm() / guess.norm())).to(sight.update)

    def _guess(self, sight: Sight) -> Tensor | None:
        if sight.download is None:
            return None
        last = sight.download.double()
        if self.at == "both":
            so_far = sight.model.double() - sight.initial.double()
            return _direction(last) + _direction(so_far)
        if self.at == "line":
            return None if sight.earlier is None else 2 * last - sight.earlier.double()
        return last


def _direction(vector: Tensor) -> Tensor:
    return vector / vector.norm() if vector.any() else vector
