"""Fair gradient rewards with corrections against agents that cheat. Ours; the paper leaves them to future work."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fairfl import cgsv, rewards
from fairfl.downloads import sparsify
from fairfl.mechanisms import defences
from fairfl.mechanisms.base import Round, Setting, State, Step
from fairfl.mechanisms.cgsv import CGSV


@dataclass(frozen=True)
class Guarded(CGSV):
    """`CGSV` with up to three corrections, see `fairfl.mechanisms.defences`; with all of them off it does what CGSV does.

    Derived in the chapter "When agents cheat".

    Args:
        others: value an update by its cosine to the sum of the *others*. Against noise.
        news: value only what an agent has not downloaded in the round before. Against re-uploaded downloads.
        crowding: the power of `defences.likeness`; updates that are alike share one weight in the sum, and with
            `others` do not vouch for each other. Against copies of oneself. None: off.

    Logs psi (the corrected value), r, q, and weights, those that were used in the sum.

    Raises:
        ValueError: as CGSV; another valuation than "cosine"; crowding is not positive.
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
        if self.news:  # what was sent in the last round: nothing
            state |= {"sent": torch.zeros(setting.dimension, dtype=torch.float64),
                      "quality": torch.zeros(len(setting.keys), dtype=torch.float64)}
        return state

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        lengths = rewards.norms(round.updates)
        u = rewards.normalise(round.updates, 1.0)
        cosines = cgsv.gram(u).cpu()
        alike = defences.likeness(cosines, self.crowding)
        shares = state["weights"] if self.crowding is None else defences.shared(state["weights"], alike)
        weights = shares * rewards.factors(lengths, round.gamma, self.scaling, self.epsilon).cpu()
        total = rewards.aggregate(round.updates, weights, lengths)
        own = weights * lengths.cpu()  # an update's length in the sum
        judging = defences.judges(own, alike) if self.others else own.expand(len(own), -1)
        psi = defences.values(cosines, judging, self._with_downloads(state, u, setting) if self.news else None)
        r, average = state["weights"], state["average"]
        if psi.any() and total.any():
            r = average = rewards.importance(average, psi, self.alpha, self.floor)
        quality = rewards.quality(r, self.beta)
        reward = self._pay(total, quality, setting)
        new = {"weights": r, "average": average}
        if self.news:
            new |= {"sent": total.double(), "quality": quality}
        return new, Step(total, reward, {"weights": shares, "psi": psi, "r": r, "q": reward.kept})

    def _pay(self, total: Tensor, quality: Tensor, setting: Setting):
        blocks = setting.blocks if self.mask == "layers" else None
        return sparsify(total, quality, blocks, self.rounding, self.keep_ties)

    def _with_downloads(self, state: State, u: Tensor, setting: Setting) -> Tensor:
        """Row i: cosines of agent i's last download with all updates u of length 1, (N, N)."""
        sent, rows = self._pay(state["sent"].to(u), state["quality"], setting), []
        for i in range(len(u)):
            download = sent.row(i)
            length = float(download.double().norm())
            rows.append((u @ (download / length if length else download)).double().cpu())
        return torch.stack(rows)
