"""Fair gradient rewards, Xu et al. (2021), Sec. 3.4. Chapter "The whole mechanism"."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fairfl import _checks, approximation, cgsv, rewards
from fairfl.downloads import Sparsified, sparsify
from fairfl.mechanisms.base import SCALINGS, Round, Setting, State, Step
from fairfl.mechanisms.importance import Importance
from fairfl.randomness import derived_seed
from fairfl.shapley import check_limit

VALUATIONS = ("cosine", "first_order", "sampled", "exact")


@dataclass(frozen=True)
class CGSV(Importance):
    """Value each update by its cosine to the sum, pay with a sparsified sum.

    In round t the server sums the normalised updates with the weights r_{t-1}, eq. (1),
    values each as psi_i = cos(u_i, u_N), eq. (3), takes the values into the moving
    average r_t, eq. (4), and lets agent i download the q_i largest entries of the sum,
    eq. (5). The value may also be the Shapley value phi_i itself, eq. (2), with the
    weights r_{t-1} inside u_S.

    Args:
        beta: degree of altruism, > 0; ``math.inf`` rewards all alike.
        alpha: weight of the past in r, in [0, 1].
        scaling: "normalised" (the paper), "clipped" or "raw".
        floor: > 0, least moving average before it is normalised; None: no floor.
        first_weights: r_0 in eq. (1), "sizes" n_i / sum n or "uniform" 1 / N.
        epsilon: >= 0, added to an update's norm when dividing by it ("normalised").
        mask: "vector" masks the whole update, "layers" each parameter tensor by itself.
        rounding, keep_ties: see `downloads.sparsify`.
        valuation: "cosine" (the paper), "first_order" (`approximation`), "sampled" or
            "exact" (`cgsv`).
        permutations, sampling_seed: of "sampled", by the agents' names and new in each
            round; an even number, at least 4.

    Logs psi, r, q (all (N,)), weights, the r_{t-1} that were used, and phi unless the
    valuation is "cosine". Where the updates cancel there is nothing to value: psi = 0,
    nobody downloads anything, r stays. All numbers but beta are finite. More agents
    than "exact" can value are refused before round 1.
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

    def __post_init__(self) -> None:
        _checks.positive(infinite=True, beta=self.beta)
        _checks.within(0, 1, alpha=self.alpha)
        _checks.known("scaling", self.scaling, SCALINGS)
        if self.floor is not None:
            _checks.positive(floor=self.floor)
        _checks.known("first weights", self.first_weights, ("sizes", "uniform"))
        _checks.within(0, math.inf, epsilon=self.epsilon)
        if self.epsilon and self.scaling != "normalised":
            raise ValueError(f"epsilon={self.epsilon!r} needs scaling='normalised'")
        _checks.known("mask", self.mask, ("vector", "layers"))
        _checks.known("rounding", self.rounding, ("floor", "ceil_below_size"))
        _checks.flag(keep_ties=self.keep_ties)
        _checks.known("valuation", self.valuation, VALUATIONS)
        _checks.even(4, permutations=self.permutations)
        _checks.whole(0, sampling_seed=self.sampling_seed)

    def init(self, setting: Setting) -> State:
        weights = setting.size_shares
        if self.valuation == "exact":
            check_limit(len(weights), cgsv.LIMIT)
        if self.first_weights == "uniform":
            weights = torch.full_like(weights, 1 / len(weights))
        # Two things are called r_0: as weights, the zeros of eq. (4) would sum nothing
        return {"weights": weights, "average": torch.zeros_like(weights)}

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        # u_i = factor_i Delta w_i without a copy: the factors join the weights, and a
        # cosine does not see lengths
        lengths = rewards.norms(round.updates)
        weights = state["weights"] * self.factors(lengths, round.gamma)
        total, length, inner = rewards.summed(round.updates, weights, lengths)  # (1)
        psi = cgsv.cosines(inner, lengths, length).cpu()  # eq. (3)
        phi = self.phi(weights, round, setting)  # eq. (2), or None
        value = psi if phi is None else phi
        r, new = state["weights"], state
        if psi.any():
            r = rewards.importance(state["average"], value, self.alpha, self.floor)
            new = {"weights": r, "average": r}  # eq. (4)
        reward = self.pay(total, rewards.quality(r, self.beta), setting)  # eq. (5)
        log = {"weights": state["weights"], "psi": psi, "r": r, "q": reward.kept}
        return new, Step(total, reward, log if phi is None else log | {"phi": phi})

    def factors(self, lengths: Tensor, gamma: float) -> Tensor:
        """What updates of these lengths are multiplied by, (N,) float64: eq. (1)."""
        return rewards.factors(lengths, gamma, self.scaling, self.epsilon).cpu()

    def pay(self, total: Tensor, quality: Tensor, setting: Setting) -> Sparsified:
        """Eq. (5): each agent's part of the sum, by its quality in [0, 1], (N,)."""
        blocks = setting.blocks if self.mask == "layers" else None
        return sparsify(total, quality, blocks, self.rounding, self.keep_ties)

    def phi(self, weights: Tensor, round: Round, setting: Setting) -> Tensor | None:
        """Eq. (2), exactly or nearly, (N,); None where psi stands in its place. Each
        update counts with its weight, (N,), factor included."""
        if self.valuation == "cosine":
            return None
        gram = cgsv.gram(round.updates, weights).cpu()
        if self.valuation == "exact":
            return cgsv.exact(gram)
        if self.valuation == "first_order":
            return approximation.first_order(gram)
        seed = derived_seed(self.sampling_seed, "valuation", round.t)
        return cgsv.sampled(gram, seed, self.permutations, names=setting.keys).values
