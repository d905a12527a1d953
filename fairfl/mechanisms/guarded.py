"""Fair gradient rewards with corrections, ours. Chapter "When agents cheat"."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fairfl import _checks, cgsv, rewards
from fairfl.mechanisms import defences
from fairfl.mechanisms.base import Round, Setting, State, Step
from fairfl.mechanisms.cgsv import CGSV


@dataclass(frozen=True)
class Guarded(CGSV):
    """`CGSV` with up to three corrections (`defences`); with all off it is CGSV.

    Args:
        others: value an update by its cosine to the sum of the *others*. Against noise.
        news: value only what an agent has not downloaded in the round before, in which
            who was absent has downloaded nothing. Against re-uploaded downloads.
        crowding: the power of `defences.likeness`, > 0; updates that are alike share
            one weight in the sum, and with `others` do not vouch for each other.
            Against copies of oneself. None: off.

    Logs psi (the corrected value), r, q, and weights, those that were used in the sum.
    The valuation must be "cosine".
    """

    others: bool = False
    news: bool = False
    crowding: float | None = None
    common: ClassVar[tuple[str, ...]] = ("sent",)

    def __post_init__(self) -> None:
        super().__post_init__()
        _checks.flag(others=self.others, news=self.news)
        if self.valuation != "cosine":
            raise ValueError(f"Guarded values by the cosine, not by {self.valuation!r}")
        if self.crowding is not None:
            _checks.positive(crowding=self.crowding)

    def init(self, setting: Setting) -> State:
        state = super().init(setting)
        if self.news:  # what was sent in the last round: nothing
            state["sent"] = torch.zeros(setting.dimension, dtype=torch.float64)
            state["quality"] = torch.zeros_like(state["weights"])
        return state

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        lengths = rewards.norms(round.updates)
        u = rewards.normalise(round.updates, 1.0)
        cosines = cgsv.gram(u).cpu()
        alike = defences.likeness(cosines, self.crowding)
        r, average = state["weights"], state["average"]
        shares = r if self.crowding is None else defences.shared(r, alike)
        weights = shares * self.factors(lengths, round.gamma)
        total = rewards.aggregate(round.updates, weights, lengths)
        own = weights * lengths.cpu()  # an update's length in the sum
        by_all = own.expand(len(own), -1)
        judging = defences.judges(own, alike) if self.others else by_all
        sent = self._with_downloads(state, u, setting) if self.news else None
        psi = defences.values(cosines, judging, sent)
        if psi.any() and total.any():
            r = average = rewards.importance(average, psi, self.alpha, self.floor)
        quality = rewards.quality(r, self.beta)
        reward = self.pay(total, quality, setting)
        new = {"weights": r, "average": average}
        if self.news:
            new |= {"sent": total.double(), "quality": quality}
        log = {"weights": shares, "psi": psi, "r": r, "q": reward.kept}
        return new, Step(total, reward, log)

    def merged(self, state: State, part: State, present: Tensor) -> State:
        new = super().merged(state, part, present)
        if self.news:  # the absent have no part of the sum that now is the last
            new["quality"] = new["quality"] * present
        return new

    def _with_downloads(self, state: State, u: Tensor, setting: Setting) -> Tensor:
        """Row i: cosines of agent i's last download with all updates u of length 1."""
        sent = self.pay(state["sent"].to(u), state["quality"], setting)
        units = (rewards.normalise(sent.row(i)[None], 1.0)[0] for i in range(len(u)))
        return torch.stack([(u @ unit).double().cpu() for unit in units])
