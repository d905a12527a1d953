"""What a network may offer beside its forward pass. None of it is needed."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn


@runtime_checkable
class Noisy(Protocol):
    """Takes a step's random numbers (dropout masks) as second argument of forward."""

    def noise(self, samples: int, generator: torch.Generator) -> Tensor:
        """(samples, ...), on the CPU."""


@runtime_checkable
class Restricting(Protocol):
    """Has a smaller form for given sentences, faster on a CPU; see `models.TextCNN`."""

    def restrict(self, x: Tensor) -> tuple[nn.Module, Tensor, Tensor]:
        """A network for x, x as it takes it, and its entries of the flat vector."""


@runtime_checkable
class Stacked(Protocol):
    """Computes what N networks answer at once, faster than `torch.func.vmap`."""

    def stacked(self, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """(N, n, classes) for x (N, n, ...) and all parameters by name, (N, ...)."""
