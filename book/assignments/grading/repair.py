"""Make a submission whole before it is graded, and say what was repaired.

Only what the student wrote counts: cells that were given out (set-up, tests, text) come
from the release, whatever the submission holds in their places. Cells are known by
their grade_id, else by their id, else by the first line of their code.
"""

import json
from typing import NamedTuple

import nbformat

from book.assignments.grading.notebook import info


class Submission(NamedTuple):
    """What is run and read of a submission."""

    cells: list[str]  # code, in the order in which it is run
    answers: dict[str, str]  # answers in words by grade_id
    repairs: list[str]


class Unreadable(ValueError):
    """The file is no notebook."""


def read(text: bytes) -> list[dict]:
    """The cells of a notebook file, with what is missing filled in.

    Raises:
        Unreadable: it is not JSON, or holds no cells.
    """
    try:
        cells = json.loads(text.decode("utf-8-sig", errors="replace"))["cells"]
        if not (cells and isinstance(cells, list)):
            raise TypeError("cells")
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(
            "this file is not a Jupyter notebook, or holds no cells"
        ) from error
    found = []
    for cell in cells:
        if isinstance(cell, dict):
            source = cell.get("source", "")
            source = (
                "".join(map(str, source)) if isinstance(source, list) else str(source)
            )
            found.append({**cell, "source": source.replace("\r\n", "\n")})
    return found


def repair(text: bytes, release: nbformat.NotebookNode) -> Submission:
    """The submission's own cells between those of the release.

    Raises:
        Unreadable: as in `read`.
    """
    submitted, repairs = read(text), []
    places = _places(submitted, release, repairs)
    code, answers = [], {}
    for i, given in enumerate(release.cells):
        name = info(given).get("grade_id", given.get("id", ""))
        if not info(given).get("solution"):
            if given.cell_type == "code" and not info(given).get("grade"):
                code.append((_position(i, places, release), given.source))
            continue
        mine = [submitted[k] for k in places.get(i, [])]
        if not mine:
            repairs.append(f"the cell of {name!r} is missing")
        if given.cell_type != "code":
            answers[name] = "\n\n".join(cell["source"] for cell in mine)
            continue
        if any(cell.get("cell_type") != "code" for cell in mine):
            repairs.append(f"the cell of {name!r} is code again")
        code += [(k, submitted[k]["source"]) for k in places.get(i, [])]
    taken = {k for found in places.values() for k in found}
    own = [
        (k, cell["source"])
        for k, cell in enumerate(submitted)
        if k not in taken and cell.get("cell_type") == "code"
    ]
    ordered = [source for _, source in sorted(code + own, key=lambda pair: pair[0])]
    return Submission(ordered, answers, repairs)


def _position(i: int, places: dict[int, list[int]], release) -> float:
    """Where a given cell stood in the submission; where it is gone, before all else."""
    return float(places[i][0]) if places.get(i) else i / len(release.cells) - 1


def _places(submitted: list[dict], release, repairs: list[str]) -> dict[int, list[int]]:
    """Which cells of the submission stand for which of the release."""
    by_grade, by_id, by_line = {}, {}, {}
    for i, given in enumerate(release.cells):
        by_id[given.get("id")] = i
        if "grade_id" in info(given):
            by_grade[info(given)["grade_id"]] = i
        if given.cell_type == "code" and given.source.strip():
            by_line[given.source.strip().splitlines()[0]] = i
    places: dict[int, list[int]] = {}
    for k, cell in enumerate(submitted):
        first = (cell["source"].strip().splitlines() or [""])[0]
        i = by_grade.get(str(info(cell).get("grade_id")), by_line.get(first))
        if i is None:
            i = by_id.get(str(cell.get("id")))
        if i is not None:
            places.setdefault(i, []).append(k)
    for i, found in places.items():
        if len(found) > 1:
            name = info(release.cells[i]).get("grade_id", release.cells[i].get("id"))
            repairs.append(
                f"the cell {name!r} stands {len(found)} times; all are run in order"
            )
    if not any(info(cell) for cell in submitted):
        repairs.append(
            "the cells' metadata were lost; cells are known by their first lines"
        )
    return places
