"""No collaboration, Xu et al. (2021), Sec. 4.1. Chapter "Learning together"."""

from dataclasses import dataclass

import torch

from fairfl.downloads import OwnUpdates
from fairfl.mechanisms.base import Mechanism, Round, Setting, State, Step


@dataclass(frozen=True)
class Standalone(Mechanism):
    """Each agent keeps its own update: the yardstick of the paper's fairness."""

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        still = torch.zeros_like(round.server)  # the server stays at w_0
        return state, Step(still, OwnUpdates(round.updates), {})
