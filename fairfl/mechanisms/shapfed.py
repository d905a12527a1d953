"""ShapFed (Tastan et al., 2024): cosines class by class, on the last layer. Chapter
"What came after"."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fairfl import _checks, cgsv, rewards
from fairfl.mechanisms.base import Mechanism, Round, Setting, State, Step, weighted_sum
from fairfl.payments import Own

PULLS = ("raw", "max", "sum")
LEAST = 1e-3  # of a value before it becomes a weight or a pull


@dataclass(frozen=True)
class ShapFed(Mechanism):
    """Agents are pulled to the mean model, the more the nearer they are to it.

    Of the update of the last layer, the row of class k with its bias is Delta w_i^k.
    With weights 1 / N at first, g_i is the mean over the classes of cos(Delta w_i^k,
    sum_j weights_j Delta w_j^k), and gamma_i <- mu gamma_i + (1 - mu) g_i, at first
    g_i; the weights are in proportion to gamma. The server's model is the weighted mean
    of what the agents have trained, w_i + Delta w_i, and agent i goes from its own
    trained model the part lambda_i of the way to it.

    In spite of its name the value is no Shapley value: only the coalition of all is
    looked at. Our choices: gamma is raised to .001 before it becomes a weight or a
    pull, lambda is at most 1, and the last two parameter tensors are taken as weights
    (classes x units) and biases of the last layer; others are refused.

    Args:
        mu: weight of the past in gamma, in [0, 1].
        pull: lambda_i, "raw" gamma_i, "max" gamma_i / max gamma, "sum" the weight.

    Logs value (g), gamma, pull and weights, with which the server's mean is taken.
    """

    mu: float = 0.9
    pull: str = "raw"
    needs: ClassVar[tuple[str, ...]] = ("models", "server")
    shares: ClassVar[tuple[str, ...]] = ("weights",)

    def __post_init__(self) -> None:
        _checks.within(0, 1, mu=self.mu)
        _checks.known("pull", self.pull, PULLS)

    def init(self, setting: Setting) -> State:
        """ValueError: the last two tensors cannot be a layer's weights and biases."""
        _last_layer(setting)
        n = len(setting.keys)
        zeros = torch.zeros(n, dtype=torch.float64)
        return {"weights": zeros + 1 / n, "gamma": zeros,
                "valued": torch.zeros(n, dtype=torch.bool)}

    def apply(self, state: State, round: Round, setting: Setting) -> tuple[State, Step]:
        value = self.values(round.updates, state["weights"], setting)
        past = torch.where(state["valued"], state["gamma"], value)
        gamma = self.mu * past + (1 - self.mu) * value
        raised = gamma.clamp(min=LEAST)
        weights = raised / raised.sum()
        pull = {"raw": raised.clamp(max=1), "max": raised / raised.max(),
                "sum": weights}[self.pull]
        mean = weighted_sum(round.updates, weights)
        mean += weighted_sum(round.models, weights)  # of the trained models
        total = (mean - round.server).to(round.updates)
        mean = mean.to(round.updates)

        def pulled(i: int) -> Tensor:
            trained = round.models[i] + round.updates[i]
            return round.updates[i] + float(pull[i]) * (mean - trained)

        new = {"weights": weights, "gamma": gamma,
               "valued": torch.ones_like(state["valued"])}
        log = {"value": value, "gamma": gamma, "pull": pull, "weights": weights}
        kept = torch.full((len(gamma),), setting.dimension)
        return new, Step(total, Own(pulled, kept), log)

    def values(self, updates: Tensor, weights: Tensor, setting: Setting) -> Tensor:
        """g_i, the mean over the classes of the cosines, (N,) float64."""
        weight, bias = _last_layer(setting)
        classes = bias.stop - bias.start
        last = [updates[:, block].reshape(len(updates), classes, -1)
                for block in (weight, bias)]
        rows = torch.cat(last, dim=2).transpose(0, 1)  # (classes, N, units + 1)
        lengths = rewards.norms(rows)
        _, length, inner = rewards.summed(rows, weights.expand(classes, -1), lengths)
        return cgsv.cosines(inner, lengths, length).mean(0).cpu()


def _last_layer(setting: Setting) -> tuple[slice, slice]:
    """Where weights and biases of the last layer lie in a vector."""
    sizes = [block.stop - block.start for block in setting.blocks[-2:]]
    if len(sizes) < 2 or sizes[0] % sizes[1]:
        raise ValueError("ShapFed needs a network whose last two parameter tensors are "
                         "the weights (classes x units) and the biases (classes) of "
                         f"its last layer; these have {sizes} entries")
    return setting.blocks[-2], setting.blocks[-1]
