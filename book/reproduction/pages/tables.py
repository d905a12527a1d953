"""The published tables and the records beside them. Chapters "Accuracy and fairness"
and "What fairness costs".

Accuracies are in percent, agents last; a cell without a record is None, never a guess.
"""

import csv
import math
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from book.reproduction import plan
from book.reproduction.base import LATER, LATER_LABELS, METHODS, TIMED, Column
from fairfl import metrics
from fairfl.runs import records
from fairfl.runs.records import Record

# Methods and data sets as the published tables call them
PUBLISHED_METHODS = {
    "standalone": "Standalone", "fedavg": "FedAvg", "qffl": "q-FFL", "cffl": "CFFL",
    "eci": "ECI", "dw": "DW", "rr": "RR", "eu": "EU", "cgsv": "CGSV"}
PUBLISHED_DATASETS = {"mnist": "MNIST", "cifar10": "CIFAR-10", "mr": "MR", "sst": "SST",
                      "digits": "digits"}
CONVENTIONS = {"downloaded": "test_accuracy", "trained": "trained_test_accuracy"}
# Variants with the authors' own settings
AUTHORS = {"earlier_published_code": "the code before September 2024",
           "published_code": "the code since then"}


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
        return torch.stack([record.history[name][-1].double()
                            for record in self.records])

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
    seeds: Sequence[int] | None = None,
) -> Cell | None:
    """What is recorded of a method (a key of `METHODS` or `LATER`) on a column (a key
    of `plan.COLUMNS`); None: nothing.

    Args:
        convention: "downloaded", the agents' models after the last download, or
            "trained", after the last local training and before that download.
        variant: of the runs, see `plan`. With the authors' settings the agents alone
            have them, too.
        seeds: those that are recorded.

    Raises:
        ValueError: an unknown column, method or convention.
    """
    column = _column(column)
    if method not in METHODS | TIMED | LATER or convention not in CONVENTIONS:
        raise ValueError(f"unknown method {method!r} or convention {convention!r}")
    if seeds is None:
        seeds = recorded_seeds(results, column, method, variant)
    found = {seed: record for seed in seeds
             if (record := read(results, column, method, seed, variant))}
    if not found:
        return None
    own = variant if variant in AUTHORS else ""
    alone = {seed: read(results, column, "standalone", seed, own) for seed in found}
    return Cell(
        tuple(found), _accuracies(found.values(), convention),
        _accuracies(alone.values(), "downloaded") if all(alone.values()) else None,
        tuple(found.values()))


def differences(
    ours: Cell, other: Cell, of: Callable[[Cell], Tensor] = lambda found: found.mean
) -> Tensor:
    """of(ours) - of(other), one number a seed, for each seed that both have, (S,): two
    methods on the same agents from the same start."""
    a, b = (dict(zip(found.seeds, of(found).tolist(), strict=True))
            for found in (ours, other))
    return torch.tensor([a[seed] - b[seed] for seed in a if seed in b],
                        dtype=torch.float64)


def read(
    results: str | Path, column: str | Column, method: str, seed: int, variant: str = ""
) -> Record | None:
    """The record of one run, or None."""
    return load(Path(results) / f"{_name(results, column, method, variant)}{seed}.json")


def recorded_seeds(
    results: str | Path, column: str | Column, method: str, variant: str = ""
) -> tuple[int, ...]:
    """The seeds of which there is a record."""
    return seeds_of(Path(results), _name(results, column, method, variant))


def seeds_of(results: Path, name: str) -> tuple[int, ...]:
    """The numbers k for which there is a file `name`k.json."""
    folder, start = (results / name).parent, Path(name).name
    rests = (file.stem.removeprefix(start) for file in folder.glob(f"{start}*.json"))
    return tuple(sorted(int(rest) for rest in rests if rest.isdecimal()))


def _name(results: str | Path, column: str | Column, method: str, variant: str) -> str:
    """Runs of `anew` take the place of `plan`'s when a column has all methods."""
    column = _column(column).name
    anew = (Path(results) / f"tables/{column}-{name}-seed0.json" for name in METHODS)
    folder = ("authors" if variant in AUTHORS
              else "tables" if all(file.exists() for file in anew) else "runs")
    return "-".join([f"{folder}/{column}", method, *filter(None, [variant]), "seed"])


def load(file: Path) -> Record | None:
    """A record, or None. One that was written anew is read anew."""
    return _load(file, file.stat().st_mtime_ns) if file.exists() else None


@lru_cache(maxsize=2048)
def _load(file: Path, changed: int) -> Record:
    return records.load(file)


def _column(column: str | Column) -> Column:
    if isinstance(column, Column):
        return column
    if column not in plan.COLUMNS:
        raise ValueError(f"unknown column {column!r}; known are "
                         f"{', '.join(plan.COLUMNS)}")
    return plan.COLUMNS[column]


def _accuracies(found, convention: str) -> Tensor:
    return 100 * torch.stack([record.history[CONVENTIONS[convention]][-1].double()
                              for record in found])


def published(paper: Path, table: str) -> dict[tuple[str, str, str], dict[str, float]]:
    """A published table: (method, beta or "", column's name) -> its numbers by the
    names of the CSV's columns.

    Args: see `printed`.
    """
    return {key: {name: float(text) for name, text in row.items()}
            for key, row in printed(paper, table).items()}


@cache
def printed(paper: Path, table: str) -> dict[tuple[str, str, str], dict[str, str]]:
    """The same with the digits that are printed.

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
        names = [datasets[row.pop("dataset")], row.pop("agents"),
                 (row.pop("partition", "") or "").lower()]
        key = row.pop("method"), row.pop("beta", ""), "-".join(filter(None, names))
        found[key] = {name: text for name, text in row.items() if text}
    return found


def as_published(method: str) -> tuple[str, str]:
    """The method and its beta as the published tables write them: "cgsv-beta1.2" ->
    ("CGSV", "1.2")."""
    mechanism, options = {**METHODS, **TIMED}[method]
    beta = f"{options['beta']:g}" if "beta" in options else ""
    return PUBLISHED_METHODS[mechanism], beta


def method_label(method: str) -> str:
    """ "cgsv-beta1.2" -> "CGSV β = 1.2", "cgsv-exact" -> "CGSV exact", "qffl" ->
    "q-FFL"."""
    if method in LATER:
        return LATER_LABELS[method]
    mechanism, options = {**METHODS, **TIMED}[method]
    name = PUBLISHED_METHODS[mechanism]
    if options.get("valuation") == "exact":
        return f"{name} exact"
    return f"{name} β = {options['beta']:g}" if "beta" in options else name


def column_label(column: str | Column) -> str:
    """ "mnist-10-cla" -> "MNIST 10 CLA"."""
    name = column.name if isinstance(column, Column) else column
    dataset, agents, partition = name.split("-")
    return f"{PUBLISHED_DATASETS[dataset]} {agents} {partition.upper()}"
