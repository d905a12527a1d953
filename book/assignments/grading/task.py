"""A task: a function that the student writes, and how it is judged."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
SETS = ("ps1", "ps2", "ps3", "ps4")
SECRET = (
    "fairfl-solution-1b8c"  # stands in every solution, so in no file that students get
)


@dataclass(frozen=True)
class Task:
    """The points of a task are given if the function is right in all cases, else none.

    Args:
        function: its name.
        look: the equation or section to look at.
        reference: the right answer; sees the arguments, returns numbers.
        visible: cases that the test cell of the notebook shows, by what they test.
        hidden: cases that only the grader knows, by what they test.
        wrong: source of plausible wrong answers by name, right: of right ones; they
            grade the grader.
        tolerance: two numbers are equal if they differ by at most so much, relative to
            1 or to the larger.
    """

    function: str
    look: str
    reference: Callable
    visible: Mapping[str, tuple]
    hidden: Mapping[str, tuple]
    wrong: Mapping[str, str]
    right: Mapping[str, str]
    tolerance: float = 1e-8
    seconds: float = 20.0  # for all cases together

    @property
    def cases(self) -> dict[str, tuple]:
        """All cases, the visible ones first."""
        return {**self.visible, **self.hidden}


@dataclass(frozen=True)
class ProblemSet:
    """A source notebook and its tasks by `grade_id`."""

    name: str
    tasks: Mapping[str, Task] = field(default_factory=dict)

    @property
    def source(self) -> Path:
        """The notebook with solutions."""
        return ROOT / self.name / f"{self.name}.ipynb"


def load(name: str) -> ProblemSet:
    """The problem set of this name.

    Raises:
        ValueError: there is none; the message lists the known ones.
    """
    if name not in SETS:
        raise ValueError(f"unknown problem set {name!r}; known are {', '.join(SETS)}")
    module: ModuleType = importlib.import_module(f"book.assignments.{name}.tasks")
    return ProblemSet(name, module.TASKS)
