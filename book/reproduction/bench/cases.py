"""Methods that do the same thing, timed against each other; what comes out is a list of
rows."""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from book.reproduction.bench.common import Disagreement, take_turns

PATIENCE = 60.0  # seconds of calls of one method after which it is not repeated
TURN = 0.1  # seconds of calls of one method in its turn


class Method(NamedTuple):
    """A call to be timed."""

    call: Callable[[], Any]
    twin: str | None = None  # the method whose answer this one's must be
    # How many times as fast as the first method it should be
    wanted: float | None = None
    answer: Callable[[], Tensor] | None = None  # called for the comparison instead


class Case(NamedTuple):
    """Methods, of which the first is what the others are compared with."""

    name: str
    data: str
    methods: dict[str, Method]
    # Of an answer's distance from its twin's, as a share of the twin's length
    tolerance: float


class Options(NamedTuple):
    """What the user asked for."""

    repeats: int
    root: Path | None
    seed: int
    quick: bool  # sizes that take seconds; times mean nothing then


def compare(part: str, case: Case, options: Options) -> list[dict]:
    """Times of all methods, if their answers agree.

    Raises:
        Disagreement: they do not.
    """
    answers, twins = {}, {method.twin for method in case.methods.values()}
    for name, method in case.methods.items():
        answer = (method.answer or method.call)()
        if method.twin:
            twin = answers[method.twin]
            gap = float((answer - twin).norm() / twin.norm())
            if not gap <= case.tolerance:
                raise Disagreement(
                    f"{part}, {case.name}: {name!r} differs from {method.twin!r} by "
                    f"{gap:.2g} of its "
                    "size"
                )
        if name in twins:
            answers[name] = answer
    timed, _ = take_turns(
        {name: method.call for name, method in case.methods.items()},
        options.repeats,
        PATIENCE,
        True,
        TURN,
    )
    first = statistics.median(next(iter(timed.values())))
    return [
        row(
            part,
            case.name,
            case.data,
            name,
            "seconds",
            took,
            first / statistics.median(took),
            case.methods[name].wanted,
        )
        for name, took in timed.items()
    ]


def row(
    part: str,
    case: str,
    data: str,
    method: str,
    unit: str,
    values: Sequence[float],
    result: float,
    wanted: float | None,
) -> dict:
    """One line of the table, plain data; `result` is what is wanted to be large (unit
    "seconds": times as fast as the case's first method) or small."""
    return {
        "part": part,
        "case": case,
        "data": data,
        "method": method,
        "unit": unit,
        "values": list(values),
        "median": statistics.median(values),
        "result": result,
        "wanted": wanted,
    }
