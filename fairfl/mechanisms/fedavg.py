"""Federated averaging (McMahan et al., 2017) in the paper's form: Sec. 3.1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fairfl.downloads import Everything
from fairfl.mechanisms.base import Round, Setting, State, Step, check_scaling, mean_update


@dataclass(frozen=True)
class FedAvg:
    """Sum the updates with weights p_i = n_i / sum n; everybody downloads all of the sum.

    Args:
        scaling: "normalised" to length Gamma (eq. (1), the paper's vanilla federated learning), "raw" for federated
            averaging as first published, "clipped" in between.

    Derived in the chapter "Learning together".
    """

    scaling: str = "normalised"
    needs: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        check_scaling(self.scaling)

    def init(self, setting: Setting) -> State:
        return {}

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        total = mean_update(round, setting, self.scaling)
        return state, Step(total, Everything(total, len(setting.keys)), {"weights": setting.size_shares})
