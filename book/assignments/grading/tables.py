"""One CSV of all grades, and one that a teacher fills in: points given by hand.

The teacher's file is written once with a line for each student and kept: new students
are added, nothing in it is ever changed. Its points, adjustments and comments enter the
grades and the pages when the same command is called again.
"""

import csv
from collections.abc import Iterator
from pathlib import Path


class Mark(dict):
    """What a teacher wrote for one student: column -> text."""

    def number(self, column: str, where: Path) -> float | None:
        """The number in a column, None if it is empty.

        Raises:
            ValueError: it holds something else; the message names file and student.
        """
        text = (self.get(column) or "").strip().replace(",", ".")
        try:
            return float(text) if text else None
        except ValueError:
            raise ValueError(
                f"{where}: {column!r} of {self['student']} is no number: {text!r}"
            ) from None


def by_hand(path: Path, students: list[str], tasks: list[str]) -> dict[str, Mark]:
    """The teacher's marks; students that are not there yet are added to the file."""
    columns = ["student", *tasks, "adjust", "comment"]
    marks = {}
    if path.exists():
        with path.open(newline="", encoding="utf-8-sig") as file:
            marks = {row["student"]: Mark(row) for row in csv.DictReader(file)}
    new = [student for student in students if student not in marks]
    if new:
        marks |= {student: Mark(student=student) for student in new}
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(marks.values())
    return marks


def marked(result: dict, mark: Mark, where: Path) -> dict:
    """A result with the points given by hand, the adjustment and the comment."""
    points = {
        task: mark.number(task, where) if got is None else got
        for task, got in result["points"].items()
    }
    for task, got in points.items():
        if got is not None and not 0 <= got <= result["possible"][task]:
            raise ValueError(
                f"{where}: {task!r} of {mark['student']} must lie between 0 and "
                f"{result['possible'][task]:g}, not {got:g}"
            )
    adjust = mark.number("adjust", where) or 0.0
    total = sum(x for x in points.values() if x is not None) + adjust
    more = {"points": points, "adjust": adjust, "total": total}
    return result | more | {"comment": mark.get("comment") or ""}


def write(results: dict[str, dict], path: Path) -> None:
    """All students, a line each."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(_rows(results))


def _rows(results: dict[str, dict]) -> Iterator[list]:
    tasks = list(next(iter(results.values()))["possible"])
    yield ["student", "points", "of", "to grade by hand", "adjust", *tasks, "remarks"]
    for student, result in results.items():
        points = [result["points"][task] for task in tasks]
        left = [task for task in tasks if result["points"][task] is None]
        yield [
            student,
            f"{result['total']:g}",
            f"{sum(result['possible'].values()):g}",
            " ".join(left),
            f"{result['adjust']:g}",
            *("" if x is None else f"{x:g}" for x in points),
            "; ".join([*result["errors"], *result["repairs"]]),
        ]
