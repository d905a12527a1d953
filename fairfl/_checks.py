"""One line for each check of an argument; the message names the argument."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral, Real


def within(low: float, high: float, **numbers: float) -> None:
    """ValueError unless every argument is a finite number in [low, high]."""
    end = "]" if high < math.inf else ")"
    for name, x in numbers.items():
        number = isinstance(x, Real) and not isinstance(x, bool)
        if not number or not low <= x <= high or abs(x) == math.inf:
            raise ValueError(f"{name} must lie in [{low:g}, {high:g}{end}, not {x!r}")


def positive(infinite: bool = False, **numbers: float) -> None:
    """ValueError unless every argument is a number > 0, and finite unless `infinite`."""
    for name, x in numbers.items():
        number = isinstance(x, Real) and not isinstance(x, bool)
        if not number or not 0 < x or (x == math.inf and not infinite):
            raise ValueError(f"{name} must be a positive{'' if infinite else ', finite'} "
                             f"number, not {x!r}")


def whole(least: int = 1, **numbers: int) -> None:
    """ValueError unless every argument is a whole number of at least `least`."""
    for name, x in numbers.items():
        if not isinstance(x, Integral) or isinstance(x, bool) or x < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, not {x!r}")


def even(least: int = 2, **numbers: int) -> None:
    """ValueError unless every argument is an even number of at least `least`."""
    for name, x in numbers.items():
        if not isinstance(x, Integral) or isinstance(x, bool) or x < least or x % 2:
            raise ValueError(f"{name} must be an even number of at least {least}, not {x!r}")


def known(what: str, name: object, among: Iterable[str]) -> None:
    """ValueError unless `name` is one of those; the message lists them."""
    among = tuple(among)
    if name not in among:
        raise ValueError(f"unknown {what} {name!r}; known are {', '.join(among)}")
