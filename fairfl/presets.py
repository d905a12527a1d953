"""The paper's text and its published code, now and before, as settings.

Each difference is a field with a name of its own; the loop knows nothing of presets:
``presets.load("paper").mechanism(beta=1.2)``. Chapter "The paper and its code".
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from fairfl import _checks
from fairfl.mechanisms.cgsv import CGSV
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining


@dataclass(frozen=True)
class Preset:
    """Fields for the mechanism, for training and Gamma on MNIST, for POW and CLA."""

    cgsv: Mapping[str, Any]
    local: LocalTraining
    gamma: Schedule
    power_law: Mapping[str, Any]
    classes: Mapping[str, Any]

    def mechanism(self, **changes) -> CGSV:
        """With this preset's fields, e.g. ``preset.mechanism(beta=2)``."""
        return CGSV(**{**self.cgsv, **changes})


PRESETS = {
    # The text of Xu et al. (2021), Secs. 3 and 4.2. Where it is silent or divides by
    # zero: weights n_i / sum n in round 1, a floor under the moving average, ties by
    # index, the learning rate of the published code's options. Delta w = -eta grad F_i.
    "paper": Preset(
        cgsv={"alpha": 0.95, "first_weights": "sizes", "floor": 1e-3, "mask": "vector",
              "rounding": "floor"},
        local=LocalTraining(lr=Schedule(0.15, 0.977), batch_size=None),
        gamma=Schedule(0.5),
        power_law={"law": "power"},
        classes={"replace": False},
    ),
    # What the script for MNIST runs: masks layer by layer, rounds up but drops an entry
    # of each layer even for the best agent, keeps ties, adds 1e-7 to the norms, three
    # epochs a round with the learning rate lowered after each.
    "published_code": Preset(
        cgsv={"alpha": 0.95, "first_weights": "sizes", "floor": 1e-3, "epsilon": 1e-7,
              "mask": "layers", "rounding": "ceil_below_size", "keep_ties": True},
        local=LocalTraining(
            lr=Schedule(1e-3, 0.955), epochs=3, batch_size=32, decay_per="epoch"),
        gamma=Schedule(0.5),
        power_law={"law": "arithmetic"},
        classes={"replace": True},
    ),
}
# The same script before September 2024 (its pull request 3): a step on the last batch
# of an epoch only, the learning rate lowered after each round.
PRESETS["earlier_published_code"] = replace(
    PRESETS["published_code"],
    local=LocalTraining(lr=Schedule(1e-3, 0.955), epochs=3, batch_size=32,
                        decay_per="round", last_batch="only"),
)


def load(name: str) -> Preset:
    """The preset "paper", "published_code" or "earlier_published_code"."""
    _checks.known("preset", name, PRESETS)
    return PRESETS[name]


def differences(first: str, second: str) -> dict[str, tuple[object, object]]:
    """What two presets set differently: "mask" -> ("vector", "layers"), ..."""
    one, two = _flat(load(first)), _flat(load(second))
    return {key: (one[key], two[key]) for key in one if one[key] != two[key]}


def _flat(preset: Preset) -> dict[str, object]:
    """All fields of a preset in one level, by their own names."""
    flat = {"gamma": preset.gamma, **preset.power_law, **preset.classes}
    for part in (preset.mechanism(), preset.local):
        flat |= {field.name: getattr(part, field.name) for field in fields(part)}
    return flat
