"""Federated averaging (McMahan et al., 2017) as Xu et al. (2021) write it, Sec. 3.1.

Chapter "Learning together".
"""

from __future__ import annotations

from dataclasses import dataclass

from fairfl.downloads import Everything
from fairfl.mechanisms.base import Averaging, Round, Setting, State, Step


@dataclass(frozen=True)
class FedAvg(Averaging):
    """Sum with weights p_i = n_i / sum n; everybody downloads all of the sum.

    Args:
        scaling: "normalised" to length Gamma (eq. (1), the paper's vanilla federated
            learning), "raw" for federated averaging as first published, "clipped".
    """

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        total = self.mean_update(round, setting)
        reward = Everything(total, len(setting.keys))
        return state, Step(total, reward, {"weights": setting.size_shares})
