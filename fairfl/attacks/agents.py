"""Who changes what it trains on, or its names. Chapter "When agents cheat"."""

from dataclasses import dataclass

from torch import Tensor

from fairfl import _checks
from fairfl.attacks.base import Attack, Sight
from fairfl.partition import Agent


@dataclass(frozen=True, kw_only=True)
class Labels(Attack):
    """Trains on samples of class c as if they were of class c + 1, the last as 0."""

    def data(self, agent: Agent, classes: int) -> Agent:
        if not classes:
            raise ValueError(f"agent {agent.key!r} cannot change classes in its labels:"
                             " these and the network are not a classifier's")
        return agent._replace(y=(agent.y + 1) % classes)


@dataclass(frozen=True, kw_only=True)
class Follow(Attack):
    """Uploads what `agent` has trained, as that agent's second name."""

    agent: str

    def upload(self, sight: Sight) -> Tensor:
        return sight.updates[self.agent].clone()

    def check(self, key: str, keys: tuple[str, ...]) -> None:
        others = (other for other in keys if other != key)
        _checks.known(f"agent that {key!r} follows:", self.agent, others)


@dataclass(frozen=True, kw_only=True)
class Copies(Attack):
    """Takes part under several names ("sybils"), all of which upload its update.

    Agent "5" with `copies` = 3 is "5", "5.2" and "5.3" to the server. Each name claims
    the same samples and gets a download of its own. The names are there from round 1;
    before `from_round` each of them trains honestly on those samples.
    """

    copies: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        _checks.whole(copies=self.copies)

    def accomplices(self, agent: Agent) -> list[tuple[Agent, "Attack"]]:
        follow = Follow(agent=agent.key, from_round=self.from_round)
        names = (f"{agent.key}.{k}" for k in range(2, self.copies + 1))
        return [(agent._replace(key=name), follow) for name in names]
