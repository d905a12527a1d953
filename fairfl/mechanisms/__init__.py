"""The mechanisms, one file each; `build` finds them by name."""

from fairfl import _checks
from fairfl.mechanisms.base import Mechanism
from fairfl.mechanisms.cffl import CFFL
from fairfl.mechanisms.cgsv import CGSV
from fairfl.mechanisms.dw import DW
from fairfl.mechanisms.eci import ECI
from fairfl.mechanisms.eu import EU
from fairfl.mechanisms.fedavg import FedAvg
from fairfl.mechanisms.fedce import FedCE
from fairfl.mechanisms.guarded import Guarded
from fairfl.mechanisms.iafl import IAFL
from fairfl.mechanisms.lin import Lin
from fairfl.mechanisms.qffl import QFFL
from fairfl.mechanisms.rffl import RFFL
from fairfl.mechanisms.rr import RR
from fairfl.mechanisms.shapfed import ShapFed
from fairfl.mechanisms.standalone import Standalone

MECHANISMS: dict[str, type[Mechanism]] = {
    "cgsv": CGSV, "fedavg": FedAvg, "standalone": Standalone, "qffl": QFFL,
    "cffl": CFFL, "eci": ECI, "dw": DW, "rr": RR, "eu": EU, "guarded": Guarded,
    "rffl": RFFL, "fedce": FedCE, "shapfed": ShapFed, "iafl": IAFL, "lin": Lin,
}


def build(name: str, **hyperparameters) -> Mechanism:
    """The mechanism of this name, e.g. ``build("cgsv", beta=2)``.

    ValueError for what is unknown or outside its range, TypeError for other options.
    """
    _checks.known("mechanism", name, MECHANISMS)
    return MECHANISMS[name](**hyperparameters)
