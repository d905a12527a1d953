"""No collaboration: what each agent would reach alone. Xu et al. (2021), Sec. 4.1.

It is the yardstick of the paper's fairness. Chapter "Learning together".
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fairfl.downloads import OwnUpdates
from fairfl.mechanisms.base import Mechanism, Round, Setting, State, Step


@dataclass(frozen=True)
class Standalone(Mechanism):
    """Each agent keeps its own update, nothing is summed, the server stays at w_0."""

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        nothing = torch.zeros_like(round.server)
        return state, Step(nothing, OwnUpdates(round.updates), {})
