"""Cells of the tables as text, and Tables 1 and 2 beside the paper's."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from torch import Tensor

from book.reproduction import plan
from book.reproduction.base import METHODS, Column
from book.reproduction.pages.intervals import CANNOT_TELL, HOLDS, word
from book.reproduction.pages.markup import MISSING, UNDEFINED, grouped, spread
from book.reproduction.pages.tables import (
    Cell,
    as_published,
    cell,
    column_label,
    method_label,
    published,
)


def accuracy(found: Cell | None) -> str:
    """As in Table 1, "83.1 ± 1.2 (84.7)": average over the agents, and the best agent's
    in brackets, in percent."""
    return (
        MISSING if found is None else f"{spread(found.mean)} ({found.best.mean():.1f})"
    )


def fairness(found: Cell | None) -> str:
    """As in Table 2, with the points between the best and the worst agent that it rests
    on: "90 ± 2, on 0.5"."""
    if found is None or found.alone is None:
        return MISSING
    text, points = spread(found.fairness, 0), (found.best - found.worst).mean()
    return (
        text
        if text == UNDEFINED
        else f"{text}, on {points:.{1 if points < 9.95 else 0}f}"
    )


def published_accuracy(numbers: dict[str, float] | None) -> str:
    """A cell of Table 1 as published, "74 (95)"."""
    return (
        f"{numbers['mean_accuracy']:g} ({numbers['max_accuracy']:g})"
        if numbers
        else MISSING
    )


def published_fairness(numbers: dict[str, float] | None) -> str:
    """A cell of Table 2 as published."""
    return f"{numbers['pearson_rho']:.0f}" if numbers else MISSING


def sign(differences: Tensor, margin: float = 0.0) -> str:
    """What differences on some seeds, (S,), say: "above (3 of 3)" or "below (3 of 3)",
    with the seeds of that sign, if their whole t interval is beyond the margin, else
    "undecided (above 2 of 3)"."""
    defined = differences[~differences.isnan()].tolist()
    if not defined:
        return UNDEFINED
    of = len(defined)
    above, below = (sum(sign * number > 0 for number in defined) for sign in (1, -1))
    found = word(defined, 0.0, math.inf, margin)
    if found == CANNOT_TELL:
        return f"undecided (above {above} of {of})"
    return f"above ({above} of {of})" if found == HOLDS else f"below ({below} of {of})"


TABLES: dict[str, tuple[Callable, Callable]] = {
    "table1_accuracy": (accuracy, published_accuracy),
    "table2_fairness": (fairness, published_fairness),
}


def beside_paper(
    results: str | Path,
    paper: str | Path,
    columns: Sequence[Column],
    name: str,
    fold: str = "",
) -> str:
    """A part of Table 1 or 2 as HTML: for each method, ours in both conventions above
    what the paper says.

    Args:
        paper: the folder ``data/paper``.
        name: "table1_accuracy" or "table2_fairness".
        fold: see `markup.grouped`.
    """
    ours, theirs = TABLES[name]
    numbers, rows = published(Path(paper), name), []
    for method in METHODS:
        mechanism = METHODS[method][0]
        if mechanism == "standalone" and name == "table2_fairness":
            continue  # it is what the others are compared with
        kinds = (
            ("downloaded",) if mechanism == "standalone" else ("downloaded", "trained")
        )
        for convention in kinds:
            label = "ours" if len(kinds) == 1 else convention
            rows.append(
                (
                    method_label(method),
                    label,
                    [ours(cell(results, c, method, convention)) for c in columns],
                )
            )
        said = [numbers.get((*as_published(method), c.name)) for c in columns]
        if any(said):
            rows.append(
                (method_label(method), "paper", [theirs(cell_) for cell_ in said])
            )
    return grouped(
        ["", "", *(f"{column_label(c)}\n{seeds(results, c)}" for c in columns)],
        rows,
        fold,
    )


def seeds(results: str | Path, column: Column) -> str:
    """How many seeds are recorded of the methods of a column: "3 seeds", "1 to 3
    seeds", "nothing recorded"."""
    counts = [
        len(found.seeds) if (found := cell(results, column, method)) else 0
        for method in METHODS
    ]
    low, high = min(counts), max(counts)
    if high == 0:
        return "nothing recorded"
    return f"{low if low == high else f'{low} to {high}'} seed{'s' if high > 1 else ''}"


def missing(
    results: str | Path, columns: Iterable[Column], target: str = "table1"
) -> list[str]:
    """The commands that fill what is missing in these columns, one a data set."""
    gaps = {}
    for column in columns:
        wanted = [
            (method, seed)
            for seed in plan.SEEDS.get(column, (0,))
            for method in METHODS
        ]
        gone = [
            pair
            for pair in wanted
            if cell(results, column, pair[0], seeds=(pair[1],)) is None
        ]
        gaps[column.dataset] = gaps.get(column.dataset, 0) + len(gone)
    return [
        f"python -m book.reproduction {target} --dataset {dataset}   # {count} runs"
        for dataset, count in gaps.items()
        if count
    ]
