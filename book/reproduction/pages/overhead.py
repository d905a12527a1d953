"""Table 3: what a mechanism costs beside training, as measured here and as published.
Chapter "What fairness costs"."""

import csv
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from book.reproduction.pages.intervals import half_a_unit
from fairfl.runs.records import Record

COLUMNS = (
    "mnist-5-pow",
    "mnist-10-pow",
    "mnist-20-pow",
    "cifar10-5-pow",
    "cifar10-10-pow",
    "mr-5-pow",
    "sst-5-pow",
)


class Seconds(NamedTuple):
    """Of a run without its first round, in which memory is still being allocated."""

    mechanism: float
    training: float

    @property
    def ratio(self) -> float:
        return self.mechanism / self.training


def seconds(record: Record) -> Seconds:
    """What the mechanism (aggregation, valuation, rewards) and what the agents'
    training took, without round 1.

    Raises:
        ValueError: a record of one round.
    """
    mechanism, training = (
        record.history[f"seconds_{part}"][1:] for part in ("mechanism", "training")
    )
    if not len(training):
        raise ValueError(
            "a run of one round has nothing but its first round, which is not timed"
        )
    return Seconds(float(mechanism.sum()), float(training.sum()))


class Implied(NamedTuple):
    """The training times in seconds that a published overhead and its ratio allow."""

    method: str
    column: str  # "mnist-5"
    low: float
    middle: float
    high: float


def implied_training(paper: Path) -> list[Implied]:
    """The overhead over the ratio, for each number of Table 3; both were rounded to the
    digits that are printed."""
    with (paper / "table3_overhead.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = []
    for row in rows:
        overhead, ratio = (
            Decimal(row["overhead_seconds"]),
            Decimal(row["overhead_over_training"]),
        )
        over, under = (half_a_unit(number) for number in (overhead, ratio))
        column = f"{row['dataset'].lower().replace('-', '')}-{row['agents']}"
        found.append(
            Implied(
                row["method"],
                column,
                float((overhead - over) / (ratio + under)),
                float(overhead / ratio),
                float((overhead + over) / (ratio - under)),
            )
        )
    return found


def at_odds(implied: list[Implied]) -> list[Implied]:
    """Of one column, the numbers that no single training time is compatible with: those
    outside of the time that suits most methods. Empty where one time suits all of
    them."""
    ends = sorted({one.low for one in implied})
    best = max(
        ends, key=lambda time: sum(one.low <= time <= one.high for one in implied)
    )
    return [one for one in implied if not one.low <= best <= one.high]
