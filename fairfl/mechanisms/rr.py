"""Round robin, Xu et al. (2021), Sec. 4.1. Chapter "The competition"."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fairfl import _checks
from fairfl.mechanisms.base import Averaging, Round, Setting, State, Step


@dataclass(frozen=True)
class RR(Averaging):
    """Sum as `FedAvg` does; agents take turns and then download the server's model.

    So Shokri and Shmatikov (2015) schedule downloads; the paper names the baseline and
    no more. Our choices: the turn goes by the agents' names, shorter ones first, then
    by alphabet ("2" before "10"), one agent a round. It catches up: w_{i,t} = w_t, all
    that it missed since its last turn. (Read literally, an agent would get 1 / N of the
    sums and miss the others for ever.) Nobody is more than N - 1 rounds behind.

    Args:
        last_round: in this round everybody catches up, 1, 2, ...; None: never.

    Logs weights, q (D or 0) and staleness, the rounds since an agent last held the
    server's model.
    """

    last_round: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.last_round is not None:
            _checks.whole(last_round=self.last_round)

    def init(self, setting: Setting) -> State:
        return {"visited": torch.zeros(len(setting.keys), dtype=torch.int64)}  # by w_0

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        total = self.mean_update(round, setting)
        order = sorted(setting.keys, key=lambda key: (len(key), key))
        turn = order[(round.t - 1) % len(order)]
        last = round.t == self.last_round
        served = torch.tensor([key == turn or last for key in setting.keys])
        visited = torch.where(served, round.t, state["visited"])
        reward = CatchUp(round.models, round.server + total, served)
        log = {"weights": setting.size_shares, "q": reward.kept,
               "staleness": round.t - visited}
        return {"visited": visited}, Step(total, reward, log)


class CatchUp:
    """Who is served gets the server's model, the others nothing: a `Reward`."""

    def __init__(self, models: Tensor, server: Tensor, served: Tensor) -> None:
        self.models, self.server, self.served = models, server, served
        self.kept = served * len(server)

    def row(self, i: int) -> Tensor:
        return self.served[i] * (self.server - self.models[i])

    def add_to(self, models: Tensor) -> None:
        for i in self.served.nonzero().flatten().tolist():
            models[i] = self.server  # to the bit; adding row(i) may miss it
