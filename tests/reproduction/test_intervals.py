"""Intervals worked out by hand, how often they are right, and the three words."""

import math
from statistics import fmean, stdev

import numpy as np
import pytest

from book.reproduction.pages import intervals
from book.reproduction.pages.intervals import (
    CANNOT_TELL,
    FAILS,
    HOLDS,
    Interval,
    over_seeds,
    printed,
    standard_error,
    together,
    word,
)

INF = math.inf


def test_student_s_interval_by_hand():
    # Mean 2, s = 1; half of 90 % is 2.9200 (two degrees of freedom) / sqrt(3)
    found = over_seeds([1.0, 2.0, 3.0])
    assert (found.low, found.high) == pytest.approx((0.31415, 3.68585), abs=1e-4)
    # Mean 5, s = 2 sqrt(2); 6.3138 (one degree) * s / sqrt(2) = 12.6275
    found = over_seeds([3.0, 7.0])
    assert (found.low, found.high) == pytest.approx((-7.6275, 17.6275), abs=1e-4)
    # 12.706: the 95 % that tables print
    assert over_seeds([3.0, 7.0], 0.95).high == pytest.approx(5 + 12.706 * 2, abs=0.01)


def test_one_number_says_nothing_and_none_is_an_error():
    assert over_seeds([4.2]) == Interval(-INF, INF)
    with pytest.raises(ValueError, match="at least one"):
        over_seeds([])


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_nine_of_ten_intervals_hold_the_truth(seeds):
    """Paired differences whose two sides share most of their noise. What would be
    wrong: an interval of the two means that are not paired, and a bootstrap's."""
    numbers = np.random.default_rng(0)
    hits, lengths, unpaired = 0, [], []
    for _ in range(2000):
        shared, a, b = numbers.normal(size=(3, seeds)) * [[3.0], [0.5], [0.5]]
        gaps = (1 + shared + a) - (shared + b)
        found = over_seeds(gaps.tolist())
        hits += found.low <= 1 <= found.high
        lengths.append(found.high - found.low)
        sides = [over_seeds(side.tolist()) for side in (1 + shared + a, shared + b)]
        unpaired.append(sum(side.high - side.low for side in sides))
    assert 0.88 < hits / 2000 < 0.92
    assert fmean(unpaired) > 5 * fmean(lengths)


def test_a_bootstrap_of_three_seeds_is_too_short():
    """Why it is not used: 90 % become less than 75 %."""
    numbers = np.random.default_rng(1)
    hits = 0
    for _ in range(500):
        drawn = numbers.normal(size=3)
        again = numbers.choice(drawn, (400, 3)).mean(1)
        low, high = np.quantile(again, [0.05, 0.95])
        hits += low <= 0 <= high
    assert hits / 500 < 0.75


def test_the_standard_errors_of_the_test_sets():
    assert standard_error(97, 10_000) == pytest.approx(0.1706, abs=1e-4)
    assert standard_error(50, 2_500) == 1.0
    assert standard_error(100, 100) == standard_error(100.0000001, 100) == 0


@pytest.mark.parametrize("numbers, low, high, margin, expected", [
    ([1.0, 1.1, 1.2], 0, INF, 0.5, HOLDS),        # [.93, 1.27]
    ([1.0, 1.1, 1.2], 0, INF, 0.95, CANNOT_TELL),  # within the margin
    ([-1.0, -1.1, -1.2], 0, INF, 0.5, FAILS),
    ([0.1, 0.2, 0.3], 0, INF, 0.5, CANNOT_TELL),  # all signs agree
    ([-0.1, 2.0, 4.0], 0, INF, 0.0, CANNOT_TELL),
    ([5.0], 0, INF, 0.0, CANNOT_TELL),            # one seed
    ([5.0, 5.0], 0, INF, 0.0, HOLDS),
    ([1.0, 1.1, 1.2], -3, 3, 0.5, HOLDS),         # between two ends
    ([1.0, 1.1, 1.2], -1.5, 1.5, 0.5, CANNOT_TELL),
    ([4.0, 4.1, 4.2], -3, 3, 0.5, FAILS),
    ([-4.0, -4.1, -4.2], -3, 3, 0.5, FAILS),
    ([3.2, 3.3, 3.4], -3, 3, 0.5, CANNOT_TELL),
    ([0.0, 7.0], 0, INF, None, HOLDS),            # no noise: each number counts
    ([-1.0, 7.0], 0, INF, None, FAILS),
    ([7.0], 0, INF, None, HOLDS),
])
def test_the_word_of_numbers(numbers, low, high, margin, expected):
    assert word(numbers, low, high, margin) == expected


def test_the_word_of_printed_numbers():
    """54 less 51 lies between 2 and 4, so that less than 3 cannot be told."""
    three = printed("54") - printed("51")
    assert three == Interval(2, 4)
    assert word([three], -3, 3, 0.0) == CANNOT_TELL
    assert word([printed("53") - printed("51")], -3, 3, 0.0) == HOLDS
    assert word([printed("55") - printed("51")], -3, 3, 0.0) == FAILS
    assert word([printed("52") - printed("51")], 0, INF, 0.0) == HOLDS
    assert word([printed("51") - printed("51")], 0, INF, 0.0) == CANNOT_TELL


def test_arithmetic_with_rounded_numbers():
    assert printed("1.30") == Interval(1.295, 1.305)
    assert printed("141") == Interval(140.5, 141.5)
    assert printed("6") / printed("2") == Interval(5.5 / 2.5, 6.5 / 1.5)
    assert abs(Interval(-1, 2)) == Interval(0, 2) and -1 * printed("3") == Interval(
        -3.5, -2.5)
    assert printed("3") - 1.0 == Interval(1.5, 2.5)
    largest = intervals.extreme([printed("3"), printed("5"), math.nan])
    assert largest == Interval(4.5, 5.5)
    assert intervals.extreme([2.0, math.nan, 1.0], largest=False) == 1.0
    assert math.isnan(intervals.extreme([math.nan]))


Y, N, O = HOLDS, FAILS, CANNOT_TELL  # noqa: E741


@pytest.mark.parametrize("needed, words, expected", [
    ("all", [Y, Y], Y), ("all", [Y, N], N), ("all", [Y, O], O), ("all", [N, O], N),
    ("all", [], O),
    ("any", [Y, N], Y), ("any", [N, N], N), ("any", [N, O], O), ("any", [], O),
    ("most", [Y, Y, N], Y), ("most", [Y, N], N), ("most", [Y, N, O], O),
    ("most", [Y, Y, N, O, O], O), ("most", [N, N, O], N), ("most", [], O),
])
def test_one_word_for_several(needed, words, expected):
    assert together(words, needed) == expected


def test_an_unknown_rule():
    with pytest.raises(ValueError, match="'some'"):
        together([HOLDS], "some")


def test_a_mean_without_one_seed_stays_within_the_interval():
    """Why no verdict turns: |x_i - mean| <= (n - 1) s / sqrt(n)."""
    numbers = np.random.default_rng(2)
    for seeds in (2, 3, 5):
        for _ in range(200):
            drawn = numbers.standard_cauchy(seeds).tolist()
            found = over_seeds(drawn)
            for k in range(seeds):
                rest = fmean(drawn[:k] + drawn[k + 1:])
                assert abs(rest - fmean(drawn)) <= (
                    stdev(drawn) / math.sqrt(seeds) * (1 + 1e-9))
                assert found.low < rest < found.high
