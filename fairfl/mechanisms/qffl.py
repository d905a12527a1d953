"""q-fair federated learning, q-FedAvg (Li et al., 2020): equal losses rather than equal rewards for equal work."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from fairfl import rewards
from fairfl.downloads import Everything
from fairfl.mechanisms.base import Round, Setting, State, Step


@dataclass(frozen=True)
class QFFL:
    """Agents with a larger loss weigh more: w_t = w_{t-1} + sum_i F_i^q Delta w_i / sum_i h_i eta_t, for everybody.

    F_i is the mean loss of the downloaded model on agent i's samples before it trains, on all of them. With the
    gradient g_i = -Delta w_i / eta_t that the update stands for, and 1 / eta_t in the place of the Lipschitz constant,
    h_i = q F_i^(q-1) |g_i|^2 + F_i^q / eta_t. So F_i^q is weighed against

        h_i eta_t = F_i^q (1 + q |Delta w_i|^2 / (eta_t F_i)).

    q = 0 is the mean of the updates, each agent counting alike, whatever its data. A large q makes the denominator
    large and the steps short; many local epochs, or Adam with its small eta_t, do so too.

    Args:
        q: how much the larger losses count, >= 0. The default .1 is our choice; the paper names none.

    Takes updates as they are: Gamma has no part in it. Logs losses and the weights of the updates.
    Derived in the chapter "The competition".

    Raises:
        ValueError: q is negative or not finite.
    """

    q: float = 0.1
    needs: ClassVar[frozenset[str]] = frozenset({"losses"})

    def __post_init__(self) -> None:
        if not 0 <= self.q < math.inf:
            raise ValueError(f"q must not be negative or infinite, not {self.q!r}")

    def init(self, setting: Setting) -> State:
        return {}

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        losses = round.losses().cpu().double()
        f = losses + 1e-10  # as the authors do: an agent that fits its data perfectly has a loss of 0
        power = (f / f.max()) ** self.q  # the largest loss cancels from the quotient; f**q would overflow for a large q
        lengths = rewards.norms(round.updates)
        weights = power / (power * (1 + self.q * lengths.cpu()**2 / (round.lr * f))).sum()
        total = rewards.aggregate(round.updates, weights, lengths)
        return state, Step(total, Everything(total, len(losses)), {"losses": losses, "weights": weights})
