"""Runs, methods and columns: what tables and figures are made of."""

from pathlib import Path
from typing import NamedTuple

from fairfl.runs.settings import Settings


class Run(NamedTuple):
    """A run and the file of its record, below the folder of results."""

    file: str
    settings: Settings

    def path(self, results: Path) -> Path:
        return results / self.file


# Rows of Tables 1 and 2: the mechanism and its hyperparameters
METHODS: dict[str, tuple[str, dict]] = {
    "standalone": ("standalone", {}),
    "fedavg": ("fedavg", {}),
    "qffl": ("qffl", {}),
    "cffl": ("cffl", {}),
    "eci": ("eci", {}),
    "dw": ("dw", {}),
    "rr": ("rr", {}),
    "eu": ("eu", {}),
    "cgsv-beta1": ("cgsv", {"beta": 1.0}),
    "cgsv-beta1.2": ("cgsv", {"beta": 1.2}),
    "cgsv-beta1.5": ("cgsv", {"beta": 1.5}),
    "cgsv-beta2": ("cgsv", {"beta": 2.0}),
}
# Rows of Table 3, and the value that the paper approximates
TIMED = {name: METHODS[name]
         for name in ("fedavg", "qffl", "cffl", "eci", "dw", "rr", "eu", "cgsv-beta1")}
TIMED["cgsv-exact"] = ("cgsv", {"beta": 1.0, "valuation": "exact"})
# Mechanisms that the paper could not or did not compare with, chapter "What came
# after", and the mean of raw updates, which most of them start from
LATER: dict[str, tuple[str, dict]] = {
    "fedavg-raw": ("fedavg", {"scaling": "raw"}),
    "rffl": ("rffl", {}),
    "rffl-sent": ("rffl", {"keep_own": False}),
    "lin": ("lin", {}),
    "iafl": ("iafl", {}),
    "iafl-recovering": ("iafl", {"recovery": 0.1}),
    "fedce": ("fedce", {}),
    "shapfed": ("shapfed", {}),
}
LATER_LABELS = {
    "fedavg-raw": "FedAvg, raw updates", "rffl": "RFFL",
    "rffl-sent": "RFFL, own update not kept", "lin": "Lin et al.", "iafl": "IAFL",
    "iafl-recovering": "IAFL, recovery .1", "fedce": "FedCE", "shapfed": "ShapFed"}
# What IAFL is told of the agents' contributions, where they do not differ in size
TOLD = {("iafl", "cla"): {"contributions": "classes"}}


class Column(NamedTuple):
    """A federation that all methods run on."""

    dataset: str
    agents: int
    partition: str

    @property
    def name(self) -> str:
        return f"{self.dataset}-{self.agents}-{self.partition}"
