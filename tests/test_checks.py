"""Checks of arguments: the borders, what is no number, and what the message says."""

import math

import numpy as np
import pytest

from fairfl import _checks


@pytest.mark.parametrize("x", [0, 1, 0.5, np.float32(1), np.int64(0)])
def test_within_holds_its_ends(x):
    _checks.within(0, 1, alpha=x)


@pytest.mark.parametrize("x", [-1e-9, 1.001, math.nan, math.inf, "1", None, True])
def test_within_refuses(x):
    with pytest.raises(ValueError, match=r"alpha must lie in \[0, 1\], not "):
        _checks.within(0, 1, alpha=x)


def test_within_an_open_end_refuses_infinity():
    _checks.within(0, math.inf, q=10**400)
    for x in (math.inf, -math.inf, math.nan, -1e-9):
        with pytest.raises(ValueError, match=r"q must lie in \[0, inf\), not "):
            _checks.within(0, math.inf, q=x)


def test_positive():
    _checks.positive(a=1e-300, b=np.float64(2), c=3)
    _checks.positive(infinite=True, beta=math.inf)
    for x in (0, -1, math.nan, math.inf, "x", None, True):
        with pytest.raises(ValueError, match="beta must be a positive, finite number"):
            _checks.positive(a=1, beta=x)
    with pytest.raises(ValueError, match="beta must be a positive number, not nan"):
        _checks.positive(infinite=True, beta=math.nan)


def test_whole():
    _checks.whole(agents=1, size=np.int64(3))
    _checks.whole(least=0, seed=0)
    for x in (0, 1.0, True, "2", math.nan):
        with pytest.raises(
            ValueError, match="agents must be a whole number of at least 1"
        ):
            _checks.whole(agents=x)


def test_even():
    _checks.even(4, permutations=np.int64(4))
    for x in (2, 5, 6.0, True, "4", math.inf, math.nan):
        with pytest.raises(
            ValueError, match="permutations must be an even number of at"
        ):
            _checks.even(4, permutations=x)


def test_flag():
    _checks.flag(others=True, news=False)
    for x in ("no", 1, None):
        with pytest.raises(ValueError, match=f"news must be True or False, not {x!r}"):
            _checks.flag(others=True, news=x)


def test_known_lists_the_names():
    _checks.known("mask", "layers", ("vector", "layers"))
    with pytest.raises(
        ValueError, match="unknown mask 'cube'; known are vector, layers"
    ):
        _checks.known("mask", "cube", ("vector", "layers"))
    with pytest.raises(ValueError, match="unknown mask None"):
        _checks.known("mask", None, iter(("vector", "layers")))
