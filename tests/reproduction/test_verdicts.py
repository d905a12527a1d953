"""A verdict, what is written of it, and what becomes of it without a seed."""

import math
from pathlib import Path

import numpy as np
import pytest

from book.reproduction.pages import verdicts
from book.reproduction.pages.intervals import CANNOT_TELL, FAILS, HOLDS, printed
from book.reproduction.pages.sources import Recorded
from book.reproduction.pages.verdicts import Claim, Item, judge, turned, without

NOTHING = Recorded(Path("nowhere"))


def claim(items, low=0.0, **changes):
    return Claim("a", "Sec. 1", "it is positive", "points", lambda source: items, low,
                 **changes)


YES, NO, OPEN = {0: 1.0, 1: 1.1, 2: 1.2}, {0: -1.0, 1: -1.1}, {0: 3.0, 1: -1.0}
ITEMS = [Item("one", YES, 0.5), Item("two", {0: -1.0, 1: -1.0}, 0.2),
         Item("three", OPEN), Item("four", {0: math.nan}), Item("five", {}),
         Item("six", {3: 7.0})]


def test_a_verdict_shows_its_numbers():
    found = claim(ITEMS)
    verdict = judge(found, NOTHING)
    assert verdict.word == FAILS
    assert [one.word for one in verdict.items] == [
        HOLDS, FAILS, CANNOT_TELL, CANNOT_TELL, CANNOT_TELL, CANNOT_TELL]
    assert [one.why for one in verdict.items] == [
        "", "", "", "within the noise", "not recorded", "one seed"]
    assert verdicts.describe(found, verdict) == (
        "Of 6 numbers 1 for it, 1 against it, 4 open. They lie between -1.0 and 7.0 "
        "(points). Against it two: -1.0 [-1.0, -1.0]. Margin 0.20 to 0.50. Within the "
        "noise: 1. Not recorded: 1. One seed: 1.")
    assert verdicts.seeds(verdict) == "1 to 3 seeds"


def test_one_number_and_its_interval():
    found = claim([Item("one", {0: 1.0, 1: 2.0, 2: 3.0}, 0.2)])
    verdict = judge(found, NOTHING)
    assert verdicts.describe(found, verdict) == (
        "One: 2.0 [0.31, 3.7] points. Margin 0.20.")
    assert verdicts.seeds(verdict, "draw") == "3 draws"
    found = claim([Item("one", {0: printed("2.5")})])
    assert verdicts.describe(found, judge(found, NOTHING)) == (
        "One: 2.5 [2.5, 2.5] points.")


def test_a_claim_that_nothing_tests():
    found = claim([])
    verdict = judge(found, NOTHING)
    assert verdict.word == CANNOT_TELL
    assert verdicts.describe(found, verdict) == "No record tests it."


def test_a_card_says_how_a_sentence_is_read():
    found = claim(ITEMS, reading="As <we> read it.", both=False)
    verdict = judge(found, NOTHING)
    card = verdicts.card(found, {"the paper": verdict, "downloaded": verdict,
                                 "trained": verdict})
    assert card.count("<li>") == 2 and "As &lt;we&gt; read it." in card
    assert "<li>ours: <strong>fails</strong>, 1 to 3 seeds." in card


def test_a_verdict_without_a_seed():
    found = claim([Item("one", {0: 1.0, 1: 1.1, 2: 1.2}, 0.5),
                   Item("two", {0: 5.0, 1: 5.0})])
    verdict = judge(found, NOTHING)
    assert verdict.word == HOLDS
    left = without(found, verdict, 0)
    assert [len(one.numbers) for one in left.items] == [2, 1]
    assert left.word == CANNOT_TELL and without(found, verdict, 9).word == HOLDS
    assert turned(found, verdict) == []


@pytest.mark.parametrize("needed", ["all", "any", "most"])
def test_no_verdict_turns_when_a_seed_is_left_out(needed):
    """Numbers with heavy tails, where a single seed carries most of a mean."""
    numbers = np.random.default_rng(0)
    words = set()
    for _ in range(300):
        side = 2 * numbers.choice([-1, 1])
        drawn = (side + 0.3 * numbers.standard_cauchy((3, 3))).tolist()
        items = [Item(str(k), dict(enumerate(row)), 0.2) for k, row in enumerate(drawn)]
        found = claim(items, needed=needed)
        verdict = judge(found, NOTHING)
        words.add(verdict.word)
        assert turned(found, verdict) == []
    assert words == {HOLDS, FAILS, CANNOT_TELL}


def test_a_rule_that_counts_means_would_turn():
    """What would be wrong: the sign of the mean. One seed decides it here."""
    item = Item("one", {0: 9.0, 1: -1.0, 2: -1.5})
    mean = sum(item.values.values())
    rest = item.values[1] + item.values[2]
    assert mean > 0 > rest
    assert judge(claim([item]), NOTHING).word == CANNOT_TELL
