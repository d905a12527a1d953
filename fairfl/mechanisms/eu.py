"""Download by distance, Xu et al. (2021), Sec. 4.1. Chapter "The competition"."""

from dataclasses import dataclass

import torch

from fairfl import rewards
from fairfl._arrays import CANCELLED
from fairfl.downloads import sparsify
from fairfl.mechanisms.base import Averaging, Round, Setting, State, Step, weighted_sum


@dataclass(frozen=True)
class EU(Averaging):
    """Sum as `FedAvg` does; who uploads near the mean update downloads more of it.

    d_i = |Delta w_i - sum_j p_j Delta w_j| is taken on the updates as they were
    uploaded. The paper sets q_i "proportional to the negative distance", which is
    ill-posed: -d_i / max_j(-d_j) = d_i / d_min is at least 1 and ranks the agents the
    wrong way round. Our choice is q_i = floor(D d_min / d_i): it lies in [0, D], falls
    with d_i and does not depend on the scale. An agent without a distance gets
    everything; a distance that is rounding is none. Logs distance, weights and q.
    """

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        total = self.mean_update(round, setting)
        mean = weighted_sum(round.updates, setting.size_shares)
        gaps = (rewards.norms((row - mean)[None]) for row in round.updates)
        d = torch.cat(list(gaps)).cpu()
        d = d * (d**2 > CANCELLED * rewards.norms(round.updates).max().cpu() ** 2)
        reward = sparsify(total, torch.where(d > 0, d.min() / d, 1.0))
        log = {"distance": d, "weights": setting.size_shares, "q": reward.kept}
        return state, Step(total, reward, log)
