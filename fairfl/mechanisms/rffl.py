"""Robust and fair federated learning, RFFL (Xu and Lyu, 2021). Chapter "What came
after"."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fairfl import _checks, cgsv, rewards
from fairfl.downloads import sparsify
from fairfl.mechanisms.base import Round, Setting, State, Step
from fairfl.mechanisms.importance import Importance
from fairfl.payments import Own


@dataclass(frozen=True)
class RFFL(Importance):
    """The elder twin of `CGSV`: clipped updates, reputations, and a mask a tensor.

    With u_i = Delta w_i min(1, Gamma / |Delta w_i|), u_N = sum_i r_i u_i and psi_i =
    cos(u_i, u_N), r <- alpha r + (1 - alpha) psi among the reputable agents R, divided
    by its sum. From round `grace` + 1 on, who has r_i < threshold / |R| is expelled: it
    counts no more and never comes back. Agent i keeps u_i and downloads, of each
    parameter tensor, the min(ceil(size r_i / max r), size - 1) largest entries of u_N.

    As in the authors' code r has no floor and can turn negative. Our choices: the
    server's model moves by u_N (theirs has none); r starts at n_i / sum n as weights
    and at 0 as average; it stays where there is nothing to value or its sum is not
    positive; who has r_i < 0 downloads nothing; two agents always stay.

    Args:
        alpha: weight of the past in r, in [0, 1].
        threshold: in [0, 1].
        grace: rounds in which nobody is expelled, 0, 1, ...
        keep_own: whether an agent keeps what it uploaded beside the download; the
            server adds it, so with attackers take False.

    Logs psi, r, weights, the r that were used, and q; of the expelled r and q are 0.
    """

    alpha: float = 0.95
    threshold: float = 1 / 3
    grace: int = 10
    keep_own: bool = True

    def __post_init__(self) -> None:
        _checks.within(0, 1, alpha=self.alpha, threshold=self.threshold)
        _checks.whole(0, grace=self.grace)
        _checks.flag(keep_own=self.keep_own)

    def init(self, setting: Setting) -> State:
        weights = setting.size_shares
        return {"weights": weights, "average": torch.zeros_like(weights),
                "reputable": torch.ones(len(weights), dtype=torch.bool)}

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        lengths = rewards.norms(round.updates)
        factors = rewards.factors(lengths, round.gamma, "clipped").cpu()
        weights = state["weights"]
        total, length, inner = rewards.summed(
            round.updates, weights * factors, lengths)
        psi = cgsv.cosines(inner, lengths, length).cpu()
        new = state
        average, reputable = self.reputations(state, psi, round.t)
        if psi.any() and average.sum() > 0:
            r = average / average.sum()
            new = {"weights": r, "average": r, "reputable": reputable}
        r = new["weights"]
        quality = r.clamp(min=0) / r.max() if r.max() > 0 else torch.zeros_like(r)
        reward = sparsify(total, quality, setting.blocks, "ceil_below_size", True)
        log = {"psi": psi, "r": r, "weights": weights, "q": reward.kept}
        if not self.keep_own:
            return new, Step(total, reward, log)

        def kept(i: int) -> Tensor:
            return reward.row(i).add_(round.updates[i], alpha=float(factors[i]))

        return new, Step(total, Own(kept, reward.kept), log)

    def reputations(self, state: State, psi: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """The averages after a round with these psi, before they are divided by their
        sum, and who is reputable, (N,) each."""
        reputable = state["reputable"]
        left = int(reputable.sum())
        average = (self.alpha * state["average"] + (1 - self.alpha) * psi) * reputable
        if t <= self.grace or left <= 2 or average.sum() <= 0:
            return average, reputable
        r = average / average.sum()
        second = r[reputable].topk(2).values[-1].item()
        stays = reputable & (r >= min(self.threshold / left, second))
        return average * stays, stays
