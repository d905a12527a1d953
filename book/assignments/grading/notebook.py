"""The versions of a problem set, made from one source in nbgrader's format.

A cell's metadata ``nbgrader`` holds grade_id, points, solution (the student writes
here), grade (points are given here), locked and task, as nbgrader 0.9 wants them. A
solution stands between ``### BEGIN SOLUTION`` and ``### END SOLUTION``.
"""

import copy
import re

import nbformat

SOLUTION = re.compile(
    r"^([ \t]*)### BEGIN SOLUTION\n(.*?)^[ \t]*### END SOLUTION[ \t]*\n?", re.M | re.S
)
STUB = "raise NotImplementedError  # your code here"
ANSWER = "*Your answer here.*"
COLAB = (
    "# On Colab: installs the library that this problem set uses.\n%pip install -q {}"
)


def info(cell) -> dict:
    """What nbgrader knows of a cell; empty for one of the student's own."""
    found = cell.get("metadata", {}).get("nbgrader", {})
    return found if isinstance(found, dict) else {}


def student(source):
    """The source without solutions and outputs, each left place marked."""
    notebook = copy.deepcopy(source)
    for cell in notebook.cells:
        if info(cell).get("solution"):
            if cell.cell_type == "code":
                cell.source = SOLUTION.sub(rf"\g<1>{STUB}\n", cell.source).rstrip("\n")
            else:
                cell.source = ANSWER
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def solved(source):
    """The source as a teacher reads it: solutions, without the marks around them."""
    notebook = copy.deepcopy(source)
    for cell in notebook.cells:
        cell.source = re.sub(
            r"^[ \t]*### (BEGIN|END) SOLUTION[ \t]*\n?", "", cell.source, flags=re.M
        )
    return notebook


def for_colab(source, address: str):
    """The student's version with a first cell that installs the library."""
    notebook = student(source)
    install = nbformat.v4.new_code_cell(COLAB.format(address), id="install")
    notebook.cells.insert(1, install)
    return notebook


def points(source) -> dict[str, float]:
    """The points of each graded cell by grade_id, in their order."""
    graded = [info(cell) for cell in source.cells if info(cell).get("grade")]
    return {cell["grade_id"]: float(cell["points"]) for cell in graded}


def by_hand(source) -> list[str]:
    """grade_ids of what a teacher grades: answers in words."""
    return [
        info(cell)["grade_id"]
        for cell in source.cells
        if info(cell).get("grade") and info(cell).get("solution")
    ]
