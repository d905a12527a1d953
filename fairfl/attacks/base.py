"""What an attacker knows and what it may do. Chapter "When agents cheat".

An attack belongs to one agent of a federation and starts in some round; before that the agent is honest. It may change
the samples that the agent trains on and what the agent uploads. It never touches the server or what others train.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from fairfl.partition import Agent
from fairfl.randomness import generator


class Sight(NamedTuple):
    """What an attacker may look at in round t. To be read, not changed."""

    key: str  # its name
    t: int  # 1, 2, ...
    seed: int  # of the federation
    update: Tensor  # (D,) what it has trained, Delta w_{i,t}
    updates: Mapping[str, Tensor]  # what each agent has trained; for attackers who work together or know everything
    model: Tensor  # (D,) w_{i,t-1}
    initial: Tensor  # (D,) w_0
    download: Tensor | None  # (D,) what it downloaded in round t - 1, v_{i,t-1}; None in round 1

    def draws(self):
        """A generator of its own for this agent and round, so that order and resumption change nothing."""
        return generator(self.seed, "attack", self.key, self.t)


@dataclass(frozen=True, kw_only=True)
class Attack:
    """An honest agent. An attack is a subclass that overrides `data` or `upload`.

    Args:
        from_round: the first round in which it cheats, at least 1.
    """

    from_round: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.from_round, bool) or not isinstance(self.from_round, int) or self.from_round < 1:
            raise ValueError(f"from_round must be a whole number, at least 1, not {self.from_round!r}")

    def data(self, agent: Agent, classes: int) -> Agent:
        """What the agent trains on while it cheats; labels in 0 to classes - 1."""
        return agent

    def upload(self, sight: Sight) -> Tensor:
        """What the agent uploads instead of its update, (D,)."""
        return sight.update

    def accomplices(self, agent: Agent) -> list[tuple[Agent, Attack]]:
        """Further agents that the attacker brings into the federation, and what they do. See `join`."""
        return []

    def check(self, key: str, keys: tuple[str, ...]) -> None:
        """ValueError if agent `key` cannot do this in a federation of agents `keys`."""
