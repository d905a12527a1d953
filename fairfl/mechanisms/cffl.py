"""Collaborative fairness, CFFL (Lyu et al., 2020). Chapter "The competition"."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fairfl import _checks, rewards
from fairfl.downloads import sparsify
from fairfl.mechanisms.base import Mechanism, Round, Setting, State, Step
from fairfl.mechanisms.validation import accuracies, coalition_models
from fairfl.payments import Nothing


@dataclass(frozen=True)
class CFFL(Mechanism):
    """Reputation on a validation set decides what one downloads, and who is expelled.

    With R the reputable agents and x_i agent i's share of their values in this round,

        s_i = sinh(alpha |R| x_i / 5) / sum_R sinh(alpha |R| x_j / 5),
        c_i <- .8 c_i + .2 s_i,    first c_i = 1 / N.

    Who then has c_i < threshold / |R| is expelled: it counts no more, downloads
    nothing, and never comes back; but two agents always stay. The remaining c are
    brought to sum 1, the server sums the raw updates with weights p_i / sum_R p, and
    agent i downloads the floor(D c_i / max c) largest entries.

    Our choices: all of an update is uploaded, nothing is clipped, nobody trains
    beforehand, the quota has no factor n_i, entries are the largest ones and not
    random, |R| / 5 in the sinh lets alpha mean the same for any number of agents.

    Args:
        alpha: how much the sinh favours the better, > 0.
        threshold: in [0, 1]; the authors take 1/3, 1/6 where classes differ.
        value: "accuracy" of w_{i,t-1} + Delta w_i, as in the authors' code;
            "leave_one_out", accuracy of w_{t-1} with the mean update of R less that
            without agent i's, not below 0.
        compounding: the authors' rule, c_i <- .8 c_i + .2 x_i, then
            c_i <- sinh(alpha c_i) / sum_R sinh(alpha c_j). It is unstable for few
            agents: small differences grow until nearly all are expelled.

    Logs value, c, weights and q; who is expelled has the c, weight and q 0.
    """

    alpha: float = 5.0
    threshold: float = 1 / 3
    value: str = "accuracy"
    compounding: bool = False
    needs: ClassVar[tuple[str, ...]] = ("accuracy", "models", "server")
    shares: ClassVar[tuple[str, ...]] = ("c",)

    def __post_init__(self) -> None:
        _checks.positive(alpha=self.alpha)
        _checks.within(0, 1, threshold=self.threshold)
        _checks.known("value", self.value, ("accuracy", "leave_one_out"))
        _checks.flag(compounding=self.compounding)

    def init(self, setting: Setting) -> State:
        n = len(setting.keys)
        return {"c": torch.full((n,), 1 / n, dtype=torch.float64),
                "reputable": torch.ones(n, dtype=torch.bool)}

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        if not state["reputable"].any():  # only those who are expelled are present
            still = round.updates.new_zeros(setting.dimension)
            return state, Step(still, Nothing(still, len(setting.keys)), {})
        values = self._values(state["reputable"], round, setting)
        c, reputable = self.reputations(state["c"], state["reputable"], values)
        shares = setting.size_shares * reputable
        weights = shares / shares.sum()
        total = rewards.aggregate(round.updates, weights)
        reward = sparsify(total, c / c.max())
        log = {"value": values, "c": c, "weights": weights, "q": reward.kept}
        return {"c": c, "reputable": reputable}, Step(total, reward, log)

    def standing(self, state: State, t: int) -> Mapping[str, Tensor]:
        return {"c": state["c"]}

    def moved(self, state: State, old: Setting, new: Setting) -> State:
        found = super().moved(state, old, new)
        return found if found["reputable"].any() else self.init(new)

    def reputations(self, c: Tensor, reputable: Tensor, values: Tensor
                   ) -> tuple[Tensor, Tensor]:
        """c and who is reputable after a round with these values, (N,) each."""
        left = int(reputable.sum())
        x = (values * reputable).clamp(min=0)
        x = x / x.sum() if x.sum() > 0 else reputable / left
        if self.compounding:
            c = _sinh_shares(self.alpha * (0.8 * c + 0.2 * x))
        else:
            c = 0.8 * c + 0.2 * _sinh_shares(self.alpha * left / 5 * x)
        second = c.topk(min(2, left)).values[-1].item()  # two must stay to collaborate
        stays = reputable & (c >= min(self.threshold / left, second))
        c = c * stays
        return c / c.sum(), stays

    def _values(self, reputable: Tensor, round: Round, setting: Setting) -> Tensor:
        if self.value == "accuracy":
            return accuracies(round, map(torch.add, round.models, round.updates))
        others = reputable & ~torch.eye(len(reputable), dtype=torch.bool)
        groups, shares = [reputable, *others], setting.size_shares
        models = coalition_models(round, round.updates, shares, groups)
        found = accuracies(round, models)
        return (found[0] - found[1:]).clamp(min=0)


def _sinh_shares(x: Tensor) -> Tensor:
    """sinh(x) / sum sinh(x) without overflow, (N,) -> (N,)."""
    scaled = (x - x.max()).exp() - (-x - x.max()).exp()
    return scaled / scaled.sum()
