"""All candidates of `tuning` with what they reached. Page "Hyperparameters and sizes".
"""

from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from book.reproduction import tuning
from book.reproduction.base import LATER_LABELS
from book.reproduction.pages import markup

LABELS = {"standalone": "Standalone", "averaging": "FedAvg and CGSV",
          "qffl": "q-FFL", "cffl": "CFFL",
          **{name: LATER_LABELS[name] for name in tuning.LATER}}
HEADER = ("methods", "candidate", "travel", "validation accuracy, %", "")


def rows(dataset: str, results: Path) -> list[markup.Row]:
    """A row for each candidate that has been run, the best of each family first; where
    a family has two methods, the accuracies of both. The best says where it lacks a
    neighbour."""
    found = []
    for family, label in LABELS.items():
        tried = tuning.scores(dataset, family, results)
        tried.sort(key=lambda pair: -round(fmean(pair[1]), 6))
        ends = tuning.edges(dataset, family, results) if tried else []
        mark = f"best, at an edge in {' and '.join(ends)}" if ends else "best"
        for place, (candidate, reached) in enumerate(tried):
            gamma = {key.removeprefix("gamma_"): value
                     for key, value in candidate.items()}
            text = ", ".join(f"{key} {value:g}" for key, value in gamma.items())
            far = tuning.numbers(dataset, candidate).get("travel")
            found.append((label, text, [
                "" if far is None else f"{far:.0f}",
                ", ".join(f"{score:.1f}" for score in reached),
                "" if place else mark]))
    return found


class Pair(NamedTuple):
    """FedAvg and CGSV with one candidate: percent on the validation set."""

    lr: float
    travel: float
    fedavg: float
    cgsv: float


def pairs(dataset: str, results: Path) -> list[Pair]:
    """One for each candidate that both have run."""
    tried = tuning.scores(dataset, "averaging", results)
    return [Pair(candidate["lr"], tuning.numbers(dataset, candidate)["travel"], *both)
            for candidate, both in tried]
