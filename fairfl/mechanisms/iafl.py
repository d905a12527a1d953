"""Incentive-aware federated learning, IAFL (Wu et al., 2024). Chapter "What came
after"."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fairfl import _checks, rewards
from fairfl.mechanisms.base import Mechanism, Round, Setting, State, Step, weighted_sum
from fairfl.payments import CatchUp, Own
from fairfl.randomness import generator

CONTRIBUTIONS = ("sizes", "classes")


@dataclass(frozen=True)
class IAFL(Mechanism):
    """Who contributes more gets the mean update of more agents.

    Contributions p are given, not measured. With rate gamma_i = (p_i / max p)^(1 -
    kappa), agent i downloads the mean of its own update and of those of ceil(gamma_i (N
    - 1)) others, drawn anew in each round; the server takes the mean of all. With
    probability `recovery` an agent catches up with the server's model instead.

    Our choices: an agent recovers at the end of a round (the authors' before the next
    one: the same runs); products that miss a whole number by rounding count as it.

    Args:
        kappa: in [0, 1]; 0 pays by contribution, 1 all alike.
        recovery: probability of catching up, in [0, 1].
        contributions: what is taken for p, "sizes" n_i or "classes", distinct labels.
        seed: of the draws, which go by the agents' names and rounds.

    Logs rate, count (of others), recovered (0 or 1), weights (1 / N) and q.
    """

    kappa: float = 0.0
    recovery: float = 0.0
    contributions: str = "sizes"
    seed: int = 0
    needs: ClassVar[tuple[str, ...]] = ("models", "server")

    def __post_init__(self) -> None:
        _checks.within(0, 1, kappa=self.kappa, recovery=self.recovery)
        _checks.known("contributions", self.contributions, CONTRIBUTIONS)
        _checks.whole(0, seed=self.seed)

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        n = len(setting.keys)
        rate, count = self.rates(setting)
        draws = {key: generator(self.seed, "iafl", round.t, key)
                 for key in setting.keys}
        recovered = torch.tensor([float(torch.rand((), generator=draws[key]))
                                  < self.recovery for key in setting.keys])
        order = sorted(range(n), key=lambda i: setting.keys[i])
        shares = torch.zeros(n, n, dtype=torch.float64)
        for i, key in enumerate(setting.keys):
            others = [j for j in order if j != i]
            chosen = torch.randperm(n - 1, generator=draws[key])[: count[i]]
            group = [i, *(others[k] for k in chosen.tolist())]
            shares[i, group] = 1 / len(group)
        weights = torch.full((n,), 1 / n, dtype=torch.float64)
        total = rewards.aggregate(round.updates, weights)

        def mean(i: int) -> Tensor:
            return weighted_sum(round.updates, shares[i]).to(round.updates)

        whole = torch.full((n,), setting.dimension)
        reward = CatchUp(
            round.models, round.server + total, recovered, Own(mean, whole))
        log = {"rate": rate, "count": count, "recovered": recovered.long(),
               "weights": weights, "q": whole}
        return state, Step(total, reward, log)

    def rates(self, setting: Setting) -> tuple[Tensor, Tensor]:
        """gamma_i and the number of others that agent i gets, (N,) each."""
        p = getattr(setting, self.contributions).double()
        rate = (p / p.max()) ** (1 - self.kappa)
        return rate, (rate * (len(p) - 1) - 1e-9).ceil().clamp(min=0).long()
