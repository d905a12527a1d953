"""Dataset-weighted download, a baseline of Xu et al. (2021), Sec. 4.1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fairfl.downloads import sparsify
from fairfl.mechanisms.base import Round, Setting, State, Step, check_scaling, mean_update


@dataclass(frozen=True)
class DW:
    """Sum as `FedAvg` does; agent i downloads the q_i = floor(D n_i / n_max) largest entries of the sum.

    The paper says "proportional to the agents' local dataset sizes"; that the largest data set earns all of the sum
    is our choice. Agents with equally many samples all download everything: FedAvg.

    Args:
        scaling: see `base.SCALINGS`.

    Logs weights and q. Derived in the chapter "The competition".
    """

    scaling: str = "normalised"
    needs: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        check_scaling(self.scaling)

    def init(self, setting: Setting) -> State:
        return {}

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        total = mean_update(round, setting, self.scaling)
        reward = sparsify(total, setting.sizes.double() / setting.sizes.max())
        return state, Step(total, reward, {"weights": setting.size_shares, "q": reward.kept})
