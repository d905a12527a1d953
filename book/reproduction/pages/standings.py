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
    CANNOT_TELL,
    FAILS,
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
FEW = 3  # methods that are named in one sentence
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


def tally(found: Iterable[Compared | None]) -> str:
    """ "*holds* on 3 and *fails* on 1 of 9 columns; on the other 5 one *cannot tell* (4
    have a single seed)"."""
    known = [one for one in found if one]
    if not known:
        return "is not recorded"
    count = {said: [one for one in known if one.word == said]
             for said in (HOLDS, FAILS, CANNOT_TELL)}
    parts = [f"*{said}* on {len(count[said])}" for said in (HOLDS, FAILS)
             if count[said]]
    places = "one column" if len(known) == 1 else f"{len(known)} columns"
    left = len(count[CANNOT_TELL])
    single = sum(one.seeds == 1 for one in count[CANNOT_TELL])
    note = (f" ({single} ha{'s' if single == 1 else 've'} a single seed)"
            if single else "")
    if not parts:
        return f"is open on {places}: one *cannot tell*{note}"
    text = f"{listed(parts)} of {places}"
    return f"{text}; on the other {left} one *cannot tell*{note}" if left else text


def listed(parts: Sequence[str]) -> str:
    """ "a, b and c"."""
    *start, last = parts
    return f"{', '.join(start)} and {last}" if start else last


class Winner(NamedTuple):
    """Who has all others behind, on more than half of the columns with all methods.

    Attributes:
        method: "" if nobody does.
        alone: on how many of `columns` it does, or the one that comes nearest.
        behind: on how many columns each method is behind the leader.
        single: the columns with a single seed, which can tell nobody apart.
    """

    method: str
    alone: int
    columns: tuple[str, ...]
    behind: dict[str, int]
    single: tuple[str, ...]

    @property
    def never(self) -> list[str]:
        """Those that are behind on no column."""
        return [name for name, count in self.behind.items() if not count]


def winner(source: Recorded, quantity: str = "mean") -> Winner:
    complete = columns(source)
    words = [{place.method: place.word for place in standing(source, column, quantity)}
             for column in complete]
    methods = [name for name in METHODS if name != "standalone"
               and any(found.get(name, NO_NUMBER) != NO_NUMBER for found in words)]
    alone = {name: sum(found.get(name) == LEADS and APART not in found.values()
                       and BEHIND in found.values() for found in words)
             for name in methods}
    best = max(alone, key=alone.__getitem__, default="")
    count = alone.get(best, 0)
    return Winner(
        best if count > len(complete) / 2 else "", count, tuple(complete),
        {name: sum(found.get(name) == BEHIND for found in words) for name in methods},
        tuple(column for column in complete if _seeds(source, column) < 2))


def who_wins(found: Winner) -> str:
    """A sentence without its full stop."""
    if not found.columns:
        return "nothing is recorded, so nobody wins"
    of = ("the one column" if len(found.columns) == 1
          else f"the {len(found.columns)} columns")
    if found.method:
        return (f"**{method_label(found.method)} wins**, with all others behind it on "
                f"{found.alone} of {of} on which all methods ran")
    text = ("**no method wins**: none has all others behind it on more than half of "
            f"{of} on which all methods ran")
    if any(found.behind.values()) and 0 < len(found.never) <= FEW:
        names = listed([method_label(name) for name in found.never])
        verb = "comes" if len(found.never) == 1 else "come"
        text += f"; {names} {verb} nearest, never found behind a leader"
    return text


def who_is_behind(found: Winner) -> str:
    """The details, in sentences."""
    parts = []
    worst = sorted(((name, count) for name, count in found.behind.items() if count),
                   key=lambda pair: -pair[1])
    if not worst:
        parts.append("No method is found behind another on any column")
    elif found.never:
        parts.append("Never found behind the leader of a column: "
                     + listed([method_label(name) for name in found.never]))
    if worst:
        parts.append("Found behind it: " + listed(
            [f"{method_label(name)} on {count}" for name, count in worst]))
    if found.single:
        names = listed([column_label(column) for column in found.single])
        parts.append(f"On {names} there is a single seed, which can tell nobody apart")
    return ". ".join(parts) + "."


def _seeds(source: Recorded, column: str) -> int:
    """The fewest of a method."""
    return min(len(tables.recorded_seeds(source.results, column, method))
               for method in METHODS)


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
