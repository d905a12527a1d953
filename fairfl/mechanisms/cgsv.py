"""Fair gradient rewards: the mechanism of Xu et al. (2021), Sec. 3.4."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fairfl import approximation, cgsv, rewards
from fairfl.downloads import sparsify
from fairfl.mechanisms.base import Round, Setting, State, Step, check_scaling, first_weights
from fairfl.randomness import derived_seed
from fairfl.shapley import check_limit

VALUATIONS = ("cosine", "first_order", "sampled", "exact")


@dataclass(frozen=True)
class CGSV:
    """Value each update by its cosine to the aggregate, pay with a sparsified aggregate.

    In round t the server normalises and sums the updates with the coefficients r_{t-1} (eq. (1)), values each of
    them as psi_i = cos(u_i, u_N) (eq. (3)), takes the values into the moving average r_t (eq. (4)) and lets agent i
    download the q_i largest entries of the sum (eq. (5)). Derived in "Paying with gradients", run in "The whole
    mechanism". The value may also be the Shapley value phi_i itself, with the weights r_{t-1} inside u_S (eq. (2)).

    Args:
        beta: degree of altruism, > 0; ``math.inf`` rewards all alike.
        alpha: weight of the past in r, in [0, 1].
        scaling: "normalised" (the paper), "clipped" or "raw", see `base.SCALINGS`.
        floor: least value of the moving average before it is normalised; None for no floor.
        first_weights: weights of round 1, "sizes" or "uniform".
        epsilon: added to an update's norm when dividing by it ("normalised" only).
        mask: "vector" masks the whole update, "layers" each parameter tensor by itself.
        rounding, keep_ties: see `downloads.sparsify`.
        valuation: "cosine" (the paper), "first_order" (`approximation.first_order`), "sampled" or "exact" (`cgsv`).
        permutations, sampling_seed: of "sampled". Permutations go by the agents' names, new ones in each round.

    Logs psi, r, q (all (N,)), weights, the r_{t-1} that were used, and phi unless the valuation is "cosine". Where
    the updates cancel there is nothing to value: psi = 0, nobody downloads anything, r stays.

    Raises:
        ValueError: a hyperparameter outside its range; before round 1, more agents than "exact" can value.
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
    valuation: str = "cosine"
    permutations: int = 600
    sampling_seed: int = 0
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
        if self.valuation not in VALUATIONS:
            raise ValueError(f"unknown valuation {self.valuation!r}; known are {', '.join(VALUATIONS)}")
        if self.permutations < 4 or self.permutations % 2:
            raise ValueError(f"permutations must be an even number, at least 4, not {self.permutations!r}")
        check_scaling(self.scaling)

    def init(self, setting: Setting) -> State:
        if self.valuation == "exact":
            check_limit(len(setting.keys), cgsv.LIMIT)
        # Two different things are called r_0: the weights of the first sum, and where the moving average starts.
        return {"weights": first_weights(self.first_weights, setting),
                "average": torch.zeros(len(setting.keys), dtype=torch.float64)}

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        # u_i = factor_i Delta w_i without a copy: the factors join the weights, and a cosine does not see lengths
        lengths = rewards.norms(round.updates)
        weights = state["weights"] * rewards.factors(lengths, round.gamma, self.scaling, self.epsilon).cpu()
        total = rewards.aggregate(round.updates, weights, lengths)  # eq. (1)
        psi = cgsv.cosine(round.updates, total, lengths).cpu()  # eq. (3)
        value = psi if self.valuation == "cosine" else self._phi(weights, round, setting)
        if psi.any():
            r = rewards.importance(state["average"], value, self.alpha, self.floor)  # eq. (4)
            new = {"weights": r, "average": r}
        else:
            r, new = state["weights"], state
        blocks = setting.blocks if self.mask == "layers" else None
        reward = sparsify(total, rewards.quality(r, self.beta), blocks, self.rounding, self.keep_ties)  # eq. (5)
        log = {"weights": state["weights"], "psi": psi, "r": r, "q": reward.kept}
        if self.valuation != "cosine":
            log["phi"] = value
        return new, Step(total, reward, log)

    def _phi(self, weights: Tensor, round: Round, setting: Setting) -> Tensor:
        """Eq. (2), exactly or nearly, (N,)."""
        gram = cgsv.gram(round.updates, weights).cpu()
        if self.valuation == "exact":
            return cgsv.exact(gram)
        if self.valuation == "first_order":
            return approximation.first_order(gram)
        seed = derived_seed(self.sampling_seed, "valuation", round.t)
        return cgsv.sampled(gram, seed, self.permutations, names=setting.keys).values
