"""What a mechanism sees and what it answers.

A mechanism is a frozen dataclass of hyperparameters with two pure functions: `init`
makes its state, `apply` turns state and round into the next state, the aggregate and
the rewards. It handles vectors only. State goes in and comes out as plain data, so that
a run can be stopped, resumed and repeated. Chapter "The whole mechanism".
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

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

    @property
    def size_shares(self) -> Tensor:
        """p_i = n_i / sum_j n_j, (N,) float64."""
        return self.sizes.double() / self.sizes.sum()


@dataclass(frozen=True)
class Round:
    """What the server sees in round t. To be read, not changed."""

    t: int  # 1, 2, ...
    lr: float  # eta_t
    gamma: float  # Gamma_t
    updates: Tensor  # (N, D), Delta w_i as uploaded
    models: Tensor  # (N, D), w_{i,t-1}
    server: Tensor  # (D,), w_{t-1}
    losses: Callable[[], Tensor]  # () -> (N,), F_i(w_{i,t-1}); computed when called
    accuracy: Callable[[Tensor], Tensor]  # (K, D) -> (K,) in [0, 1], on validation data


class Step(NamedTuple):
    """What the server does: w_t = w_{t-1} + aggregate, w_{i,t} = w_{i,t-1} + reward."""

    aggregate: Tensor  # (D,)
    reward: Reward
    log: Mapping[str, Tensor]  # what to record, (N,) each: psi, r, q, ...


@dataclass(frozen=True)
class Mechanism(ABC):
    """The interface; see `fairfl.mechanisms.cgsv` for one that uses all of it."""

    needs_validation: ClassVar[bool] = False  # whether it asks for `Round.accuracy`

    def init(self, setting: Setting) -> State:
        """The state before round 1; a mechanism without a memory has none."""
        return {}

    @abstractmethod
    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        """The next state and what the server does. Changes none of its arguments."""


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
