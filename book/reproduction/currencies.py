"""Other currencies for the quality of eq. (5): what the server pays with, for the
chapter "Is it an incentive?".

CGSV decides who earns how much, and pays with *many* entries of the sum. These two ask
the same quality in [0, 1] for as much of its length, or for as new a model. All raise
the quality to a power first: 1 is the paper's, more pays the better more steeply.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fairfl import _checks, rewards
from fairfl.downloads import Sparsified
from fairfl.mechanisms import CGSV
from fairfl.mechanisms.base import Round, Setting, State, Step
from fairfl.payments import Dense


@dataclass(frozen=True)
class Count(CGSV):
    """The floor(D quality^power) largest entries; `CGSV` itself at the power 1."""

    power: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _checks.positive(power=self.power)

    def pay(self, total: Tensor, quality: Tensor, setting: Setting) -> Sparsified:
        return super().pay(total, quality**self.power, setting)


@dataclass(frozen=True)
class Energy(Count):
    """The fewest entries that have quality^power of the sum's length, |v_i| >=
    quality^power |u_N|; with mask="layers" so in each parameter tensor."""

    def pay(self, total: Tensor, quality: Tensor, setting: Setting) -> Sparsified:
        whole = [slice(0, len(total))]
        blocks = setting.blocks if self.mask == "layers" else whole
        counts = [fewest(total[block], quality**self.power) for block in blocks]
        return Sparsified(total, torch.stack(counts, 1), blocks, self.keep_ties)


def fewest(u: Tensor, parts: Tensor) -> Tensor:
    """The least number of entries of u, (D,), with at least these parts, in [0, 1], of
    its length: (N,) int64."""
    squares = u.double().square().sort(descending=True).values.cumsum(0).cpu()
    wanted = parts.square() * squares[-1]
    # 1e-9: a part that is met but for rounding is met
    found = torch.searchsorted(squares, wanted * (1 - 1e-9)) + 1
    return torch.where(wanted > 0, found, 0)


@dataclass(frozen=True)
class Stale(Count):
    """The server's model as it was after round floor(quality^power t): who earns all
    gets the newest, in the place of its own. The state keeps all models of the server,
    (t, D), and none of an agent."""

    needs: ClassVar[tuple[str, ...]] = ("models", "server")
    common: ClassVar[tuple[str, ...]] = ("past",)

    def init(self, setting: Setting) -> State:
        return super().init(setting) | {"past": torch.empty(0, setting.dimension)}

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        past = torch.cat([state["past"].to(round.server), round.server[None]])
        new, step = super().apply(state, round, setting)
        quality = rewards.quality(new["weights"], self.beta) ** self.power
        age = (round.t * quality + 1e-9).floor().long()
        models = torch.cat([past, (round.server + step.aggregate)[None]])
        reward = Earlier(round.models, models, age)
        log = {**step.log, "q": reward.kept, "age": age}
        return {**new, "past": past}, step._replace(reward=reward, log=log)


class Earlier(Dense):
    """Agent i's model becomes the server's of round age_i.

    Args:
        models: (N, D), w_{i,t-1}.
        past: (t + 1, D), w_0 to w_t.
        age: (N,) int64, from 0 to t.
    """

    def __init__(self, models: Tensor, past: Tensor, age: Tensor) -> None:
        self.models, self.past, self.age = models, past, age
        self.kept = torch.full((len(models),), models.shape[1])

    def row(self, i: int) -> Tensor:
        return self.past[self.age[i]] - self.models[i]

    def add_to(self, models: Tensor) -> None:
        for model, age in zip(models, self.age.tolist(), strict=True):
            model.copy_(self.past[age])

    def kind(self, i: int) -> str:
        newest = int(self.age[i]) == len(self.past) - 1
        return "model" if newest else "vector"
