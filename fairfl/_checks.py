"""One line for each check of an argument; the message names the argument."""

import math
from collections.abc import Iterable
from numbers import Integral, Real


def _is(kind: type, x: object) -> bool:
    """Whether x is a number of this kind; True and False are none."""
    return isinstance(x, kind) and not isinstance(x, bool)


def within(low: float, high: float, **numbers: float) -> None:
    """ValueError unless every argument is a finite number in [low, high]."""
    start = "(" if low == -math.inf else "["
    end = ")" if high == math.inf else "]"
    for name, x in numbers.items():
        if not _is(Real, x) or not low <= x <= high or abs(x) == math.inf:
            interval = f"{start}{low:g}, {high:g}{end}"
            raise ValueError(f"{name} must lie in {interval}, not {x!r}")


def positive(infinite: bool = False, **numbers: float) -> None:
    """ValueError unless every argument is a number > 0, finite unless `infinite`."""
    kind = "positive" if infinite else "positive, finite"
    for name, x in numbers.items():
        if not _is(Real, x) or not x > 0 or (x == math.inf and not infinite):
            raise ValueError(f"{name} must be a {kind} number, not {x!r}")


def whole(least: int = 1, **numbers: int) -> None:
    """ValueError unless every argument is a whole number of at least `least`."""
    for name, x in numbers.items():
        if not _is(Integral, x) or x < least:
            what = f"a whole number of at least {least}"
            raise ValueError(f"{name} must be {what}, not {x!r}")


def even(least: int = 2, **numbers: int) -> None:
    """ValueError unless every argument is an even number of at least `least`."""
    for name, x in numbers.items():
        if not _is(Integral, x) or x < least or x % 2:
            what = f"an even number of at least {least}"
            raise ValueError(f"{name} must be {what}, not {x!r}")


def flag(**flags: bool) -> None:
    """ValueError unless every argument is True or False; the text "no" is neither."""
    for name, x in flags.items():
        if not isinstance(x, bool):
            raise ValueError(f"{name} must be True or False, not {x!r}")


def known(what: str, name: object, among: Iterable[str]) -> None:
    """ValueError unless `name` is one of those; the message lists them."""
    among = tuple(among)
    if name not in among:
        raise ValueError(f"unknown {what} {name!r}; known are {', '.join(among)}")
