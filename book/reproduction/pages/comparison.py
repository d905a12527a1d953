"""Every published number beside ours. Page "Paper against ours"."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from book.reproduction import plan
from book.reproduction.base import METHODS, TIMED
from book.reproduction.pages import overhead, tables
from book.reproduction.pages.intervals import Values, ends
from book.reproduction.pages.markup import MISSING, rounded, spread
from book.reproduction.pages.sources import Published, Recorded

QUANTITIES = {"mean": "average accuracy", "best": "highest accuracy", "rho": "fairness"}
# Differences in points that ask for a reason
LARGE = {"mean": 3.0, "best": 3.0, "rho": 10.0}

# Why a number differs, where it is understood
REASONS = {
    "a": "All agents download the same model, so their accuracies are equal and rho "
    "is not defined. The published numbers differ from agent to agent, as ours do "
    "after local training.",
    "b": "What the agents reach alone, or with their rewards, differs by no more than "
    "the noise of the test set; rho is then a correlation of noise.",
    "c": "The published code tests MR on positive reviews only, ours is a balanced "
    "test set: other numbers must come out.",
    "d": 'The paper does not define the method completely; ours is one reading of it '
    '(chapter "The competition").',
    "e": "Agents with equally many samples download everything under DW: it is FedAvg.",
    "f": 'Our copy of the data set is not the original one, see the page of the '
    'chapter "Data and partitions".',
    "?": "Not understood.",
}
READINGS = ("qffl", "cffl", "eci", "rr", "eu")


class Compared(NamedTuple):
    """A published number (nan: there is none) and ours by the seed, in both
    conventions."""

    published: float
    downloaded: Values
    trained: Values

    @property
    def differences(self) -> list[float]:
        """Ours, averaged over the seeds, less the published one, for the conventions in
        which both are defined."""
        gaps = (_mean(values) - self.published
                for values in (self.downloaded, self.trained))
        return [gap for gap in gaps if not math.isnan(gap)]


def _mean(values: Values) -> float:
    middles = [sum(ends(value)) / 2 for value in values.values()]
    known = [value for value in middles if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def compared(paper: Path, results: Path, quantity: str, method: str, column: str,
             variant: str = "") -> Compared:
    """A number of Table 1 or 2. quantity: a key of `QUANTITIES`."""
    ours = (getattr(Recorded(results, convention, variant), quantity)(method, column)
            for convention in tables.CONVENTIONS)
    return Compared(_mean(getattr(Published(paper), quantity)(method, column)), *ours)


def reasons(results: Path, method: str, column: str, found: dict[str, Compared]) -> str:
    """Letters of `REASONS` for a row: what explains that a number is undefined, or that
    even in the convention that is nearer to the paper it is off by more than
    `LARGE`."""
    letters = set()
    for quantity, one in found.items():
        if math.isnan(one.published) or not one.downloaded:
            continue
        undefined = all(map(math.isnan, one.downloaded.values()))
        far = bool(one.differences) and min(map(abs, one.differences)) > LARGE[quantity]
        why = _reasons(results, quantity, method, column) if far else set()
        letters |= {"a"} if undefined else set()
        letters |= why or ({"?"} if far else set())
    return " ".join(sorted(letters, key=list(REASONS).index))


def _reasons(results: Path, quantity: str, method: str, column: str) -> set[str]:
    partition = column.rpartition("-")[2]
    record = tables.cell(results, column, method).records[0]
    clear = [number for convention in tables.CONVENTIONS
             for number in Recorded(results, convention).clear_rho(method, column
                                                                   ).values()]
    holds = {
        "b": quantity == "rho" and all(map(math.isnan, clear)),
        "c": column.startswith("mr-"),
        "d": method in READINGS,
        "e": method == "dw" and partition != "pow" and quantity != "mean",
        "f": not record.about["data"]["original"],
    }
    return {letter for letter, applies in holds.items() if applies}


HEADER = (
    "method",
    *(f"{name}, {part}" for name in QUANTITIES.values()
      for part in ("paper", *tables.CONVENTIONS)),
    "seeds",
    "why",
)


def rows(paper: Path, results: Path, column: str) -> list[list[str]]:
    """Tables 1 and 2 for one column, as `HEADER` says: ours with their spread and,
    below, the difference."""
    lines = []
    for method in METHODS:
        found = {quantity: compared(paper, results, quantity, method, column)
                 for quantity in QUANTITIES}
        lines.append([tables.method_label(method), *_cells(found),
                      reasons(results, method, column, found)])
    return lines


def _cells(found: dict[str, Compared]) -> list[str]:
    """For each quantity the paper's number and ours in both conventions, then the
    number of seeds."""
    cells = []
    for quantity, one in found.items():
        digits = 2 if quantity == "rho" else 0
        cells.append(MISSING if math.isnan(one.published)
                     else f"{one.published:.{digits}f}")
        cells += [_ours(values, one.published)
                  for values in (one.downloaded, one.trained)]
    seeds = len(found["mean"].downloaded)
    return [*cells, str(seeds) if seeds else MISSING]


def authors(paper: Path, results: Path) -> list[tuple[str, str, list[str]]]:
    """What is recorded under the authors' own settings beside the paper, for
    `markup.grouped`: (column and method, setting, cells as in `HEADER`)."""
    return [(f"{tables.column_label(column)}, {tables.method_label(method)}", what,
             _cells({quantity: compared(paper, results, quantity, method, column,
                                        variant) for quantity in QUANTITIES}))
            for column in plan.COLUMNS for method in METHODS
            for variant, what in {"": "chosen settings", **tables.AUTHORS}.items()
            if tables.recorded_seeds(results, column, method, variant)
            and any(tables.recorded_seeds(results, column, method, name)
                    for name in tables.AUTHORS)]


def _ours(values: Values, published: float) -> str:
    difference = _mean(values) - published
    return spread(values.values()) + (
        "" if math.isnan(difference) else f"\n({difference:+.1f})"
    )


def distance(
    paper: Path, results: Path, method: str, quantity: str, columns
) -> dict[str, float]:
    """Mean absolute difference from the paper over the columns, by the convention; nan
    where there is none."""
    found = {}
    for convention in tables.CONVENTIONS:
        pairs = (compared(paper, results, quantity, method, column)
                 for column in columns)
        gaps = (_mean(getattr(one, convention)) - one.published for one in pairs)
        known = [abs(gap) for gap in gaps if not math.isnan(gap)]
        found[convention] = sum(known) / len(known) if known else math.nan
    return found


def overheads(paper: Path, results: Path) -> list[list[str]]:
    """Table 3, as ratios to the training time: a row for each method, "paper" and,
    below, ours for each of `overhead.COLUMNS`."""
    published, recorded = Published(paper), Recorded(results)
    lines = []
    for method in TIMED:
        pairs = ((published.timed("ratio", method, column),
                  recorded.ratio(method, column)) for column in overhead.COLUMNS)
        cells = (f"{_written(theirs, '{:g}'.format)}\n{_written(ours, rounded)}"
                 for theirs, ours in pairs)
        lines.append([tables.method_label(method), *cells])
    return lines


def _written(values: Values, form: Callable[[float], str]) -> str:
    return form(_mean(values)) if values else MISSING


def command(column: str) -> str:
    """What fills a column of Tables 1 and 2."""
    return f"python -m book.reproduction table1 --dataset {column.partition('-')[0]}"
