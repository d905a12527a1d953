"""q-fair federated learning, q-FedAvg (Li et al., 2020). Chapter "The competition"."""

import math
from dataclasses import dataclass
from typing import ClassVar

from fairfl import _checks, rewards
from fairfl.downloads import Everything
from fairfl.mechanisms.base import Mechanism, Round, Setting, State, Step


@dataclass(frozen=True)
class QFFL(Mechanism):
    """Equal losses: agents with a larger loss weigh more; everybody downloads all of

        w_t - w_{t-1} = sum_i F_i^q Delta w_i / sum_i h_i eta_t.

    F_i is the mean loss of the downloaded model on all of agent i's samples before it
    trains. With the gradient g_i = -Delta w_i / eta_t that the update stands for, and
    1 / eta_t for the Lipschitz constant, h_i = q F_i^(q-1) |g_i|^2 + F_i^q / eta_t, or
    h_i eta_t = F_i^q (1 + q |Delta w_i|^2 / (eta_t F_i)).

    q = 0 is the mean of the updates, each agent counting alike, whatever its data. A
    large q makes the denominator large and the steps short; many local epochs, or Adam
    with its small eta_t, do so too. Updates are taken as they are: Gamma has no part in
    it. Logs losses and the weights of the updates.

    Args:
        q: how much larger losses count, finite, >= 0; .1 is ours, the paper has none.
    """

    q: float = 0.1
    needs: ClassVar[tuple[str, ...]] = ("losses", "lr")

    def __post_init__(self) -> None:
        _checks.within(0, math.inf, q=self.q)

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        losses = round.losses().cpu().double()
        if losses.min() < 0:
            raise ValueError("QFFL weighs agents by powers of their losses, which must "
                             f"not be negative: {losses.tolist()}")
        f = losses + 1e-10  # as the authors do: a perfect fit has a loss of 0
        power = (f / f.max()) ** self.q  # f**q would overflow; the largest loss cancels
        lengths = rewards.norms(round.updates)
        cost = power * (1 + self.q * lengths.cpu() ** 2 / (round.lr * f))  # h_i eta_t
        weights = power / cost.sum()
        total = rewards.aggregate(round.updates, weights, lengths)
        log = {"losses": losses, "weights": weights}
        return state, Step(total, Everything(total, len(losses)), log)
