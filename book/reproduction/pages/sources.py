"""Two sources of the same numbers: the published tables and the records. Page "Claims".

Numbers come by the seed, so that what is compared is of the same agents: {seed:
number}. The published ones have no seed and are all of seed 0. {} stands for what is
not there, nan for what is not defined.
"""

import csv
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Protocol

from book.reproduction import plan
from book.reproduction.base import Column
from book.reproduction.pages import overhead, tables
from fairfl import metrics
from fairfl.runs import records

Values = Mapping[int, float]
SEEDS = (0, 1, 2)  # of the grid and of Fig. 2


class Source(Protocol):
    absent: str  # what is said of a number that it does not have

    def mean(self, method: str, column: str) -> Values:
        """Average accuracy of the agents in percent."""

    def best(self, method: str, column: str) -> Values:
        """Highest accuracy of the agents in percent."""

    def rho(self, method: str, column: str) -> Values:
        """The paper's fairness."""

    def seconds(self, method: str, column: str) -> Values:
        """Time of the mechanism."""

    def ratio(self, method: str, column: str) -> Values:
        """The same, as a multiple of the training time."""

    def noise(self, quantity: str, agent: int) -> Values:
        """Of the federation with wrong labels, averaged over the rounds: "psi" or
        "sparsity" (percent) of an agent."""

    def grid(self, quantity: str, alpha: float, gamma: float, beta: float) -> Values:
        """Of the grid on digits: "gain", the average accuracy above Standalone's in
        points, or "rho"."""


class Published:
    """The tables of Xu et al. (2021).

    Args:
        paper: the folder ``data/paper``.
    """

    absent = "not in its tables"

    def __init__(self, paper: Path) -> None:
        self.paper = Path(paper)

    def _number(self, table: str, method: str, column: str, name: str) -> Values:
        try:
            key = tables.as_published(method)
        except KeyError:
            return {}
        if table == "table3_overhead":
            if method == "cgsv-exact":
                return {}
            key, column = (key[0], ""), column.rpartition("-")[0]
        row = tables.published(self.paper, table).get((*key, column))
        return {0: row[name]} if row else {}

    def mean(self, method: str, column: str) -> Values:
        return self._number("table1_accuracy", method, column, "mean_accuracy")

    def best(self, method: str, column: str) -> Values:
        return self._number("table1_accuracy", method, column, "max_accuracy")

    def rho(self, method: str, column: str) -> Values:
        return self._number("table2_fairness", method, column, "pearson_rho")

    def seconds(self, method: str, column: str) -> Values:
        return self._number("table3_overhead", method, column, "overhead_seconds")

    def ratio(self, method: str, column: str) -> Values:
        return self._number("table3_overhead", method, column, "overhead_over_training")

    def noise(self, quantity: str, agent: int) -> Values:
        with (self.paper / "fig2_label_noise.csv").open() as file:
            row = next(
                row for row in csv.DictReader(file) if int(row["agent"]) == agent
            )
        return {
            0: float(
                row[{"psi": "mean_psi", "sparsity": "mean_sparsity_percent"}[quantity]]
            )
        }

    def grid(self, quantity: str, alpha: float, gamma: float, beta: float) -> Values:
        return {}


class Recorded:
    """The records.

    Args:
        results: the folder ``data/results``.
        convention: see `tables.cell`.
    """

    absent = "not recorded"

    def __init__(self, results: Path, convention: str = "downloaded") -> None:
        self.results, self.convention = Path(results), convention

    def _cell(self, quantity: str, method: str, column: str) -> Values:
        cell = tables.cell(self.results, column, method, self.convention)
        return (
            dict(zip(cell.seeds, getattr(cell, quantity).tolist(), strict=True))
            if cell
            else {}
        )

    def mean(self, method: str, column: str) -> Values:
        return self._cell("mean", method, column)

    def best(self, method: str, column: str) -> Values:
        return self._cell("best", method, column)

    def rho(self, method: str, column: str) -> Values:
        if method == "standalone":
            return {}
        found = {}
        for seed in self._cell("mean", method, column):
            cell = tables.cell(
                self.results, column, method, self.convention, seeds=(seed,)
            )
            # Else nothing is known, which is not the same as undefined
            if cell.alone is not None:
                found[seed] = float(cell.fairness[0])
        return found

    def _timing(self, method: str, column: str) -> overhead.Seconds | None:
        dataset, agents, partition = column.split("-")
        record = tables.read(
            self.results, Column(dataset, int(agents), partition), method, 0, "timing"
        )
        return overhead.seconds(record) if record else None

    def seconds(self, method: str, column: str) -> Values:
        return {0: found.mechanism} if (found := self._timing(method, column)) else {}

    def ratio(self, method: str, column: str) -> Values:
        return {0: found.ratio} if (found := self._timing(method, column)) else {}

    def noise(self, quantity: str, agent: int) -> Values:
        found = {}
        for seed in SEEDS:
            if (file := self.results / f"fig2-mnist-seed{seed}.json").exists():
                record = records.load(file)
                psi, kept = (
                    record.history[name].double().mean(0) for name in ("psi", "q")
                )
                values = {
                    "psi": psi,
                    "sparsity": 100 * (1 - kept / record.about["parameters"]),
                }
                found[seed] = float(values[quantity][agent - 1])
        return found

    @cached_property
    def _grid(self) -> dict[tuple[float, float, float], dict[int, dict[str, float]]]:
        found = {}
        for run in plan.grid():
            alone = tables.read(
                self.results, "digits-5-pow", "standalone", run.settings.seed
            )
            if alone is None or not run.path(self.results).exists():
                continue
            accuracy = (
                100
                * records.load(run.path(self.results)).history[
                    tables.CONVENTIONS[self.convention]
                ][-1]
            )
            before = 100 * alone.history["test_accuracy"][-1]
            options = run.settings.mechanism_options
            key = options["alpha"], run.settings.gamma.first, options["beta"]
            found.setdefault(key, {})[run.settings.seed] = {
                "gain": float((accuracy - before).mean()),
                "rho": float(metrics.fairness(before, accuracy)),
            }
        return found

    def grid(self, quantity: str, alpha: float, gamma: float, beta: float) -> Values:
        return {
            seed: values[quantity]
            for seed, values in self._grid.get((alpha, gamma, beta), {}).items()
        }
