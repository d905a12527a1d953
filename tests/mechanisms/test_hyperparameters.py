"""No number and no name gets into a mechanism or an attack that it cannot work with.

All fields of all of them are found by their types, so that a new one is tried as well.
"""

import math
import re
from dataclasses import fields

import numpy as np
import pytest

from fairfl import attacks, mechanisms

KINDS = {**mechanisms.MECHANISMS, **attacks.KINDS}
MAY_BE = {("cgsv", "beta", math.inf), ("guarded", "beta", math.inf)}  # equal rewards
FREE = {("follow", "agent")}  # a text that only the federation can check


def make(kind, **options):
    return KINDS[kind](**({"agent": "2"} if kind == "follow" else {}) | options)


def of_type(pattern):
    """(kind, field) of all fields of such a type."""
    return [(kind, field.name) for kind, cls in KINDS.items() for field in fields(cls)
            if re.search(pattern, str(field.type))]


NUMBERS = of_type(r"\b(float|int)\b")
TEXTS = [pair for pair in of_type(r"\bstr\b") if pair not in FREE]


def test_the_fields_are_found():
    assert {("cgsv", "epsilon"), ("guarded", "crowding"), ("rr", "last_round"),
            ("eci", "decay"), ("qffl", "q"), ("cffl", "threshold"),
            ("scaled", "factor"), ("copies", "copies")} <= set(NUMBERS)
    assert {("cgsv", "mask"), ("eu", "scaling"), ("cffl", "value")} <= set(TEXTS)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, "x", True, (1,)])
@pytest.mark.parametrize("kind, field", NUMBERS)
def test_every_number_is_finite_or_documented_otherwise(kind, field, wrong):
    if (kind, field, wrong) in MAY_BE:
        assert getattr(make(kind, **{field: wrong}), field) == wrong
        return
    message = f"^{field} must .*, not {re.escape(repr(wrong))}"
    with pytest.raises(ValueError, match=message):
        make(kind, **{field: wrong})


@pytest.mark.parametrize("kind, field", NUMBERS)
def test_the_default_is_taken_as_a_number_of_numpy_too(kind, field):
    given = getattr(make(kind), field)
    if given is not None:
        make(kind, **{field: np.asarray(given)[()]})


@pytest.mark.parametrize("kind, field", of_type(r"\bbool\b"))
def test_a_switch_is_true_or_false_and_no_text(kind, field):
    for wrong in ("no", 1, None):
        with pytest.raises(ValueError, match=f"{field} must be True or False, not"):
            make(kind, **{field: wrong})


@pytest.mark.parametrize("kind, field", TEXTS)
def test_every_name_is_known(kind, field):
    for wrong in ("half", None, 1):
        with pytest.raises(ValueError, match=f"unknown .*{wrong!r}; known are "):
            make(kind, **{field: wrong})
