"""What mechanisms share that weigh agents by a moving average of their values, eq. (4)
of Xu et al. (2021). Chapter "A memory of contributions"."""

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fairfl.mechanisms.base import Mechanism, Setting, State


@dataclass(frozen=True)
class Importance(Mechanism, ABC):
    """The state holds r as "weights" and as "average". Before the first values they
    differ, and nobody's average has begun; from then on they are the same."""

    shares: ClassVar[tuple[str, ...]] = ("weights", "average")

    def standing(self, state: State, t: int) -> Mapping[str, Tensor]:
        return {"r": state["weights"]}

    def merged(self, state: State, part: State, present: Tensor) -> State:
        new = super().merged(state, part, present)
        # Who was not there when the first values were taken goes on from its r_0
        begun = part["average"].any()
        return new | {"average": new["weights"]} if begun else new

    def moved(self, state: State, old: Setting, new: Setting) -> State:
        begun = state["average"].any()
        return super().moved(state, old, new) if begun else self.init(new)
