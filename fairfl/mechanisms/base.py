"""What a mechanism sees and what it answers.

A mechanism is a frozen dataclass of hyperparameters with two pure functions: `init`
makes its state, `apply` turns state and round into the next state, the aggregate and
the rewards. It handles vectors only. State goes in and comes out as plain data, so that
a run can be stopped, resumed and repeated. Chapter "The whole mechanism".

Where agents are absent, or come and go, `presence` calls `apply` for those present and
needs to know which part of the state is whose: `shares`, `common`, `standing`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from fairfl import _checks, rewards
from fairfl.downloads import Reward

State = dict[str, Tensor]

# How the server brings updates to comparable lengths before it sums them.
SCALINGS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "normalised": rewards.normalise,  # all to length Gamma: eq. (1)
    "clipped": rewards.clip,  # only those that are longer
    "raw": lambda updates, gamma: updates,
}


@dataclass(frozen=True)
class Setting:
    """What is known before round 1, for N agents and D parameters."""

    keys: tuple[str, ...]  # the agents' names
    dimension: int  # D
    sizes: Tensor  # (N,) int64, samples n_i
    classes: Tensor  # (N,) int64, distinct labels that an agent holds
    blocks: tuple[slice, ...]  # where each parameter tensor lies in the vector

    @classmethod
    def of(cls, keys: Sequence[str], dimension: int, sizes: Any = None,
           classes: Any = None, blocks: Sequence[slice] = ()) -> "Setting":
        """A setting with what is not given as if all agents were alike: one sample and
        one label each, one block. ValueError for keys that are no texts or come twice,
        sizes that are not whole and positive, blocks that do not cover the vector."""
        keys, blocks = tuple(keys), tuple(blocks) or (slice(0, dimension),)
        _checks.whole(dimension=dimension)
        met: set[str] = set()
        for key in keys:
            if not isinstance(key, str) or key in met:
                raise ValueError(f"agents' keys must be unique texts, not {key!r}"
                                 f"{' twice' * (key in met)}")
            met.add(key)
        edges = [0, *(block.stop for block in blocks)]
        if [block.start for block in blocks] != edges[:-1] or edges[-1] != dimension:
            raise ValueError(f"blocks must cover the {dimension} entries in order")
        return cls(keys, dimension, _counts("sizes", sizes, keys),
                   _counts("classes", classes, keys), blocks)

    def among(self, present: Tensor) -> "Setting":
        """The setting of those agents only; present: (N,) bool."""
        keys = tuple(key for key, here in zip(self.keys, present, strict=True) if here)
        return replace(self, keys=keys, sizes=self.sizes[present],
                       classes=self.classes[present])

    @property
    def size_shares(self) -> Tensor:
        """p_i = n_i / sum_j n_j, (N,) float64."""
        return self.sizes.double() / self.sizes.sum()


NOT_GIVEN: Any = None  # by a server that does not hold it, see `Mechanism.needs`


@dataclass(frozen=True)
class Round:
    """What the server sees in round t, of the K agents that are present. To be read,
    not changed. A mechanism may ask for what it names in `needs`, and for the rest."""

    t: int  # 1, 2, ...
    lr: float  # eta_t
    gamma: float  # Gamma_t
    updates: Tensor  # (K, D), Delta w_i as uploaded
    models: Tensor = NOT_GIVEN  # (K, D), w_{i,t-1}
    server: Tensor = NOT_GIVEN  # (D,), w_{t-1}
    # () -> (K,), F_i(w_{i,t-1}); computed when called
    losses: Callable[[], Tensor] = NOT_GIVEN
    # (M, D) -> (M,) in [0, 1], on validation data
    accuracy: Callable[[Tensor], Tensor] = NOT_GIVEN
    # (N,) bool, who the K are, for `presence.step`; None: all N
    present: Tensor | None = None


class Step(NamedTuple):
    """What the server does: w_t = w_{t-1} + aggregate, w_{i,t} = w_{i,t-1} + reward."""

    aggregate: Tensor  # (D,)
    reward: Reward
    log: Mapping[str, Tensor]  # what to record, (N,) each: psi, r, q, ...


@dataclass(frozen=True)
class Mechanism(ABC):
    """The interface; see `fairfl.mechanisms.cgsv` for one that uses all of it."""

    # The fields of `Round` that it asks for and that a server may not hold: "accuracy",
    # "losses", "lr", "models", "server"
    needs: ClassVar[tuple[str, ...]] = ()
    # Entries of the state with a row for each agent that sum to 1 over the agents
    shares: ClassVar[tuple[str, ...]] = ()
    common: ClassVar[tuple[str, ...]] = ()  # entries without a row for each agent

    def init(self, setting: Setting) -> State:
        """The state before round 1; a mechanism without a memory has none."""
        return {}

    @abstractmethod
    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        """The next state and what the server does. Changes none of its arguments."""

    def standing(self, state: State, t: int) -> Mapping[str, Tensor]:
        """What of its log the state alone says after round t, (N,) each: of those who
        are absent, too."""
        return {}

    def merged(self, state: State, part: State, present: Tensor) -> State:
        """The state after a round: `part`, of those present, (N,) bool, in `state`.

        The absent keep their rows to the bit. Those present share among each other
        what they had together of the `shares`, so that these still sum to 1.
        """
        new = dict(part)
        for name in self.rows(state):
            rows = part[name]
            if name in self.shares:
                rows = rows * shared(state[name][present])
            new[name] = state[name].clone()
            new[name][present] = rows
        return new

    def moved(self, state: State, old: Setting, new: Setting) -> State:
        """The state for the agents of the setting `new`: who was in `old` keeps its
        row, who was not gets that of `init`, who left is gone.

        Of the `shares` each newcomer gets 1 / n, n the number of agents that hold a
        share or come; the others keep theirs in proportion, and the sum is 1.
        """
        first = self.init(new)
        stay = torch.tensor([key in old.keys for key in new.keys])
        where = [old.keys.index(key) for key in new.keys if key in old.keys]
        found = dict(state)
        for name in self.rows(state):
            found[name] = first[name].clone()
            found[name][stay] = state[name][where]
            if name in self.shares:
                come, hold = int((~stay).sum()), int((found[name][stay] != 0).sum())
                found[name][~stay] = 1 / (hold + come) if come else 0.0
                left = hold / (hold + come) if hold else 0.0
                found[name][stay] *= left / shared(found[name][stay])
        return found

    def rows(self, state: State) -> list[str]:
        """The entries of the state that hold a row for each agent."""
        return [name for name, value in state.items()
                if isinstance(value, Tensor) and name not in self.common]


def shared(shares: Tensor) -> Tensor | float:
    """The sum of these shares; 1 where nobody holds any. ValueError if it is negative,
    which only negative weights, those without a floor, can make it."""
    total = shares.sum()
    if total < 0 or (total == 0 and shares.any()):
        raise ValueError("the weights of those present must have a positive sum (use a "
                         f"floor): {shares.tolist()}")
    return total if total else 1.0


def _counts(name: str, given: Any, keys: Sequence[str]) -> Tensor:
    """One positive whole number for each agent, (N,) int64; 1 where none is given."""
    found = [1] * len(keys) if given is None else getattr(given, "tolist", given)
    found = list(found() if callable(found) else found)
    if len(found) != len(keys):
        raise ValueError(f"{name} must hold one number for each of the {len(keys)} "
                         f"agents, not {len(found)}")
    for key, number in zip(keys, found, strict=True):
        _checks.whole(**{f"{name} of agent {key!r}": number})
    return torch.tensor([int(number) for number in found])


@dataclass(frozen=True)
class Averaging(Mechanism):
    """Sums as federated averaging does; `scaling` names how updates are scaled."""

    scaling: str = "normalised"

    def __post_init__(self) -> None:
        _checks.known("scaling", self.scaling, SCALINGS)

    def mean_update(self, round: Round, setting: Setting) -> Tensor:
        """sum_i p_i u_i, (D,): eq. (1) with the weights n_i / sum n of Sec. 3.1."""
        # u_i is never made: the factor that scales an update joins its weight
        lengths = rewards.norms(round.updates)
        factors = rewards.factors(lengths, round.gamma, self.scaling).cpu()
        return rewards.aggregate(round.updates, setting.size_shares * factors, lengths)


def weighted_sum(updates: Tensor, weights: Tensor) -> Tensor:
    """sum_i weights_i updates_i, (D,) float64; not rounded, unlike an aggregate."""
    total = torch.zeros(updates.shape[1], dtype=torch.float64, device=updates.device)
    for row, weight in zip(updates, weights.tolist(), strict=True):
        if weight:
            total.add_(row, alpha=weight)
    return total
