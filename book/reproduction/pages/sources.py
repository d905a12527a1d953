"""Two sources of the same numbers: the published tables and the records. Page "Claims".

Numbers come by the seed, so that what is compared is of the same agents. The published
ones are all of seed 0, and are intervals: they were rounded. {} stands for what is not
there, nan for what is not defined or only noise.
"""

import csv
import json
import math
from functools import cached_property, partialmethod
from pathlib import Path

from torch import Tensor

from book.reproduction import plan
from book.reproduction.base import Column
from book.reproduction.pages import overhead, tables
from book.reproduction.pages.intervals import Values, ends, printed, standard_error
from fairfl import metrics
from fairfl.runs.records import Record

# Standard errors of the test set by which the accuracies of the agents must spread for
# their correlation to mean something. Five agents or more that are equal in truth do so
# in at most 3 of 1,000 cases.
CLEAR = 2.0


class Source:
    """What a claim may ask for. {}: this source does not have it."""

    absent = ""  # what is said of a number that it does not have
    def mean(self, method: str, column: str) -> Values:
        """Average accuracy of the agents in percent."""
        return {}

    def best(self, method: str, column: str) -> Values:
        """Highest accuracy of the agents in percent."""
        return {}

    def rho(self, method: str, column: str) -> Values:
        """The paper's fairness."""
        return {}

    def clear_rho(self, method: str, column: str) -> Values:
        """The same where it rests on more than noise, else nan."""
        return self.rho(method, column)

    def margin(self, column: str, percent: float) -> float:
        """One standard error of an accuracy on the test set of a column."""
        return 0.0

    def timed(self, quantity: str, method: str, column: str) -> Values:
        """Of Table 3, by the round where it was measured: "seconds" of the mechanism,
        or "ratio", the same as a multiple of the training time."""
        return {}

    def noise(self, quantity: str, agent: int) -> Values:
        """With wrong labels, mean over rounds: an agent's "psi", or "sparsity" in %."""
        return {}

    def grid(self, quantity: str, alpha: float, gamma: float, beta: float) -> Values:
        """Of the grid on digits, POW: "gain", the average accuracy above Standalone's
        in points, "mean", "rho" or "clear_rho"."""
        return {}

    def runs(self, column: str | Column, method: str, variant: str = ""
             ) -> dict[int, Record]:
        """The records of runs by the seed."""
        return {}

    def records(self, name: str) -> dict[int, Record]:
        """The records `name`-seedK.json by K."""
        return {}


class Published(Source):
    """The tables of Xu et al. (2021). paper: the folder ``data/paper``."""

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
        row = tables.printed(self.paper, table).get((*key, column))
        return {0: printed(row[name])} if row else {}

    def mean(self, method: str, column: str) -> Values:
        return self._number("table1_accuracy", method, column, "mean_accuracy")

    def best(self, method: str, column: str) -> Values:
        return self._number("table1_accuracy", method, column, "max_accuracy")

    def rho(self, method: str, column: str) -> Values:
        return self._number("table2_fairness", method, column, "pearson_rho")

    def timed(self, quantity: str, method: str, column: str) -> Values:
        name = {"seconds": "overhead_seconds", "ratio": "overhead_over_training"}
        return self._number("table3_overhead", method, column, name[quantity])

    def _middle(self, quantity: str, method: str, column: str) -> Values:
        found = self.timed(quantity, method, column)
        return {seed: sum(ends(number)) / 2 for seed, number in found.items()}

    seconds = partialmethod(_middle, "seconds")
    ratio = partialmethod(_middle, "ratio")

    def noise(self, quantity: str, agent: int) -> Values:
        name = {"psi": "mean_psi", "sparsity": "mean_sparsity_percent"}[quantity]
        with (self.paper / "fig2_label_noise.csv").open() as file:
            row = next(line for line in csv.DictReader(file)
                       if int(line["agent"]) == agent)
        return {0: printed(row[name])}


class Recorded(Source):
    """The records.

    Args:
        results: the folder ``data/results``.
        convention: see `tables.cell`.
        variant: of the runs of Tables 1 and 2, see `plan`.
    """

    absent = "not recorded"

    def __init__(self, results: Path, convention: str = "downloaded", variant: str = ""
                 ) -> None:
        self.results, self.convention = Path(results), convention
        self.variant = variant

    def _cell(self, quantity: str, method: str, column: str) -> Values:
        cell = tables.cell(self.results, column, method, self.convention, self.variant)
        if not cell:
            return {}
        numbers = getattr(cell, quantity).tolist()
        return dict(zip(cell.seeds, numbers, strict=True))

    def mean(self, method: str, column: str) -> Values:
        return self._cell("mean", method, column)

    def best(self, method: str, column: str) -> Values:
        return self._cell("best", method, column)

    def rho(self, method: str, column: str) -> Values:
        return self._fairness(method, column, 0.0)

    def clear_rho(self, method: str, column: str) -> Values:
        return self._fairness(method, column, CLEAR)

    def _fairness(self, method: str, column: str, clear: float) -> Values:
        found: dict[int, float] = {}
        if method == "standalone":
            return found
        for seed in self._cell("mean", method, column):
            cell = tables.cell(self.results, column, method, self.convention,
                               self.variant, seeds=(seed,))
            # Else nothing is known, which is not the same as undefined
            if cell and cell.alone is not None:
                sides = cell.alone[0], cell.accuracy[0]
                tells = all(self._spreads(side, column) >= clear for side in sides)
                found[seed] = float(cell.fairness[0]) if tells else math.nan
        return found

    def _spreads(self, accuracies: Tensor, column: str) -> float:
        """Standard deviation over agents, in standard errors of the test set."""
        error = self.margin(column, float(accuracies.mean()))
        return float(accuracies.std()) / error if error else 0.0

    def margin(self, column: str, percent: float) -> float:
        return standard_error(percent, self._samples[column.partition("-")[0]])

    @cached_property
    def _samples(self) -> dict[str, int]:  # of the test sets
        known = json.loads((self.results / "data.json").read_text())
        del known["versions"]
        return {name: sum(found["test"]) for name, found in known.items()}

    def timing(self, method: str, column: str) -> Record | None:
        """The record behind a number of Table 3."""
        dataset, agents, partition = column.split("-")
        place = Column(dataset, int(agents), partition)
        return tables.read(self.results, place, method, 0, "timing")

    def ratio(self, method: str, column: str) -> Values:
        record = self.timing(method, column)
        return {0: overhead.seconds(record).ratio} if record else {}

    def timed(self, quantity: str, method: str, column: str) -> Values:
        """Round 1 is left out, in which memory is still being allocated."""
        if (record := self.timing(method, column)) is None:
            return {}
        mechanism = record.history["seconds_mechanism"][1:]
        training = record.history["seconds_training"][1:]
        found = mechanism / training if quantity == "ratio" else mechanism
        return dict(enumerate(found.tolist(), 2))

    def noise(self, quantity: str, agent: int) -> Values:
        found = {}
        for seed, record in self.records("fig2-mnist").items():
            mean = record.history["psi" if quantity == "psi" else "q"].double().mean(0)
            if quantity == "sparsity":
                mean = 100 * (1 - mean / record.about["parameters"])
            found[seed] = float(mean[agent - 1])
        return found

    def runs(self, column: str | Column, method: str, variant: str = ""
             ) -> dict[int, Record]:
        seeds = tables.recorded_seeds(self.results, column, method, variant)
        return {seed: tables.read(self.results, column, method, seed, variant)
                for seed in seeds}

    def records(self, name: str) -> dict[int, Record]:
        start = f"{name}-seed"
        return {seed: record for seed in tables.seeds_of(self.results, start)
                if (record := tables.load(self.results / f"{start}{seed}.json"))}

    @cached_property
    def _grid(self) -> dict[tuple[float, float, float], dict[int, dict[str, float]]]:
        found: dict[tuple[float, float, float], dict[int, dict[str, float]]] = {}
        for run in plan.grid():
            seed = run.settings.seed
            alone = tables.read(self.results, "digits-5-pow", "standalone", seed)
            record = tables.load(run.path(self.results))
            if alone is None or record is None:
                continue
            accuracy = 100 * record.history[tables.CONVENTIONS[self.convention]][-1]
            before = 100 * alone.history["test_accuracy"][-1]
            options = run.settings.mechanism_options
            key = options["alpha"], run.settings.gamma.first, options["beta"]
            tells = min(self._spreads(side, "digits") for side in (accuracy, before))
            rho = float(metrics.fairness(before, accuracy))
            found.setdefault(key, {})[seed] = {
                "gain": float((accuracy - before).mean()), "rho": rho,
                "mean": float(accuracy.mean()),
                "clear_rho": rho if tells >= CLEAR else math.nan}
        return found

    def grid(self, quantity: str, alpha: float, gamma: float, beta: float) -> Values:
        points = self._grid.get((alpha, gamma, beta), {})
        return {seed: values[quantity] for seed, values in points.items()}
