"""No collaboration: what each agent would reach alone, the yardstick of the paper's fairness measure (Sec. 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from fairfl.downloads import OwnUpdates
from fairfl.mechanisms.base import Round, Setting, State, Step


@dataclass(frozen=True)
class Standalone:
    """Each agent keeps its own update, nothing is aggregated, the server stays at w_0."""

    needs: ClassVar[frozenset[str]] = frozenset()

    def init(self, setting: Setting) -> State:
        return {}

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        return state, Step(torch.zeros_like(round.server), OwnUpdates(round.updates), {})
