"""Round robin, a baseline of Xu et al. (2021), Sec. 4.1; so Shokri and Shmatikov (2015) schedule downloads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fairfl.mechanisms.base import Round, Setting, State, Step, check_scaling, mean_update


@dataclass(frozen=True)
class RR:
    """Sum as `FedAvg` does; the agents take turns, and who has its turn downloads the server's model.

    The paper names the baseline and no more. Our choices: the turn goes by the agents' names, shorter ones first, then
    by alphabet ("2" before "10"), one agent a round. It catches up: w_{i,t} = w_t, all that it missed since its last
    turn. (Read literally, an agent would get 1 / N of the sums and miss the others for ever.) After round t nobody is
    more than N - 1 rounds behind.

    Args:
        scaling: see `base.SCALINGS`.
        last_round: in this round everybody catches up; None: never.

    Logs weights, q (D or 0) and staleness, the rounds since an agent last held the server's model. Derived in the
    chapter "The competition".
    """

    scaling: str = "normalised"
    last_round: int | None = None
    needs: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        check_scaling(self.scaling)

    def init(self, setting: Setting) -> State:
        return {"visited": torch.zeros(len(setting.keys), dtype=torch.int64)}  # all hold w_0

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        total = mean_update(round, setting, self.scaling)
        order = sorted(setting.keys, key=lambda key: (len(key), key))
        turn = order[(round.t - 1) % len(order)]
        served = torch.tensor([key == turn or round.t == self.last_round for key in setting.keys])
        visited = torch.where(served, round.t, state["visited"])
        reward = CatchUp(round.models, round.server + total, served)
        log = {"weights": setting.size_shares, "q": reward.kept, "staleness": round.t - visited}
        return {"visited": visited}, Step(total, reward, log)


class CatchUp:
    """The agents that are served get the server's model itself, the others nothing. A `downloads.Reward`."""

    def __init__(self, models: Tensor, server: Tensor, served: Tensor) -> None:
        self.models, self.server, self.served = models, server, served
        self.kept = served * len(server)

    def row(self, i: int) -> Tensor:
        return self.server - self.models[i] if self.served[i] else torch.zeros_like(self.server)

    def add_to(self, models: Tensor) -> None:
        for i in self.served.nonzero().flatten().tolist():
            models[i] = self.server  # not by adding row(i), which may miss it by a rounding
