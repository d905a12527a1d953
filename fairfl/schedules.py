"""Quantities that change from round to round: the learning rate eta_t and the normalisation coefficient Gamma_t."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """A positive number in round 1 and the factor by which it changes each round: ``first * decay ** (t - 1)``.

    The paper keeps Gamma constant (``decay=1``). Then every round moves the server by about Gamma, however near to
    an optimum it is, and training does not settle; a geometric decay cures that.

    Raises:
        ValueError: `first` or `decay` is not a positive finite number.
    """

    first: float
    decay: float = 1.0

    def __post_init__(self) -> None:
        for name in ("first", "decay"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"a schedule's {name} must be a positive finite number, not {value!r}")

    def __call__(self, t: int) -> float:
        """The value in round t = 1, 2, ..."""
        return self.first * self.decay ** (t - 1)
