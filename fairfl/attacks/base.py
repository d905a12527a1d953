"""What an attacker knows and what it may do. Chapter "When agents cheat".

It may change what its agent trains on and what that uploads, never the server or what
others train.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from fairfl import _checks
from fairfl.partition import Agent
from fairfl.randomness import generator


class Sight(NamedTuple):
    """What an attacker may look at in round t. To be read, not changed."""

    key: str  # its name
    t: int  # 1, 2, ...
    seed: int  # of the federation
    update: Tensor  # (D,) what it has trained, Delta w_{i,t}
    updates: Mapping[str, Tensor]  # trained by each (0 if absent), for those who know
    model: Tensor  # (D,) w_{i,t-1}
    initial: Tensor  # (D,) w_0
    download: Tensor | None  # (D,) v_{i,t-1}, of the round before; None in round 1
    earlier: Tensor | None = None  # (D,) the download before that one

    def draws(self) -> torch.Generator:
        """Its own for this agent and round: order and resumption change nothing."""
        return generator(self.seed, "attack", self.key, self.t)


@dataclass(frozen=True, kw_only=True)
class Attack:
    """An honest agent. An attack is a subclass that overrides `data` or `upload`."""

    from_round: int = 1  # the first round in which it cheats

    def __post_init__(self) -> None:
        _checks.whole(from_round=self.from_round)

    def data(self, agent: Agent, classes: int) -> Agent:
        """What it trains on while it cheats; labels in 0 to classes - 1, or
        others than a classifier's if that is 0."""
        return agent

    def upload(self, sight: Sight) -> Tensor:
        """What the agent uploads instead of its update, (D,)."""
        return sight.update

    def accomplices(self, agent: Agent) -> list[tuple[Agent, "Attack"]]:
        """Agents that the attacker brings along, and what they do. See `join`."""
        return []

    def check(self, key: str, keys: tuple[str, ...]) -> None:
        """ValueError if agent `key` cannot do this in a federation of agents `keys`."""
