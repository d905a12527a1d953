"""A blind check of the verdicts: simulated records in which the truth is known, judged
by the same rule as the real ones. Page "Claims".

What is simulated is the difference of two methods' average accuracies. Each seed adds a
normal number with the spread that the recorded seeds have. The test set, which is the
same for all seeds and both methods, adds one normal number for all seeds; its standard
deviation is `SHARED` of one standard error of an accuracy. So the test set is part of
the noise that more seeds do not remove, which is what the margin is for.
"""

import math
from collections.abc import Iterator
from functools import cache
from statistics import median, stdev
from typing import NamedTuple

import torch

from book.reproduction import plan
from book.reproduction.pages import tables
from book.reproduction.pages.intervals import CANNOT_TELL, HOLDS, word
from book.reproduction.pages.quantities import BASELINES, OURS, margin, minus
from book.reproduction.pages.sources import Recorded
from fairfl.randomness import generator

# Two methods make most of their mistakes on the same samples. A test measures it for
# CGSV and FedAvg on digits.
SHARED = 0.5
DRAWS, SEEDS = 1000, 5
TRUTHS = {0.0: CANNOT_TELL, 1.0: HOLDS}  # points between the methods -> the right word
# Of the draws that must get the right word
WANTED = {0.0: 0.9, 1.0: 0.8}


class Noise(NamedTuple):
    """Of the difference of two average accuracies in a column, in points."""

    column: str
    seeds: int  # that it is measured on
    spread: float  # over seeds: the median of all pairs of ours and a baseline
    error: float  # one standard error of the test set


def measured(source: Recorded) -> Iterator[Noise]:
    """In each column with three seeds or more."""
    for column in plan.COLUMNS:
        means = {method: source.mean(method, column) for method in (*OURS, *BASELINES)}
        gaps = [minus(means[ours], means[other]) for ours in OURS
                for other in BASELINES if other != "standalone"]
        gaps = [list(gap.values()) for gap in gaps if len(gap) >= 3]
        if gaps:
            yield Noise(column, max(map(len, gaps)), median(map(stdev, gaps)),
                        margin(source, column, *means.values()))


@cache
def _normal(seeds: int) -> tuple[tuple[float, ...], ...]:
    """Of each draw a number for each seed, and one for the test set."""
    numbers = torch.randn(DRAWS, seeds + 1, generator=generator(0, "blind", seeds),
                          dtype=torch.float64)
    return tuple(map(tuple, numbers.tolist()))


def simulated(noise: Noise, points: float, seeds: int = SEEDS) -> list[list[float]]:
    """Of each draw the differences, seed by seed, of methods that are so many points
    apart in truth."""
    return [[points + SHARED * noise.error * test + noise.spread * own for own in each]
            for *each, test in _normal(seeds)]


def rate(noise: Noise, points: float, seeds: int = SEEDS) -> float:
    """How often the word is the right one, see `TRUTHS`, for the claim that the first
    method is better."""
    words = [word(numbers, 0.0, math.inf, noise.error)
             for numbers in simulated(noise, points, seeds)]
    return words.count(TRUTHS[points]) / DRAWS


def rows(source: Recorded) -> list[list[str]]:
    """For the page: each column's noise, and how often the right word is found."""
    lines = []
    for noise in measured(source):
        rates = {points: rate(noise, points) for points in TRUTHS}
        reached = all(rates[points] >= WANTED[points] for points in TRUTHS)
        lines.append([tables.column_label(noise.column), str(noise.seeds),
                      f"{noise.spread:.2f}", f"{noise.error:.2f}",
                      *(f"{100 * found:.0f} %" for found in rates.values()),
                      "yes" if reached else "no"])
    return lines


HEADER = ("column", "seeds recorded", "spread over seeds", "margin",
          "equal: cannot tell", "one point better: holds", "reached")


def largest_spread(error: float) -> float:
    """The largest spread over seeds, in tenths of a point, at which one point is found
    as often as it must be; 0 if there is none."""
    tenths = 0
    while rate(Noise("", SEEDS, (tenths + 1) / 10, error), 1.0) >= WANTED[1.0]:
        tenths += 1
    return tenths / 10
