"""Federated averaging, Xu et al. (2021), Sec. 3.1. Chapter "Learning together"."""

from dataclasses import dataclass

from fairfl.downloads import Everything
from fairfl.mechanisms.base import Averaging, Round, Setting, State, Step


@dataclass(frozen=True)
class FedAvg(Averaging):
    """Sum with weights p_i = n_i / sum n; everybody downloads all of the sum.

    Args:
        scaling: "normalised", eq. (1), is the paper's vanilla federated learning, "raw"
            federated averaging as first published (McMahan et al., 2017).
    """

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        total = self.mean_update(round, setting)
        weights = setting.size_shares
        return state, Step(total, Everything(total, len(weights)), {"weights": weights})
