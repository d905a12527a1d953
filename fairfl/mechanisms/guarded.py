"""Fair gradient rewards with corrections against agents that cheat. Ours; the paper leaves them to future work."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fairfl import cgsv, defences, rewards
from fairfl.downloads import sparsify
from fairfl.mechanisms.base import Round, Setting, State, Step
from fairfl.mechanisms.cgsv import CGSV


@dataclass(frozen=True)
class Guarded(CGSV):
    """`CGSV` with up to three corrections, see `fairfl.defences`; with all of them off it is CGSV. Derived in the chapter
    "When agents cheat".

    Args:
        others: value an update by its cosine to the sum of the *others*. Against noise.
        news: take from an agent's value what it had downloaded in the round before. Against re-uploaded downloads.
        crowding: the power of `defences.crowd`, > 0; a crowd of like updates counts once in the sum. Against copies of
            oneself. None: off.

    Logs what CGSV logs (psi is the corrected value) and weights, those that were used in the sum.

    Raises:
        ValueError: another valuation than "cosine"; crowding is not positive.
    """

    others: bool = False
    news: bool = False
    crowding: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.valuation != "cosine":
            raise ValueError(f"a guarded mechanism values by the cosine, not by {self.valuation!r}")
        if self.crowding is not None and not self.crowding > 0:
            raise ValueError(f"crowding must be positive or None, not {self.crowding!r}")

    def init(self, setting: Setting) -> State:
        state = super().init(setting)
        if self.news:  # what was sent in the last round: to nobody, of nothing
            state |= {"sent": torch.zeros(setting.dimension, dtype=torch.float64),
                      "quality": torch.zeros(len(setting.keys), dtype=torch.float64)}
        return state

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        lengths, shares = rewards.norms(round.updates), state["weights"]
        if self.crowding is not None:
            cosines = cgsv.gram(rewards.normalise(round.updates, 1.0)).cpu()
            shares = defences.shared_weights(shares, defences.crowd(cosines, self.crowding))
        weights = shares * rewards.factors(lengths, round.gamma, self.scaling, self.epsilon).cpu()
        total = rewards.aggregate(round.updates, weights, lengths)
        psi = self._value(state, round, setting, weights, total, lengths)
        r = rewards.importance(state["average"], psi, self.alpha, self.floor) if psi.any() else state["weights"]
        blocks = setting.blocks if self.mask == "layers" else None
        quality = rewards.quality(r, self.beta)
        reward = sparsify(total, quality, blocks, self.rounding, self.keep_ties)
        new = {"weights": r, "average": r if psi.any() else state["average"]}
        if self.news:
            new |= {"sent": total.double(), "quality": quality}
        return new, Step(total, reward, {"weights": shares, "psi": psi, "r": r, "q": reward.kept})

    def _value(self, state: State, round: Round, setting: Setting, weights: Tensor, total: Tensor,
               lengths: Tensor) -> Tensor:
        """The agents' values, (N,) float64."""
        psi, length = cgsv.cosine(round.updates, total, lengths).cpu(), float(rewards.norms(total[None])[0])
        own = weights * lengths.cpu()
        value = defences.without_own(psi, own, length) if self.others else psi
        if not self.news:
            return value
        blocks = setting.blocks if self.mask == "layers" else None
        sent = sparsify(state["sent"].to(total), state["quality"], blocks, self.rounding, self.keep_ties)
        with_own, with_sum = torch.zeros_like(psi), torch.zeros_like(psi)
        for i in range(len(psi)):
            download = sent.row(i)
            with_own[i] = cgsv.cosine(round.updates[i : i + 1], download, lengths[i : i + 1])[0]
            with_sum[i] = cgsv.cosine(download[None], total)[0]
        if self.others:
            with_sum = defences.toward_others(with_sum, with_own, psi, own, length)
        return defences.news(value, with_own, with_sum)
