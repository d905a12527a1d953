"""No collaboration, Xu et al. (2021), Sec. 4.1. Chapter "Learning together"."""

from dataclasses import dataclass

from fairfl.downloads import OwnUpdates
from fairfl.mechanisms.base import Mechanism, Round, Setting, State, Step


@dataclass(frozen=True)
class Standalone(Mechanism):
    """Each agent keeps its own update: the yardstick of the paper's fairness."""

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        still = round.updates.new_zeros(setting.dimension)  # the server stays at w_0
        return state, Step(still, OwnUpdates(round.updates), {})
