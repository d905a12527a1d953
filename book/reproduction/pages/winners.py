"""Who wins over all columns, in words. Chapter "Accuracy and fairness"."""

from collections.abc import Iterable
from typing import NamedTuple

from book.reproduction.base import METHODS
from book.reproduction.pages import tables
from book.reproduction.pages.intervals import CANNOT_TELL, FAILS, HOLDS
from book.reproduction.pages.sources import Recorded
from book.reproduction.pages.standings import (
    APART,
    BEHIND,
    LEADS,
    NO_NUMBER,
    Compared,
    columns,
    listed,
    standing,
)
from book.reproduction.pages.tables import column_label, method_label

FEW = 3  # methods that are named in one sentence


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


class Winner(NamedTuple):
    """Who has all others behind, on more than half of the columns that can tell: those
    with all methods and more than one seed. Rows of one mechanism, which CGSV has four
    of, do not stand in each other's way.

    Attributes:
        method: "" if nobody does.
        alone: on how many of `columns` it does, or the one that comes nearest.
        behind: on how many columns each method is behind the leader.
        single: columns with all methods and a single seed, not among `columns`.
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
    telling = [column for column in complete if _seeds(source, column) > 1]
    words = [{place.method: place.word for place in standing(source, column, quantity)}
             for column in telling]
    methods = [name for name in METHODS if name != "standalone"
               and any(found.get(name, NO_NUMBER) != NO_NUMBER for found in words)]
    alone = {name: sum(_alone(name, found) for found in words) for name in methods}
    best = max(alone, key=alone.__getitem__, default="")
    count = alone.get(best, 0)
    return Winner(
        best if count > len(telling) / 2 else "", count, tuple(telling),
        {name: sum(found.get(name) == BEHIND for found in words) for name in methods},
        tuple(column for column in complete if column not in telling))


def _alone(name: str, found: dict[str, str]) -> bool:
    """Does it lead, with all other mechanisms behind it?"""
    others = {word for other, word in found.items()
              if METHODS[other][0] != METHODS[name][0]}
    return found.get(name) == LEADS and BEHIND in others and APART not in others


def who_wins(found: Winner) -> str:
    """A sentence without its full stop."""
    if not found.columns:
        return "no column has all methods on several seeds, so nobody wins"
    of = ("the one column" if len(found.columns) == 1
          else f"the {len(found.columns)} columns")
    of += " with all methods and several seeds"
    if found.method:
        return (f"**{method_label(found.method)} wins**, with all others behind it on "
                f"{found.alone} of {of}")
    text = ("**no method wins**: none has all others behind it on more than half of "
            + of)
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
        parts.append(f"Not counted, because a single seed tells nobody apart: {names}")
    return ". ".join(parts) + "."


def _seeds(source: Recorded, column: str) -> int:
    """The fewest of a method."""
    return min(len(tables.recorded_seeds(source.results, column, method))
               for method in METHODS)
