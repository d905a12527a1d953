"""Does what a student's functions returned earn the points?"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from book.assignments.grading import child, sandbox
from book.assignments.grading.task import Task


class Verdict(NamedTuple):
    """Of one task."""

    right: bool
    said: str  # to the student: what was wrong and where to look, or ""


def judge(
    cells: Sequence[str], tasks: dict[str, Task], hidden: Sequence[Path] = ()
) -> tuple[dict[str, Verdict], sandbox.Outcome]:
    """Run a notebook's cells and judge all tasks."""
    cases = [(name, case) for name, task in tasks.items() for case in task.cases]
    calls = [
        (
            tasks[name].function,
            tasks[name].cases[case],
            tasks[name].seconds / len(tasks[name].cases),
        )
        for name, case in cases
    ]
    outcome = sandbox.run(cells, calls, hidden)
    verdicts = {name: Verdict(True, "") for name in tasks}
    for (name, case), returned in zip(cases, outcome.returned, strict=True):
        if verdicts[name].right and (fault := _fault(tasks[name], case, returned)):
            verdicts[name] = Verdict(False, f"{fault} Look at {tasks[name].look}.")
    return verdicts, outcome


def _fault(task: Task, case: str, returned: dict) -> str:
    """One sentence on what is wrong, or ""; hidden cases show no numbers."""
    where = f"{task.function}, {case}:"
    if returned.get("error") == "NotImplementedError":
        return f"{task.function} is not written yet."
    if "error" in returned:
        return f"{where} {returned['error']}."
    expected = child.pack(task.reference(*task.cases[case]))
    if close(returned.get("value"), expected, task.tolerance):
        return ""
    if case in task.visible:
        came = _short(returned.get("value"))
        return f"{where} expected {_short(expected)}, came {came}."
    return f"{where} not what is expected."


def close(got, expected, tolerance: float) -> bool:
    """Equal in form, and number by number within the tolerance, relative to 1 or to the
    larger. An array of one number is not a number; True is not 1."""
    if isinstance(expected, list):
        return (
            isinstance(got, list)
            and len(got) == len(expected)
            and all(close(a, b, tolerance) for a, b in zip(got, expected, strict=True))
        )
    if isinstance(expected, dict):
        return (
            isinstance(got, dict)
            and got.keys() == expected.keys()
            and all(close(got[key], part, tolerance) for key, part in expected.items())
        )
    if isinstance(expected, (bool, str)) or expected is None:
        return type(got) is type(expected) and got == expected
    if isinstance(got, bool) or not isinstance(got, (int, float)):
        return False
    if math.isnan(expected) or math.isinf(expected):
        return got == expected or (math.isnan(got) and math.isnan(expected))
    return abs(got - expected) <= tolerance * max(1.0, abs(expected))


def _short(value) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
