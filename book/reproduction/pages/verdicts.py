"""How a claim is judged by a source of numbers. Page "Claims".

A claim turns a source into items, a number each, and says which numbers bear it out. So
the same few lines judge a sentence by the paper's own tables and by the records. Nobody
types a verdict.
"""

import math
from collections.abc import Callable
from html import escape
from typing import NamedTuple

from book.reproduction.pages.markup import rounded
from book.reproduction.pages.sources import Source, Values


class Item(NamedTuple):
    """One of the numbers that a claim is about."""

    what: str
    values: Values


class Claim(NamedTuple):
    """A sentence.

    Attributes:
        where: in the paper. says: what it says, in our words. measure: what the items'
            numbers are.
        bears_out: whether a number does what the sentence says.
        needed: how many items must: "all", "any" or "most", more than half.
        both: whether the two conventions of evaluation may judge it differently.
    """

    name: str
    where: str
    says: str
    measure: str
    items: Callable[[Source], list[Item]]
    bears_out: Callable[[float], bool]
    needed: str = "all"
    both: bool = True


class Verdict(NamedTuple):
    """What a source says of a claim.

    Attributes:
        state: "holds" or "fails" (with "so far" where the missing items could change
            that), "seeds disagree", "not defined", or the source's word for what it
            does not have.
        borne_out, refuted, split: items (the name and the mean over the seeds) for
            which all seeds, no seed, some seeds bear the claim out. undefined, missing:
            how many others there are.
        seeds: the fewest and the most of an item.
    """

    state: str
    borne_out: tuple[tuple[str, float], ...] = ()
    refuted: tuple[tuple[str, float], ...] = ()
    split: tuple[tuple[str, float], ...] = ()
    undefined: int = 0
    missing: int = 0
    seeds: tuple[int, int] = (0, 0)


def judge(claim: Claim, source: Source) -> Verdict:
    """The verdict of a source. An item is borne out if it is for every seed, refuted if
    it is for none."""
    yes, no, split, undefined, missing, counts = [], [], [], 0, 0, []
    for what, values in claim.items(source):
        known = [value for value in values.values() if not math.isnan(value)]
        if not values:
            missing += 1
        elif not known:
            undefined += 1
        else:
            counts.append(len(known))
            votes = {claim.bears_out(value) for value in known}
            side = split if len(votes) == 2 else yes if votes.pop() else no
            side.append((what, sum(known) / len(known)))
    state = (
        _state(claim.needed, len(yes), len(no), len(split), undefined, missing)
        or source.absent
    )
    return Verdict(
        state,
        tuple(yes),
        tuple(no),
        tuple(split),
        undefined,
        missing,
        (min(counts, default=0), max(counts, default=0)),
    )


def _state(
    needed: str, yes: int, no: int, split: int, undefined: int, missing: int
) -> str:
    known = yes + no + split
    if not known:
        return "not defined" if undefined else ""
    if needed == "all" and no or needed == "any" and not (yes or split or missing):
        return "fails"
    if needed == "any" and yes:
        return "holds"
    if needed == "most":
        half = (known + missing) / 2
        if yes > half or yes + split + missing <= half:
            return "holds" if yes > half else "fails"
        if split and not missing:
            return "seeds disagree"
        return "holds so far" if yes > known / 2 else "fails so far"
    if split:
        return "seeds disagree"
    so_far = " so far" if missing else ""
    return ("fails" if needed == "any" else "holds") + so_far


SHOWN = 3  # items named in a description


def describe(claim: Claim, verdict: Verdict) -> str:
    """The numbers behind a verdict: what speaks against the claim, how far all numbers
    reach, and what is missing."""
    known = (*verdict.borne_out, *verdict.refuted, *verdict.split)
    parts = []
    if len(known) == 1:
        parts.append(f"{known[0][0]}: {rounded(known[0][1])} {claim.measure}")
    elif known:
        numbers = [number for _, number in known]
        parts.append(f"{len(verdict.borne_out)} of {len(known)} numbers bear it out")
        parts.append(
            f"they lie between {rounded(min(numbers))} and {rounded(max(numbers))} "
            f"({claim.measure})"
        )
        if claim.needed == "any":
            parts += _named("with", verdict.borne_out)
        else:
            parts += _named("against it", verdict.refuted) + _named(
                "seeds disagree on", verdict.split
            )
    if verdict.undefined:
        parts.append(f"{verdict.undefined} not defined")
    if known and verdict.missing:
        parts.append(f"{verdict.missing} not recorded")
    return ". ".join(part[0].upper() + part[1:] for part in parts) + "." * bool(parts)


def _named(word: str, items: tuple[tuple[str, float], ...]) -> list[str]:
    if not items:
        return []
    named = "; ".join(f"{what}: {rounded(number)}" for what, number in items[:SHOWN])
    return [
        f"{word} {named}"
        + (f"; and {len(items) - SHOWN} more" if len(items) > SHOWN else "")
    ]


def seeds(verdict: Verdict) -> str:
    """ "one seed", "3 seeds", "1 to 5 seeds"; "" where nothing is recorded."""
    low, high = verdict.seeds
    if not high:
        return ""
    return (
        ("one seed" if high == 1 else f"{high} seeds")
        if low == high
        else f"{low} to {high} seeds"
    )


def card(claim: Claim, found: dict[str, Verdict]) -> str:
    """A claim and what each source says of it, as HTML. A claim that no convention
    touches has one verdict of ours."""
    lines = []
    for number, (name, verdict) in enumerate(found.items()):
        if number > 1 and not claim.both:
            continue
        name = name if claim.both or not number else "ours"
        count = f", {seeds(verdict)}" if number and seeds(verdict) else ""
        lines.append(
            f"<li>{escape(name)}: <strong>{verdict.state}</strong>{count}. "
            f"{escape(describe(claim, verdict))}</li>"
        )
    return (
        '<div style="margin: 0 0 1.4em 0"><p style="margin: '
        f'0"><strong>{escape(_sentence(claim.says))}</strong> '
        f"({escape(claim.where)})</p>\n<ul>\n" + "\n".join(lines) + "\n</ul></div>\n"
    )


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
