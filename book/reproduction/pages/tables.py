"""The published tables and the records beside them. Chapters "Accuracy and fairness"
and "What fairness costs".

Accuracies are in percent, agents last; a cell without a record is None, never a guess.
"""

import csv
import math
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from book.reproduction import plan
from book.reproduction.base import METHODS, TIMED, Column
from fairfl import metrics
from fairfl.runs import records
from fairfl.runs.records import Record

# Methods and data sets as the published tables call them
PUBLISHED_METHODS = {
    "standalone": "Standalone",
    "fedavg": "FedAvg",
    "qffl": "q-FFL",
    "cffl": "CFFL",
    "eci": "ECI",
    "dw": "DW",
    "rr": "RR",
    "eu": "EU",
    "cgsv": "CGSV",
}
PUBLISHED_DATASETS = {
    "mnist": "MNIST",
    "cifar10": "CIFAR-10",
    "mr": "MR",
    "sst": "SST",
    "digits": "digits",
}
CONVENTIONS = {"downloaded": "test_accuracy", "trained": "trained_test_accuracy"}


class Cell(NamedTuple):
    """One method on one column, S seeds, N agents."""

    seeds: tuple[int, ...]
    accuracy: Tensor  # (S, N) percent
    # (S, N) percent, what the same agents reach alone; None: not all recorded
    alone: Tensor | None
    records: tuple[Record, ...]

    @property
    def mean(self) -> Tensor:
        """Average over the agents, (S,)."""
        return self.accuracy.mean(1)

    @property
    def best(self) -> Tensor:
        """Highest of the agents, (S,)."""
        return self.accuracy.amax(1)

    @property
    def worst(self) -> Tensor:
        """Lowest of the agents, (S,)."""
        return self.accuracy.amin(1)

    @property
    def fairness(self) -> Tensor:
        """The paper's rho, (S,), nan where it is not defined or nothing is known of the
        agents alone."""
        return self._with_alone(metrics.fairness)

    @property
    def rank_correlation(self) -> Tensor:
        """Spearman's, (S,), in [-1, 1]."""
        return self._with_alone(metrics.rank_correlation)

    @property
    def gain(self) -> Tensor:
        """Collaboration gain of each agent in points, (S, N)."""
        return self._with_alone(metrics.collaboration_gain)

    def last(self, name: str) -> Tensor:
        """The last recorded value of a series such as "r" or "test_loss", (S, N).

        Raises:
            KeyError: it is not recorded.
        """
        return torch.stack(
            [record.history[name][-1].double() for record in self.records]
        )

    def _with_alone(self, function) -> Tensor:
        if self.alone is None:
            return torch.full((len(self.seeds),), math.nan, dtype=torch.float64)
        return function(self.alone, self.accuracy)


def cell(
    results: str | Path,
    column: str | Column,
    method: str,
    convention: str = "downloaded",
    variant: str = "",
    seeds: tuple[int, ...] = tuple(range(5)),
) -> Cell | None:
    """What is recorded of a method (a key of `METHODS`) on a column (a key of
    `plan.COLUMNS`); None: nothing.

    Args:
        convention: "downloaded", the agents' models after the last download, or
            "trained", after the last local training and before that download.
        variant: of the runs, see `plan`.

    Raises:
        ValueError: an unknown column, method or convention.
    """
    column = _column(column)
    if method not in METHODS | TIMED or convention not in CONVENTIONS:
        raise ValueError(f"unknown method {method!r} or convention {convention!r}")
    found = {
        seed: record
        for seed in seeds
        if (record := read(results, column, method, seed, variant))
    }
    if not found:
        return None
    alone = {seed: read(results, column, "standalone", seed) for seed in found}
    return Cell(
        tuple(found),
        _accuracies(found.values(), convention),
        _accuracies(alone.values(), "downloaded") if all(alone.values()) else None,
        tuple(found.values()),
    )


def differences(
    ours: Cell, other: Cell, of: Callable[[Cell], Tensor] = lambda found: found.mean
) -> Tensor:
    """of(ours) - of(other) for each seed that both have, (S,): two methods on the same
    agents from the same start.

    Args:
        of: one number a seed, the average accuracy unless something else is asked for.
    """
    a, b = (
        dict(zip(found.seeds, of(found).tolist(), strict=True))
        for found in (ours, other)
    )
    return torch.tensor(
        [a[seed] - b[seed] for seed in a if seed in b], dtype=torch.float64
    )


def read(
    results: str | Path, column: str | Column, method: str, seed: int, variant: str = ""
) -> Record | None:
    """The record of one run, or None."""
    name = "-".join(
        [_column(column).name, method, *([variant] if variant else []), f"seed{seed}"]
    )
    file = Path(results) / f"runs/{name}.json"
    return _load(file, file.stat().st_mtime_ns) if file.exists() else None


@lru_cache(maxsize=1024)
def _load(file: Path, changed: int) -> Record:
    """`changed` lets a record that was written anew be read anew."""
    return records.load(file)


def _column(column: str | Column) -> Column:
    if isinstance(column, Column):
        return column
    if column not in plan.COLUMNS:
        raise ValueError(
            f"unknown column {column!r}; known are {', '.join(plan.COLUMNS)}"
        )
    return plan.COLUMNS[column]


def _accuracies(found, convention: str) -> Tensor:
    return 100 * torch.stack(
        [record.history[CONVENTIONS[convention]][-1].double() for record in found]
    )


@cache
def published(paper: Path, table: str) -> dict[tuple[str, str, str], dict[str, float]]:
    """A published table: (method, beta or "", column's name) -> its numbers by the
    names of the CSV's columns.

    Args:
        paper: the folder ``data/paper``.
        table: "table1_accuracy", "table2_fairness" or "table3_overhead" (whose columns
            have no partition: "mnist-5").
    """
    with (paper / f"{table}.csv").open() as file:
        rows = list(csv.DictReader(file))
    datasets = {name: key for key, name in PUBLISHED_DATASETS.items()}
    found = {}
    for row in rows:
        names = [
            datasets[row.pop("dataset")],
            row.pop("agents"),
            (row.pop("partition", "") or "").lower(),
        ]
        key = row.pop("method"), row.pop("beta", ""), "-".join(filter(None, names))
        found[key] = {name: float(value) for name, value in row.items() if value}
    return found


def as_published(method: str) -> tuple[str, str]:
    """The method and its beta as the published tables write them: "cgsv-beta1.2" ->
    ("CGSV", "1.2")."""
    mechanism, options = {**METHODS, **TIMED}[method]
    return PUBLISHED_METHODS[
        mechanism
    ], f"{options['beta']:g}" if "beta" in options else ""


def method_label(method: str) -> str:
    """ "cgsv-beta1.2" -> "CGSV β = 1.2", "cgsv-exact" -> "CGSV exact", "qffl" ->
    "q-FFL"."""
    mechanism, options = {**METHODS, **TIMED}[method]
    name = PUBLISHED_METHODS[mechanism]
    if options.get("valuation") == "exact":
        return f"{name} exact"
    return f"{name} β = {options['beta']:g}" if "beta" in options else name


def column_label(column: str | Column) -> str:
    """ "mnist-10-cla" -> "MNIST 10 CLA"."""
    dataset, agents, partition = (
        column.name if isinstance(column, Column) else column
    ).split("-")
    return f"{PUBLISHED_DATASETS[dataset]} {agents} {partition.upper()}"
