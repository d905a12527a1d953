"""Fair federated learning by contributions, FedCE (Jiang et al., 2023), the part that
looks at gradients. Chapter "What came after"."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fairfl import _checks, cgsv, rewards
from fairfl._arrays import CANCELLED
from fairfl.mechanisms.base import Mechanism, Round, Setting, State, Step
from fairfl.payments import Everything


@dataclass(frozen=True)
class FedCE(Mechanism):
    """Who points elsewhere than the others counts more; everybody gets the whole sum.

    With weights c, 1 / N at first, s_i = cos(Delta w_i, sum_{j != i} c_j Delta w_j);
    the next c_i is in proportion to 1 less the mean of s_i over the rounds, and the sum
    is taken with the *new* c. So the sign is the opposite of psi's.

    The authors' second part scores the model without agent i on agent i's own data, on
    which a server cannot ask; it is left out, as their code allows. Our choices: c is
    brought to sum 1 again after it is raised to `floor`; all alike count alike.

    Args:
        floor: > 0, least share before the shares are brought to sum 1.

    Logs value (s), c and weights, which are the same here.
    """

    floor: float = 1e-3
    shares: ClassVar[tuple[str, ...]] = ("c",)

    def __post_init__(self) -> None:
        _checks.positive(floor=self.floor)

    def init(self, setting: Setting) -> State:
        zeros = torch.zeros(len(setting.keys), dtype=torch.float64)
        return {"c": zeros + 1 / len(zeros), "sum": zeros, "rounds": zeros.long()}

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        value = others(cgsv.gram(round.updates).cpu(), state["c"])
        summed, rounds = state["sum"] + value, state["rounds"] + 1
        apart = (1 - summed / rounds).clamp(min=0)
        alike = apart.sum() <= 1e-12 * len(apart)
        c = torch.ones_like(apart) if alike else apart
        c = (c / c.sum()).clamp(min=self.floor)
        c = c / c.sum()
        total = rewards.aggregate(round.updates, c)
        log = {"value": value, "c": c, "weights": c}
        return ({"c": c, "sum": summed, "rounds": rounds},
                Step(total, Everything(total, len(c)), log))


def others(gram: Tensor, c: Tensor) -> Tensor:
    """s_i, the cosine of each update and the weighted sum of the others', (N,) float64;
    0 where either is 0. From the Gram matrix of the updates, (N, N)."""
    weights = c * (1 - torch.eye(len(c), dtype=c.dtype))  # row i without agent i
    inner = (weights * gram).sum(1)
    squares = ((weights @ gram) * weights).sum(1)
    lengths = gram.diagonal().sqrt()
    alive = (lengths > 0) & (squares > CANCELLED * (weights @ lengths) ** 2)
    products = lengths * squares.where(alive, 1.0).sqrt()
    return (inner / products.where(alive, 1.0)).clamp(-1, 1).where(alive, 0.0)
