"""Contribution index, Xu et al. (2021), Sec. 4.1. Chapter "The competition"."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fairfl import _checks, rewards
from fairfl.downloads import sparsify
from fairfl.mechanisms.base import SCALINGS, Averaging, Round, Setting, State, Step
from fairfl.mechanisms.validation import accuracies, coalition_models
from fairfl.randomness import derived_seed
from fairfl.sampling import sampled
from fairfl.shapley import Game, exact

EXACT = 5  # agents


@dataclass(frozen=True)
class ECI(Averaging):
    """Sum as `FedAvg` does; pay by Shapley values of validation accuracy, summed.

    In round t a coalition is worth what its updates alone would have made of the
    server's model, v(S) = accuracy of w_{t-1} + sum_S p_i u_i / sum_S p_i, and
    v(nobody) that of w_{t-1}. Agent i's contribution index CI_i is the sum over rounds
    of its Shapley values (Song et al., 2019); it downloads the floor(D max(CI_i, 0) /
    max_j CI_j) largest entries. The paper says "proportional to the CIs". This game,
    the plain sum, and everything for everybody while no CI is positive are our choices.

    Args:
        decay: CI_i <- decay CI_i + value, in [0, 1].
        permutations, sampling_seed: beyond 5 agents the values are sampled, at most
            2 + permutations (N - 1) evaluations a round instead of 2^N. Permutations go
            by the agents' names, new ones in each round; an even number, at least 4.

    Logs phi (sums to v(all) - v(nobody), sampled too), ci, weights and q.
    """

    decay: float = 1.0
    permutations: int = 10
    sampling_seed: int = 0
    needs: ClassVar[tuple[str, ...]] = ("accuracy", "server")

    def __post_init__(self) -> None:
        super().__post_init__()
        _checks.within(0, 1, decay=self.decay)
        _checks.even(4, permutations=self.permutations)
        _checks.whole(0, sampling_seed=self.sampling_seed)

    def init(self, setting: Setting) -> State:
        return {"ci": torch.zeros(len(setting.keys), dtype=torch.float64)}

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        u = SCALINGS[self.scaling](round.updates, round.gamma)
        total = rewards.aggregate(u, setting.size_shares)
        phi = self._phi(_game(u, round, setting), round.t, setting.keys)
        ci = self.decay * state["ci"] + phi
        nobody = ci.max() <= 0
        quality = torch.ones_like(ci) if nobody else (ci / ci.max()).clamp(min=0)
        reward = sparsify(total, quality)
        log = {"phi": phi, "ci": ci, "weights": setting.size_shares, "q": reward.kept}
        return {"ci": ci}, Step(total, reward, log)

    def standing(self, state: State, t: int) -> Mapping[str, Tensor]:
        return {"ci": state["ci"]}

    def _phi(self, game: Game, t: int, keys: tuple[str, ...]) -> Tensor:
        if len(keys) <= EXACT:
            return exact(game, len(keys))
        seed = derived_seed(self.sampling_seed, "valuation", t)
        return sampled(game, len(keys), seed, self.permutations, names=keys).values


def _game(u: Tensor, round: Round, setting: Setting) -> Game:
    """v of this round, as `shapley` wants it. No coalition is evaluated twice."""
    worth: dict[tuple[bool, ...], float] = {}

    def game(members: Tensor) -> Tensor:
        rows = [tuple(row) for row in members.tolist()]
        new = [row for row in dict.fromkeys(rows) if row not in worth]
        if new:
            coalitions = map(torch.tensor, new)
            models = coalition_models(round, u, setting.size_shares, coalitions)
            worth.update(zip(new, accuracies(round, models).tolist(), strict=True))
        return torch.tensor([worth[row] for row in rows], dtype=torch.float64)

    return game
