"""Who is in front, and how sure that is. Chapter "Accuracy and fairness".

On a column the method with the highest mean leads. Another one is *behind* if its
difference from the leader, seed by seed, has an interval beyond the margin, see
`intervals.word`; else the two are *not told apart*. With a single seed nobody is.
Nothing is typed: the words follow from the records, whatever is added to them.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from book.reproduction import plan
from book.reproduction.base import METHODS
from book.reproduction.pages import tables
from book.reproduction.pages.intervals import (
    HOLDS,
    Values,
    ends,
    over_seeds,
    word,
)
from book.reproduction.pages.quantities import margin, minus
from book.reproduction.pages.sources import Recorded
from book.reproduction.pages.tables import column_label, method_label

# What can be compared, and whether it is an accuracy, which has a margin
QUANTITIES: dict[str, tuple[str, bool]] = {
    "mean": ("average accuracy, percent", True),
    "best": ("best agent, percent", True),
    "worst": ("worst agent, percent", True),
    "gain": ("mean gain over training alone, points", True),
    "least": ("least gain of an agent, points", True),
    "rho": ("fairness, where it is more than noise", False),
}
LEADS, APART, BEHIND, NO_NUMBER = "leads", "not told apart", "behind", "undefined"


class Place(NamedTuple):
    """A method on a column. low, high: of the mean over the seeds, nan for one seed."""

    method: str
    values: dict[int, float]
    mean: float
    low: float
    high: float
    word: str


class Compared(NamedTuple):
    """One number less another, seed by seed, and the word for "it is above 0"."""

    column: str
    seeds: int
    mean: float
    low: float
    high: float
    margin: float
    word: str


def values(source: Recorded, quantity: str, method: str, column: str
           ) -> dict[int, float]:
    """By the seed; {} where nothing is recorded. quantity: a key of `QUANTITIES`."""
    if quantity == "rho":
        return plain(source.clear_rho(method, column))
    found = tables.cell(source.results, column, method, source.convention)
    if found is None or (quantity in ("gain", "least") and found.alone is None):
        return {}
    of: dict[str, Callable] = {
        "mean": lambda: found.mean, "best": lambda: found.best,
        "worst": lambda: found.worst, "gain": lambda: found.gain.mean(1),
        "least": lambda: found.gain.amin(1)}
    return dict(zip(found.seeds, of[quantity]().tolist(), strict=True))


def plain(found: Values) -> dict[int, float]:
    """What is recorded is no interval."""
    return {seed: ends(number)[0] for seed, number in found.items()}


def standing(source: Recorded, column: str, quantity: str = "mean",
             methods: Sequence[str] = tuple(METHODS)) -> list[Place]:
    """The methods that are recorded on a column, the leader first, those without a
    number last."""
    found = {}
    for method in methods:
        if method == "standalone" and quantity in ("gain", "least", "rho"):
            continue
        numbers = values(source, quantity, method, column)
        if numbers:
            found[method] = {seed: number for seed, number in numbers.items()
                             if not math.isnan(number)}
    defined = {method: numbers for method, numbers in found.items() if numbers}
    shared = set.intersection(*map(set, defined.values())) if defined else set()
    means = {method: fmean(numbers[seed] for seed in shared) if shared
             else fmean(numbers.values()) for method, numbers in defined.items()}
    order = sorted(means, key=lambda method: -means[method])
    places = []
    for method in order:
        low, high = _interval(list(found[method].values()))
        if method == order[0]:
            said = LEADS
        else:
            above = _judged(source, column, quantity, found[order[0]], found[method])
            said = BEHIND if above == HOLDS else APART
        places.append(Place(method, found[method], means[method], low, high, said))
    return places + [Place(method, {}, math.nan, math.nan, math.nan, NO_NUMBER)
                     for method in found if method not in defined]


def _interval(numbers: list[float]) -> tuple[float, float]:
    if len(numbers) < 2:
        return math.nan, math.nan
    found = over_seeds(numbers)
    return found.low, found.high


def _judged(source: Recorded, column: str, quantity: str, more: Values, less: Values
            ) -> str:
    return word(list(plain(minus(more, less)).values()), 0.0, math.inf,
                _margin(source, column, quantity, more, less))


def _margin(source: Recorded, column: str, quantity: str, *several: Values) -> float:
    if quantity in ("gain", "least"):  # of an accuracy of one half, the largest
        return source.margin(column, 50.0)
    return margin(source, column, *several) if QUANTITIES[quantity][1] else 0.0


def compared(source: Recorded, column: str, method: str, other: str,
             quantity: str = "mean") -> Compared | None:
    """A method against another one; None where they have no seed in common."""
    sides = [values(source, quantity, name, column) for name in (method, other)]
    gaps = [gap for gap in plain(minus(*sides)).values() if not math.isnan(gap)]
    return _compared(column, gaps, _margin(source, column, quantity, *sides))


def above(source: Recorded, column: str, method: str, quantity: str,
          number: float = 0.0) -> Compared | None:
    """A quantity of a method, less a number."""
    found = values(source, quantity, method, column)
    gaps = [value - number for value in found.values() if not math.isnan(value)]
    return _compared(column, gaps, _margin(source, column, quantity, found))


def _compared(column: str, gaps: list[float], error: float) -> Compared | None:
    if not gaps:
        return None
    low, high = _interval(gaps)
    return Compared(column, len(gaps), fmean(gaps), low, high, error,
                    word(gaps, 0.0, math.inf, error))


def columns(source: Recorded, complete: bool = True) -> list[str]:
    """The columns on which all methods are recorded, or at least one."""
    need = all if complete else any
    return [column for column in plan.COLUMNS
            if need(tables.recorded_seeds(source.results, column, method)
                    for method in METHODS)]


def rows(found: Iterable[Compared | None]) -> list[list[str]]:
    """For a table: column, seeds, difference, interval, margin, word."""
    return [[column_label(one.column), str(one.seeds), signed(one.mean),
             "" if math.isnan(one.low) else f"{signed(one.low)} to {signed(one.high)}",
             f"{one.margin:.1f}", one.word] for one in found if one]


def signed(number: float) -> str:
    """ "+1.2", "0.0", "−0.3"."""
    text = f"{round(number, 1) + 0.0:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


HEADER = ("column", "seeds", "points", "90 % interval", "margin", "above 0?")


def listed(parts: Sequence[str]) -> str:
    """ "a, b and c"."""
    *start, last = parts
    return f"{', '.join(start)} and {last}" if start else last


def in_words(source: Recorded, column: str, places: Sequence[Place]) -> str:
    """One sentence or two below the picture of a column."""
    known = [place for place in places if place.values]
    if not known:
        return "No method has a number here."
    leader, *others = known
    if not others:
        return f"Only {method_label(leader.method)} has a number here."
    groups = {said: [method_label(place.method) for place in others
                     if place.word == said] for said in (APART, BEHIND)}
    text = f"{method_label(leader.method)} has the highest mean. "
    if max(len(place.values) for place in known) < 2:
        return text + "There is a single seed, so no method can be told from another."
    if groups[APART]:
        text += f"Not told apart from it: {listed(groups[APART])}. "
    if groups[BEHIND]:
        text += f"Behind it: {listed(groups[BEHIND])}."
    return text.strip()


def data(results: Path) -> dict:
    """All that the explorable of the chapter shows."""
    found: dict = {"columns": {}, "quantities": {}, "places": {},
                   "conventions": {"downloaded": "as downloaded",
                                   "trained": "after local training"}}
    found["quantities"] = {name: text for name, (text, _) in QUANTITIES.items()}
    for convention in tables.CONVENTIONS:
        source = Recorded(results, convention)
        for column in columns(source, complete=False):
            found["columns"][column] = column_label(column)
            for quantity in QUANTITIES:
                places = standing(source, column, quantity)
                key = "/".join((column, quantity, convention))
                found["places"][key] = {
                    "words": in_words(source, column, places),
                    "rows": [[method_label(place.method),
                              [round(x, 3) for x in place.values.values()],
                              *(None if math.isnan(x) else round(x, 3)
                                for x in (place.mean, place.low, place.high)),
                              place.word] for place in places]}
    return found
