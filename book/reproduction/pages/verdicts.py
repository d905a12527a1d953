"""How a claim is judged by a source of numbers. Page "Claims".

A claim turns a source into items, one or more numbers each, and says between which ends
they lie if it is true. So the same few lines judge a sentence by the paper's own tables
and by the records. Nobody types a verdict.
"""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from book.reproduction.pages.intervals import (
    CANNOT_TELL,
    FAILS,
    HOLDS,
    Interval,
    Values,
    defined,
    ends,
    over_seeds,
    together,
    word,
)
from book.reproduction.pages.markup import escaped, rounded
from book.reproduction.pages.sources import Source


class Item(NamedTuple):
    """One of the numbers that a claim is about. margin: see `intervals.word`."""

    what: str
    values: Values
    margin: float | None = 0.0


class Claim(NamedTuple):
    """A sentence.

    Attributes:
        where: in the paper. says: what it says, in our words. measure: what the items'
            numbers are.
        low, high: the numbers lie between them if the claim is true.
        needed: how many items must: "all", "any" or "most".
        both: whether the two conventions of evaluation may judge it differently.
        repeats: what an item has several numbers of.
        reading: how we take it, where the sentence leaves that open, or what no record
            can show.
    """

    name: str
    where: str
    says: str
    measure: str
    items: Callable[[Source], list[Item]]
    low: float = -math.inf
    high: float = math.inf
    needed: str = "all"
    both: bool = True
    repeats: str = "seed"
    reading: str = ""


class Judged(NamedTuple):
    """An item and its word. why: the reason if it says nothing, "" otherwise."""

    item: Item
    word: str
    why: str

    @property
    def numbers(self) -> list:
        """Those that are defined."""
        return [value for value in self.item.values.values() if defined(value)]

    @property
    def mean(self) -> float:
        middles = [sum(ends(number)) / 2 for number in self.numbers]
        return sum(middles) / len(middles)


class Verdict(NamedTuple):
    """What a source says of a claim: a word, and the items behind it."""

    word: str
    items: tuple[Judged, ...]
    absent: str  # the source's word for what it does not have

    def of(self, word: str) -> list[Judged]:
        return [one for one in self.items if one.word == word]

    @property
    def seeds(self) -> tuple[int, int]:
        """The fewest and the most of an item that has numbers."""
        counts = [len(one.numbers) for one in self.items if one.numbers]
        return min(counts, default=0), max(counts, default=0)


ONE, NOISE = "one seed", "within the noise"


def judge(claim: Claim, source: Source) -> Verdict:
    """The verdict of a source."""
    return _judge(claim, claim.items(source), source.absent)


def _judge(claim: Claim, items: Iterable[Item], absent: str) -> Verdict:
    found = tuple(_judged(item, claim, absent) for item in items)
    return Verdict(together([one.word for one in found], claim.needed), found, absent)


def _judged(item: Item, claim: Claim, absent: str) -> Judged:
    numbers = [value for value in item.values.values() if defined(value)]
    if not numbers:
        return Judged(item, CANNOT_TELL, NOISE if item.values else absent)
    found = word(numbers, claim.low, claim.high, item.margin)
    exact = item.margin is None or isinstance(numbers[0], Interval)
    return Judged(item, found, ONE if len(numbers) == 1 and not exact else "")


def without(claim: Claim, verdict: Verdict, seed: int) -> Verdict:
    """The same verdict if this seed had not run."""
    items = (one.item._replace(values={key: value
                                       for key, value in one.item.values.items()
                                       if key != seed}) for one in verdict.items)
    return _judge(claim, items, verdict.absent)


def turned(claim: Claim, verdict: Verdict) -> list[int]:
    """The seeds without which *holds* would be *fails*, or the reverse.

    With t intervals there is none. Without one of n seeds the mean moves by at most
    s / sqrt(n), less than half the interval's length, so it stays where the whole
    interval was: on the same side, beyond the margin.
    """
    opposite = {HOLDS: FAILS, FAILS: HOLDS}.get(verdict.word)
    seeds = {seed for one in verdict.items for seed in one.item.values}
    return [seed for seed in sorted(seeds)
            if without(claim, verdict, seed).word == opposite]


SHOWN = 3  # items named in a description


def describe(claim: Claim, verdict: Verdict) -> str:
    """The numbers behind a verdict: how many items say what, how far all numbers reach,
    what speaks against the claim, and why the others say nothing."""
    known = [one for one in verdict.items if one.numbers]
    parts = []
    if len(verdict.items) == 1 and known:
        text = f"{known[0].item.what}: {_number(known[0])} {claim.measure}"
        parts.append(text.strip())
    elif known:
        counts = ((HOLDS, "for it"), (FAILS, "against it"), (CANNOT_TELL, "open"))
        parts.append(f"Of {len(verdict.items)} numbers "
                     + ", ".join(f"{len(verdict.of(word))} {text}"
                                 for word, text in counts))
        means = [one.mean for one in known]
        parts.append(f"They lie between {rounded(min(means))} and "
                     f"{rounded(max(means))} ({claim.measure})")
        parts += _named(verdict, claim.needed)
    parts += _margins(known)
    parts += _reasons(verdict)
    return ". ".join(part[0].upper() + part[1:] for part in parts) + "." * bool(parts)


def _number(one: Judged) -> str:
    """The mean, and the interval where there is one."""
    numbers = one.numbers
    if isinstance(numbers[0], Interval):
        found = numbers[0]
    elif len(numbers) > 1 and one.item.margin is not None:
        found = over_seeds(numbers)
    else:
        return rounded(one.mean)
    return f"{rounded(one.mean)} [{rounded(found.low)}, {rounded(found.high)}]"


def _named(verdict: Verdict, needed: str) -> list[str]:
    """For "any" the items that hold are of interest, else those that fail."""
    items = verdict.of(HOLDS if needed == "any" else FAILS)
    if not items:
        return []
    named = "; ".join(f"{one.item.what}: {_number(one)}" for one in items[:SHOWN])
    more = f"; and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return [f"{'with' if needed == 'any' else 'against it'} {named}{more}"]


def _margins(known: list[Judged]) -> list[str]:
    margins = [one.item.margin for one in known if one.item.margin]
    if not margins or any(isinstance(one.numbers[0], Interval) for one in known):
        return []
    low, high = rounded(min(margins)), rounded(max(margins))
    return [f"margin {low}" + (f" to {high}" if low != high else "")]


def _reasons(verdict: Verdict) -> list[str]:
    """Why items say nothing."""
    reasons = [one.why for one in verdict.items if one.why]
    if not verdict.items:
        return ["no record tests it"]
    return [f"{reason}: {reasons.count(reason)}" if len(verdict.items) > 1 else reason
            for reason in dict.fromkeys(reasons)]


def seeds(verdict: Verdict, noun: str = "seed") -> str:
    """ "one seed", "3 seeds", "1 to 5 seeds"; "" where nothing is recorded."""
    low, high = verdict.seeds
    if not high:
        return ""
    if low != high:
        return f"{low} to {high} {noun}s"
    return f"one {noun}" if high == 1 else f"{high} {noun}s"


def card(claim: Claim, found: dict[str, Verdict]) -> str:
    """A claim and what each source says of it, as HTML. A claim that no convention
    touches has one verdict of ours."""
    lines = []
    for number, (name, verdict) in enumerate(found.items()):
        if number > 1 and not claim.both:
            continue
        name = name if claim.both or not number else "ours"
        ran = seeds(verdict, claim.repeats) if number else ""
        count = f", {ran}" if ran else ""
        lines.append(f"<li>{escaped(name)}: <strong>{verdict.word}</strong>{count}. "
                     f"{escaped(describe(claim, verdict))}</li>")
    reading = f"<br>{escaped(claim.reading)}" if claim.reading else ""
    return ('<div style="margin: 0 0 1.4em 0"><p style="margin: 0"><strong>'
            f"{escaped(_sentence(claim.says))}</strong> ({escaped(claim.where)})"
            f"{reading}</p>\n<ul>\n" + "\n".join(lines) + "\n</ul></div>\n")


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
