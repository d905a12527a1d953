"""Extended contribution index: validation-based Shapley values (Song et al., 2019) as quotas, Xu et al., Sec. 4.1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fairfl import rewards
from fairfl.downloads import sparsify
from fairfl.mechanisms.base import SCALINGS, Round, Setting, State, Step, check_scaling
from fairfl.mechanisms.validation import accuracies, coalition_models
from fairfl.randomness import derived_seed
from fairfl.sampling import sampled
from fairfl.shapley import Game, exact

EXACT = 5  # agents


@dataclass(frozen=True)
class ECI:
    """Sum as `FedAvg` does; value the updates by the validation accuracy of all coalitions, pay by the sum of values.

    In round t a coalition is worth what its updates alone would have made of the server's model,
    v(S) = accuracy of w_{t-1} + sum_S p_i u_i / sum_S p_i, and v(nobody) that of w_{t-1}. Agent i's contribution index
    CI_i is the sum over rounds of its Shapley values; it downloads the floor(D max(CI_i, 0) / max_j CI_j) largest
    entries. The paper says only "proportional to the CIs". Our choices: this game, the plain sum, and everything for
    everybody while no CI is positive.

    Args:
        scaling: see `base.SCALINGS`.
        decay: CI_i <- decay CI_i + value, in (0, 1].
        permutations, sampling_seed: up to 5 agents the Shapley value is exact, 2^N evaluations a round; beyond it is
            sampled (`fairfl.sampling`), at most 2 + permutations (N - 1) evaluations. Permutations go by the agents'
            names, new ones in each round.

    Logs phi (sums to v(all) - v(nobody), sampled too), ci, weights and q. Derived in the chapter "The competition".

    Raises:
        ValueError: a hyperparameter outside its range.
    """

    scaling: str = "normalised"
    decay: float = 1.0
    permutations: int = 10
    sampling_seed: int = 0
    needs: ClassVar[frozenset[str]] = frozenset({"accuracy"})

    def __post_init__(self) -> None:
        check_scaling(self.scaling)
        if not 0 < self.decay <= 1:
            raise ValueError(f"decay must lie in (0, 1], not {self.decay!r}")
        if self.permutations < 4 or self.permutations % 2:
            raise ValueError(f"permutations must be an even number, at least 4, not {self.permutations!r}")

    def init(self, setting: Setting) -> State:
        return {"ci": torch.zeros(len(setting.keys), dtype=torch.float64)}

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        u = SCALINGS[self.scaling](round.updates, round.gamma)
        total = rewards.aggregate(u, setting.size_shares)
        phi = self._phi(_game(u, round, setting), round.t, setting.keys)
        ci = self.decay * state["ci"] + phi
        reward = sparsify(total, (ci / ci.max()).clamp(min=0) if ci.max() > 0 else torch.ones_like(ci))
        return {"ci": ci}, Step(total, reward, {"phi": phi, "ci": ci, "weights": setting.size_shares, "q": reward.kept})

    def _phi(self, game: Game, t: int, keys: tuple[str, ...]) -> Tensor:
        if len(keys) <= EXACT:
            return exact(game, len(keys))
        seed = derived_seed(self.sampling_seed, "valuation", t)
        return sampled(game, len(keys), seed, self.permutations, names=keys).values


def _game(u: Tensor, round: Round, setting: Setting) -> Game:
    """v of this round, as `shapley` wants it. No coalition is evaluated twice."""
    known: dict[tuple[bool, ...], float] = {}

    def game(members: Tensor) -> Tensor:
        rows = [tuple(row) for row in members.tolist()]
        new = [row for row in dict.fromkeys(rows) if row not in known]
        if new:
            models = coalition_models(round, u, setting.size_shares, map(torch.tensor, new))
            known.update(zip(new, accuracies(round, models).tolist(), strict=True))
        return torch.tensor([known[row] for row in rows], dtype=torch.float64)

    return game
