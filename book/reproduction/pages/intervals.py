"""What a few numbers can say: an interval, a margin, three words. Page "Claims".

A number is known in one of two ways. A printed one is known up to its last digit: 54 is
any number from 53.5 to 54.5. A measured one has a value for each seed. Differences are
taken within a seed, so that what all methods share, the agents' data and the first
model, cancels. Over the seeds they get Student's t interval. It is exact for normal
numbers however few they are; a bootstrap of three to five numbers is far too short.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from statistics import fmean, stdev

from scipy import stats

HOLDS, FAILS, CANNOT_TELL = "holds", "fails", "cannot tell"
# Of the interval. Each word speaks of one end of it, and that end is wrong in one case
# of twenty.
LEVEL = 0.9


@dataclass(frozen=True)
class Interval:
    """All numbers from low to high. Arithmetic gives all results that are possible."""

    low: float
    high: float

    def __sub__(self, other: "Number") -> "Interval":
        low, high = ends(other)
        return Interval(self.low - high, self.high - low)

    def __truediv__(self, other: "Interval") -> "Interval":
        """By positive numbers."""
        return Interval(self.low / other.high, self.high / other.low)

    def __rmul__(self, sign: float) -> "Interval":
        a, b = sign * self.low, sign * self.high
        return Interval(min(a, b), max(a, b))

    def __abs__(self) -> "Interval":
        a, b = abs(self.low), abs(self.high)
        crosses = self.low <= 0 <= self.high
        return Interval(0.0 if crosses else min(a, b), max(a, b))

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2


Number = float | Interval
Values = Mapping[int, Number]  # by the seed; {} stands for what is not there


def printed(text: str) -> Interval:
    """What a number may have been before it was rounded to the digits of this text."""
    number = Decimal(text)
    half = half_a_unit(number)
    return Interval(float(number - half), float(number + half))


def half_a_unit(number: Decimal) -> Decimal:
    """Of the last digit."""
    return Decimal(5).scaleb(number.as_tuple().exponent - 1)


def ends(number: Number) -> tuple[float, float]:
    """The lowest and the highest that it can be."""
    if isinstance(number, Interval):
        return number.low, number.high
    return number, number


def defined(number: Number) -> bool:
    return not math.isnan(ends(number)[0])


def extreme(numbers: Iterable[Number], largest: bool = True) -> Number:
    """The largest or the smallest of those that are defined; nan if none is."""
    known = [number for number in numbers if defined(number)]
    if not known:
        return math.nan
    pick = max if largest else min
    low, high = (pick(end) for end in zip(*map(ends, known), strict=True))
    return Interval(low, high) if any(isinstance(x, Interval) for x in known) else low


def over_seeds(numbers: Sequence[float], level: float = LEVEL) -> Interval:
    """Student's t interval of the mean. One number says nothing: all numbers.

    Raises:
        ValueError: no numbers.
    """
    if not numbers:
        raise ValueError("an interval needs at least one number")
    count = len(numbers)
    if count == 1:
        return Interval(-math.inf, math.inf)
    mean = fmean(numbers)
    half = _student(level, count - 1) * stdev(numbers, mean) / math.sqrt(count)
    return Interval(mean - half, mean + half)


@cache
def _student(level: float, freedom: int) -> float:
    return float(stats.t.ppf((1 + level) / 2, freedom))


def standard_error(percent: float, samples: int) -> float:
    """Of an accuracy on a test set, in points: what another test set of as many samples
    would change.

    Of two methods that are tested on the same samples, the difference has at most this
    standard error where their mistakes have a correlation of at least one half.
    """
    right = min(max(percent / 100, 0.0), 1.0)
    return 100 * math.sqrt(right * (1 - right) / samples)


def word(numbers: Sequence[Number], low: float, high: float, margin: float | None
         ) -> str:
    """Whether a number lies between low and high.

    Measured: *holds* if its whole interval lies inside by more than the margin, *fails*
    if the whole interval lies outside by more than the margin, else *cannot tell*.
    Printed, or a margin of None, for what has no noise: *holds* if all that the numbers
    can be lies inside, *fails* if one of them lies outside with all that it can be.
    """
    if margin is None or any(isinstance(number, Interval) for number in numbers):
        words = {_within(*ends(number), low, high) for number in numbers}
        order = (FAILS, CANNOT_TELL, HOLDS)
        return next((found for found in order if found in words), CANNOT_TELL)
    if len(numbers) < 2:
        return CANNOT_TELL
    found = over_seeds([ends(number)[0] for number in numbers])
    if low + margin < found.low and found.high < high - margin:
        return HOLDS
    outside = found.high < low - margin or high + margin < found.low
    return FAILS if outside else CANNOT_TELL


def _within(least: float, most: float, low: float, high: float) -> str:
    if low <= least and most <= high:
        return HOLDS
    return FAILS if most <= low or high <= least else CANNOT_TELL


def together(words: Sequence[str], needed: str) -> str:
    """One word for a sentence about several numbers.

    "all": fails if one fails, holds if all hold. "any": holds if one holds, fails if
    all fail. "most": holds if more than half hold, fails if half or more fail. Else it
    cannot be told.

    Raises:
        ValueError: another rule.
    """
    yes, no, count = words.count(HOLDS), words.count(FAILS), len(words)
    rules = {"all": (count > 0 and yes == count, no > 0),
             "any": (yes > 0, count > 0 and no == count),
             "most": (yes > count / 2, count > 0 and no >= count / 2)}
    if needed not in rules:
        raise ValueError(f"unknown rule {needed!r}; known are {', '.join(rules)}")
    holds, fails = rules[needed]
    return HOLDS if holds else FAILS if fails else CANNOT_TELL
