"""Round robin, Xu et al. (2021), Sec. 4.1. Chapter "The competition"."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fairfl import _checks
from fairfl.mechanisms.base import Averaging, Round, Setting, State, Step
from fairfl.payments import CatchUp


@dataclass(frozen=True)
class RR(Averaging):
    """Sum as `FedAvg` does; agents take turns and then download the server's model.

    So Shokri and Shmatikov (2015) schedule downloads; the paper names the baseline and
    no more. Our choices: the turn goes by the agents' names, shorter ones first, then
    by alphabet ("2" before "10"), one agent a round; where
    some are absent, it is the turn of who has waited longest of those present. It
    catches up: w_{i,t} = w_t, all that it missed since its last turn. (Read literally,
    an agent would get 1 / N of the sums and miss the others for ever.) Nobody is more
    than N - 1 rounds behind, unless some are absent.

    Args:
        last_round: in this round everybody catches up, 1, 2, ...; None: never.

    Logs weights, q (D or 0) and staleness, the rounds since an agent last held the
    server's model.
    """

    last_round: int | None = None
    needs: ClassVar[tuple[str, ...]] = ("models", "server")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.last_round is not None:
            _checks.whole(last_round=self.last_round)

    def init(self, setting: Setting) -> State:
        return {"visited": torch.zeros(len(setting.keys), dtype=torch.int64)}  # by w_0

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        total = self.mean_update(round, setting)
        turn = self._turn(state["visited"].tolist(), round.t, setting.keys)
        last = round.t == self.last_round
        served = torch.tensor([key == turn or last for key in setting.keys])
        visited = torch.where(served, round.t, state["visited"])
        reward = CatchUp(round.models, round.server + total, served)
        log = {"weights": setting.size_shares, "q": reward.kept,
               "staleness": round.t - visited}
        return {"visited": visited}, Step(total, reward, log)

    def standing(self, state: State, t: int) -> Mapping[str, Tensor]:
        return {"staleness": t - state["visited"]}

    def _turn(self, visited: Sequence[int], t: int, keys: tuple[str, ...]) -> str:
        """Who has waited longest; at first, and after `last_round`, the t-th by name.
        Where nobody is ever absent, that is the t-th always."""
        order = sorted(keys, key=lambda key: (len(key), key))
        first = (t - 1) % len(order)
        waited = dict(zip(keys, visited, strict=True))
        return min(order[first:] + order[:first], key=lambda key: waited[key])
