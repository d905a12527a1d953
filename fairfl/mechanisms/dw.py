"""Dataset-weighted download, Xu et al. (2021), Sec. 4.1. Chapter "The competition"."""

from dataclasses import dataclass

from fairfl.downloads import sparsify
from fairfl.mechanisms.base import Averaging, Round, Setting, State, Step


@dataclass(frozen=True)
class DW(Averaging):
    """Sum as `FedAvg` does; agent i downloads the floor(D n_i / n_max) largest entries.

    The paper says "proportional to the agents' local dataset sizes"; that the largest
    data set earns all of the sum is our choice. Agents with equally many samples all
    download everything: FedAvg. Logs weights and q.
    """

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        total = self.mean_update(round, setting)
        reward = sparsify(total, setting.sizes.double() / setting.sizes.max())
        log = {"weights": setting.size_shares, "q": reward.kept}
        return state, Step(total, reward, log)
