"""The mechanisms, one file each; `build` finds them by name."""

from __future__ import annotations

from fairfl.mechanisms.base import Mechanism
from fairfl.mechanisms.cgsv import CGSV
from fairfl.mechanisms.fedavg import FedAvg
from fairfl.mechanisms.standalone import Standalone

MECHANISMS = {"cgsv": CGSV, "fedavg": FedAvg, "standalone": Standalone}


def build(name: str, **hyperparameters) -> Mechanism:
    """The mechanism of this name, e.g. ``build("cgsv", beta=2)``.

    Raises:
        ValueError: an unknown name; the message lists the known ones.
        TypeError: a hyperparameter that this mechanism does not have.
    """
    if name not in MECHANISMS:
        raise ValueError(f"unknown mechanism {name!r}; known are {', '.join(MECHANISMS)}")
    return MECHANISMS[name](**hyperparameters)
