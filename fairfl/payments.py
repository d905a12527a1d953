"""The downloads of a round: what all rewards can do, and those that mask nothing.

`downloads` holds the masks of eq. (5) and names these, too.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor


class Reward(Protocol):
    """The downloads of all agents in one round."""

    kept: Tensor  # (N,) int64, entries sent to each agent

    def row(self, i: int) -> Tensor:
        """The download of agent i, dense, (D,), a fresh tensor."""

    def add_to(self, models: Tensor) -> None:
        """Add to each row of models (N, D) that agent's download, in place."""

    def kind(self, i: int) -> str:
        """In a word what agent i downloads, so that what many download is sent once:
        "nothing", "sparse" (some entries of the aggregate), "all" of it, its "own"
        update, the server's "model", which takes the place of its own, or a "vector"
        made for this agent alone."""

    def sparse(self, i: int) -> tuple[Tensor, Tensor]:
        """The entries of agent i's download, (q,) int64 indices in ascending order, and
        their values, (q,), q = `kept`: entries that are sent though they are 0, too."""


class Dense(ABC):
    """What the rewards that know no sparse form share."""

    kept: Tensor

    @abstractmethod
    def row(self, i: int) -> Tensor:
        """As `Reward.row`."""

    def sparse(self, i: int) -> tuple[Tensor, Tensor]:
        row = self.row(i)
        entries = len(row) if self.kept[i] else 0
        return torch.arange(entries, device=row.device), row[:entries]


class Nothing(Dense):
    """Nobody of N agents downloads anything of the aggregate (D,)."""

    def __init__(self, aggregate: Tensor, agents: int) -> None:
        self.aggregate = aggregate
        self.kept = torch.zeros(agents, dtype=torch.int64)

    def row(self, i: int) -> Tensor:
        return torch.zeros_like(self.aggregate)

    def add_to(self, models: Tensor) -> None:
        pass

    def kind(self, i: int) -> str:
        return "nothing"


class ToSome(Dense):
    """A reward of the K agents that are present, (N,) bool; the absent get nothing."""

    def __init__(self, reward: Reward, aggregate: Tensor, present: Tensor) -> None:
        self.reward, self.aggregate, self.present = reward, aggregate, present
        self.place = (present.cumsum(0) - 1).tolist()  # among those present
        self.kept = torch.zeros(len(present), dtype=torch.int64)
        self.kept[present] = reward.kept

    def row(self, i: int) -> Tensor:
        if self.present[i]:
            return self.reward.row(self.place[i])
        return torch.zeros_like(self.aggregate)

    def add_to(self, models: Tensor) -> None:
        some = models[self.present]
        self.reward.add_to(some)
        models[self.present] = some

    def kind(self, i: int) -> str:
        return self.reward.kind(self.place[i]) if self.present[i] else "nothing"

    def sparse(self, i: int) -> tuple[Tensor, Tensor]:
        present = bool(self.present[i])
        return self.reward.sparse(self.place[i]) if present else super().sparse(i)


class Everything(Dense):
    """All N agents download the aggregate (D,) as it is."""

    def __init__(self, aggregate: Tensor, agents: int) -> None:
        self.aggregate = aggregate
        self.kept = torch.full((agents,), len(aggregate))

    def row(self, i: int) -> Tensor:
        return self.aggregate.clone()

    def add_to(self, models: Tensor) -> None:
        models += self.aggregate

    def kind(self, i: int) -> str:
        return "all"


class OwnUpdates(Dense):
    """Each agent keeps its own update, a row of (N, D), and gets nothing else."""

    def __init__(self, updates: Tensor) -> None:
        self.updates = updates
        self.kept = torch.full((len(updates),), updates.shape[1])

    def row(self, i: int) -> Tensor:
        return self.updates[i].clone()

    def add_to(self, models: Tensor) -> None:
        models += self.updates

    def kind(self, i: int) -> str:
        return "own"


class CatchUp(Dense):
    """Who is served gets the server's model, the others what `rest` gives them.

    Args:
        models: (N, D), w_{i,t-1}.
        server: (D,), w_t.
        served: (N,) bool.
        rest: None: nothing.
    """

    def __init__(self, models: Tensor, server: Tensor, served: Tensor,
                 rest: Reward | None = None) -> None:
        self.models, self.server, self.served = models, server, served
        self.rest = rest or Nothing(server, len(models))
        self.kept = torch.where(served, len(server), self.rest.kept)

    def row(self, i: int) -> Tensor:
        return self.server - self.models[i] if self.served[i] else self.rest.row(i)

    def add_to(self, models: Tensor) -> None:
        for i, served in enumerate(self.served.tolist()):
            if served:
                models[i] = self.server  # to the bit; adding row(i) may miss it
            elif self.rest.kind(i) != "nothing":
                models[i] += self.rest.row(i)

    def kind(self, i: int) -> str:
        return "model" if self.served[i] else self.rest.kind(i)


class Own(Dense):
    """Each of N agents gets a vector made for it alone, `vector(i)` (D,), which is made
    when it is asked for; `kept`, (N,) int64, are the entries sent to it."""

    def __init__(self, vector: Callable[[int], Tensor], kept: Tensor) -> None:
        self.vector, self.kept = vector, kept

    def row(self, i: int) -> Tensor:
        return self.vector(i)

    def add_to(self, models: Tensor) -> None:
        for i, model in enumerate(models):
            model += self.vector(i)

    def kind(self, i: int) -> str:
        return "vector"
