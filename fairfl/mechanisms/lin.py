"""Fair incentives yet equal performance (Lin et al., 2023): values are learned in a
first stage and paid in a second, by who trains next. Chapter "What came after"."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fairfl import _checks, cgsv, rewards
from fairfl.mechanisms.base import Mechanism, Round, Setting, State, Step
from fairfl.payments import CatchUp
from fairfl.randomness import derived_seed, generator


@dataclass(frozen=True)
class Lin(Mechanism):
    """Who is worth more holds the newest model more often; in the end all get it.

    Stage 1: everybody gets the mean with weights p_i = n_i / sum n, and m_i is the mean
    over the rounds of the Shapley values of v(S) = cos(u_S, u_N), u_S the p-weighted
    sum. Stage 2: values are frozen. Before each round `ratio` N agents are drawn, one
    after the other, by softmax(beta m_i / mean m); they catch up with the server's
    model, and only their next updates are summed. The others keep old models.

    Stage 1 ends after `explore` rounds or, with `level`, by the authors' test: in the
    first round t > lag in which Hotelling's test of all values so far against their
    mean up to t - lag has a p-value above `level`.

    Our choices: exact values (sampled beyond `cgsv.LIMIT` agents; the authors sample a
    coalition of each size); weights of those drawn are brought to sum 1; beta
    multiplies m_i / mean m and not m_i, so that it means the same for any number of
    agents; nobody's value positive on the mean: all are drawn alike.

    Args:
        beta: >= 0, how much the draws favour the better.
        explore: rounds of stage 1, 1, 2, ...; with `level` at most so many.
        ratio: in (0, 1], at least one agent is drawn.
        level, lag, watched: None, or p-value in (0, 1), the lag in rounds, and how many
            agents' values are tested, at most N - 1 (values sum to 1), first by name.
        seed: of the draws, which go by the agents' names and rounds.

    Logs value (m), rate (softmax), weights, staleness (rounds since an agent last held
    the server's model) and q.
    """

    beta: float = 1.0
    explore: int = 10
    ratio: float = 0.4
    level: float | None = None
    lag: int = 15
    watched: int = 10
    seed: int = 0
    needs: ClassVar[tuple[str, ...]] = ("models", "server")
    common: ClassVar[tuple[str, ...]] = ("exploring", "values")

    def __post_init__(self) -> None:
        _checks.within(0, math.inf, beta=self.beta)
        _checks.whole(explore=self.explore, lag=self.lag, watched=self.watched)
        _checks.positive(ratio=self.ratio)
        _checks.within(0, 1, ratio=self.ratio)
        if self.level is not None:
            _checks.within(0, 1, level=self.level)
        _checks.whole(0, seed=self.seed)

    def init(self, setting: Setting) -> State:
        n = len(setting.keys)
        state = {"m": torch.zeros(n, dtype=torch.float64),
                 "rounds": torch.zeros(n, dtype=torch.int64),
                 "serves": torch.ones(n, dtype=torch.bool),  # trains in earnest
                 "held": torch.zeros(n, dtype=torch.int64),  # when it was at w_t
                 "exploring": torch.tensor(True)}
        if self.level is not None:
            state["values"] = torch.empty(0, n, dtype=torch.float64)
        return state

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        new, t = dict(state), round.t
        exploring = bool(state["exploring"])
        serves = state["serves"] & (exploring | (state["held"] == t - 1))
        shares = setting.size_shares * serves
        weights = shares / shares.sum() if serves.any() else shares
        total = rewards.aggregate(round.updates, weights)
        if exploring:
            value = self._values(round, setting)
            new["rounds"] = state["rounds"] + 1
            new["m"] = state["m"] + (value - state["m"]) / new["rounds"]
            new |= self._stage(state, value, t, setting)
        rate = self.rates(new["m"])
        everybody = torch.ones_like(serves)
        new["serves"] = (everybody if new["exploring"]
                         else self._drawn(rate, t + 1, setting.keys))
        served = everybody if exploring else new["serves"]
        new["held"] = torch.where(served, t, state["held"])
        reward = CatchUp(round.models, round.server + total, served)
        log = {"value": new["m"], "rate": rate, "weights": weights,
               "staleness": t - new["held"], "q": reward.kept}
        return new, Step(total, reward, log)

    def standing(self, state: State, t: int) -> Mapping[str, Tensor]:
        return {"staleness": t - state["held"]}

    def rates(self, m: Tensor) -> Tensor:
        """softmax(beta m_i / mean m), the law of the draws, (N,)."""
        mean = m.mean()
        return torch.softmax(self.beta * (m / mean if mean > 0 else 0 * m), dim=0)

    def _values(self, round: Round, setting: Setting) -> Tensor:
        """The Shapley values of the weighted updates, (N,)."""
        gram = cgsv.gram(round.updates, setting.size_shares).cpu()
        if len(gram) <= cgsv.LIMIT:
            return cgsv.exact(gram)
        seed = derived_seed(self.seed, "valuation", round.t)
        return cgsv.sampled(gram, seed, names=setting.keys).values

    def _stage(self, state: State, value: Tensor, t: int, setting: Setting) -> State:
        """What the state says of the stage after a round of the first."""
        ends = t >= self.explore
        if self.level is None:
            return {"exploring": torch.tensor(not ends)}
        if state["values"].shape[1] != len(value):
            raise ValueError("Lin(level=...) tests the values of all agents in each "
                             f"round, but only {', '.join(setting.keys)} are present "
                             f"in round {t}: take level=None")
        values = torch.cat([state["values"], value[None]])
        names = sorted(setting.keys)[: min(self.watched, len(value) - 1)]
        watched = values[:, [setting.keys.index(name) for name in names]]
        if names and len(watched) > max(self.lag, len(names)):
            ends |= settled(watched, self.lag) > self.level
        return {"exploring": torch.tensor(not ends), "values": values}

    def _drawn(self, rate: Tensor, t: int, keys: tuple[str, ...]) -> Tensor:
        """Who serves in round t, (N,) bool: as many as `ratio` says, one after the
        other by these rates (the largest of log rate + Gumbel noise are)."""
        uniform = torch.stack([torch.rand((), dtype=torch.float64, generator=generator(
            self.seed, "lin", t, key)) for key in keys])
        noise = -(-uniform.log()).log()
        many = max(1, math.floor(self.ratio * len(keys) + 1e-9))
        drawn = torch.zeros(len(keys), dtype=torch.bool)
        drawn[(rate.log() + noise).topk(many).indices] = True
        return drawn


def settled(values: Tensor, lag: int) -> float:
    """The p-value of Hotelling's one-sample test: are t rows of m agents' values, (t,
    m), of the mean of the rows up to t - lag? ValueError unless t > lag and t > m."""
    from scipy.stats import f

    t, m = values.shape
    if t <= max(lag, m):
        raise ValueError(f"{t} rounds are too few to test {m} values with a lag of "
                         f"{lag}")
    gap = values.mean(0) - values[: t - lag].mean(0)
    spread = torch.atleast_2d(values.T.cov())
    squared = t * float(gap @ torch.linalg.pinv(spread, hermitian=True) @ gap)
    return float(f.sf((t - m) * squared / (m * (t - 1)), m, t - m))
