"""Fair gradient rewards: the mechanism of Xu et al. (2021), Sec. 3.4."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from fairfl import cgsv, rewards
from fairfl.downloads import sparsify
from fairfl.mechanisms.base import SCALINGS, Round, Setting, State, Step, check_scaling, first_weights


@dataclass(frozen=True)
class CGSV:
    """Value each update by its cosine to the aggregate, pay with a sparsified aggregate.

    In round t the server normalises and sums the updates with the coefficients r_{t-1} (eq. (1)), values each of
    them as psi_i = cos(u_i, u_N) (eq. (3)), takes the values into the moving average r_t (eq. (4)) and lets agent i
    download the q_i largest entries of the sum (eq. (5)). Derived in "Paying with gradients", run in "The whole
    mechanism".

    Args:
        beta: degree of altruism, > 0; ``math.inf`` rewards all alike.
        alpha: weight of the past in r, in [0, 1].
        scaling: "normalised" (the paper), "clipped" or "raw", see `base.SCALINGS`.
        floor: least value of the moving average before it is normalised; None for no floor.
        first_weights: weights of round 1, "sizes" or "uniform".
        epsilon: added to an update's norm when dividing by it ("normalised" only).
        mask: "vector" masks the whole update, "layers" each parameter tensor by itself.
        rounding, keep_ties: see `downloads.sparsify`.

    Logs psi, r, q (all (N,)) and weights, the r_{t-1} that were used. Where the updates cancel there is nothing to
    value: psi = 0, nobody downloads anything, r stays.

    Raises:
        ValueError: a hyperparameter outside its range.
    """

    beta: float = 1.0
    alpha: float = 0.95
    scaling: str = "normalised"
    floor: float | None = 1e-3
    first_weights: str = "sizes"
    epsilon: float = 0.0
    mask: str = "vector"
    rounding: str = "floor"
    keep_ties: bool = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        if not self.beta > 0:
            raise ValueError(f"beta must be positive, not {self.beta!r}")
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha must lie in [0, 1], not {self.alpha!r}")
        if self.floor is not None and not 0 < self.floor < math.inf:
            raise ValueError(f"floor must be positive or None, not {self.floor!r}")
        if self.epsilon < 0 or (self.epsilon and self.scaling != "normalised"):
            raise ValueError(f"epsilon={self.epsilon!r} needs scaling='normalised' and must not be negative")
        if self.mask not in ("vector", "layers"):
            raise ValueError(f"unknown mask {self.mask!r}; known are 'vector' and 'layers'")
        check_scaling(self.scaling)

    def init(self, setting: Setting) -> State:
        # Two different things are called r_0: the weights of the first sum, and where the moving average starts.
        return {"weights": first_weights(self.first_weights, setting),
                "average": torch.zeros(len(setting.keys), dtype=torch.float64)}

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        if self.epsilon:
            u = rewards.normalise(round.updates, round.gamma, self.epsilon)
        else:
            u = SCALINGS[self.scaling](round.updates, round.gamma)
        total = rewards.aggregate(u, state["weights"])  # eq. (1)
        psi = cgsv.cosine(u, total).cpu()  # eq. (3)
        if total.any():
            r = rewards.importance(state["average"], psi, self.alpha, self.floor)  # eq. (4)
            new = {"weights": r, "average": r}
        else:
            r, new = state["weights"], state
        blocks = setting.blocks if self.mask == "layers" else None
        reward = sparsify(total, rewards.quality(r, self.beta), blocks, self.rounding, self.keep_ties)  # eq. (5)
        log = {"weights": state["weights"], "psi": psi, "r": r, "q": reward.kept}
        return new, Step(total, reward, log)
