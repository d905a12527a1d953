"""Graders are graded: wrong answers lose the points, right ones keep them."""

import contextlib
import io
from functools import cache

import nbformat
import numpy as np
import pytest
from click.testing import CliRunner

from book.assignments.__main__ import main
from book.assignments.grading import child, judge, notebook
from book.assignments.grading.task import ROOT, SECRET, SETS, load

pytestmark = pytest.mark.slow
ANSWERS = [
    (name, task, kind, answer)
    for name in SETS
    for task, found in load(name).tasks.items()
    for kind in ("wrong", "right")
    for answer in getattr(found, kind)
]


def cells(name, kind):
    source = nbformat.read(load(name).source, 4)
    return {
        notebook.info(cell)["grade_id"]: cell.source
        for cell in source.cells
        if cell.cell_type == "code" and notebook.info(cell).get(kind)
    }


def namespace(name, answer):
    """What a notebook defines in which all tasks are solved but this one."""
    found = {}
    source = notebook.solved(nbformat.read(load(name).source, 4))
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in source.cells:
            if cell.cell_type == "code" and not notebook.info(cell).get("grade"):
                exec(cell.source, found)
        exec(answer, found)
    return found


@cache
def outcome(name, key, answer):
    """(passes all cases, passes the visible ones), as the grader compares."""
    task = load(name).tasks[key]
    found = namespace(name, answer)

    def passes(cases):
        for arguments in cases.values():
            try:
                with np.errstate(all="ignore"):
                    sent = [
                        child.unpack(judge.sandbox.pack(part)) for part in arguments
                    ]
                    got = child.pack(found[task.function](*sent))
            except Exception:
                return False
            if not judge.close(
                got, child.pack(task.reference(*arguments)), task.tolerance
            ):
                return False
        return True

    return passes(task.cases), passes(task.visible)


@pytest.mark.parametrize(("name", "task", "kind", "answer"), ANSWERS)
def test_answers_get_what_they_deserve(name, task, kind, answer):
    found = load(name).tasks[task]
    everything, _ = outcome(name, task, getattr(found, kind)[answer])
    assert everything == (kind == "right")


@pytest.mark.parametrize(
    ("name", "task"), [(name, task) for name in SETS for task in load(name).tasks]
)
def test_each_task_has_enough_answers(name, task):
    found = load(name).tasks[task]
    assert len(found.wrong) >= 5 and len(found.right) >= 2
    shown = [outcome(name, task, answer)[1] for answer in found.wrong.values()]
    assert sum(shown) >= 2, "at least two wrong answers pass the visible cases"


@pytest.mark.parametrize("name", SETS)
def test_the_solution_passes_what_the_notebook_shows(name):
    found = namespace(name, "")
    for test in cells(name, "grade").values():
        with contextlib.redirect_stdout(io.StringIO()):
            exec(test, found)
    assert set(load(name).tasks) == set(cells(name, "grade"))


@pytest.mark.parametrize("name", SETS)
def test_no_solution_is_given_out(name):
    source = nbformat.read(load(name).source, 4)
    assert nbformat.writes(source).count(SECRET) == sum(
        bool(notebook.info(cell).get("solution")) for cell in source.cells
    )
    for made in (notebook.student(source), notebook.for_colab(source, "fairfl")):
        nbformat.validate(made)
        assert SECRET not in nbformat.writes(made)
        assert "BEGIN SOLUTION" not in nbformat.writes(made)


def test_released_files_and_the_book_hold_no_solution(tmp_path):
    address = "https://github.com/someone/fairfl"
    done = CliRunner().invoke(
        main, ["release", "--out", str(tmp_path), "--address", address]
    )
    assert done.exit_code == 0, done.output
    course = tmp_path / "course"
    files = sorted(path.relative_to(course).as_posix() for path in course.rglob("*.*"))
    assert files == sorted(
        [*(f"{folder}{name}.ipynb" for name in SETS for folder in ("", "colab/"))]
        + [".gitignore", "README.md", "project.md", "requirements.txt"]
    )
    assert f"git+{address}" in (course / "colab" / "ps1.ipynb").read_text()
    assert SECRET in (tmp_path / "solutions" / "ps1.ipynb").read_text()
    for folder in (course, ROOT.parents[1] / "_build" / "html"):
        for path in folder.rglob("*"):
            if path.is_file():
                assert SECRET.encode() not in path.read_bytes(), path


def test_without_an_address_there_is_no_copy_for_colab(tmp_path):
    done = CliRunner().invoke(main, ["release", "--out", str(tmp_path)])
    assert done.exit_code == 0 and "pass --address" in done.output
    assert not (tmp_path / "course" / "colab").exists()


def test_the_chapter_for_teachers_names_the_points():
    text = (ROOT.parent / "teaching_with_this_book.md").read_text()
    for number, name in enumerate(SETS, 1):
        source = nbformat.read(load(name).source, 4)
        points = notebook.points(source)
        hand = sum(points[task] for task in notebook.by_hand(source))
        row = next(
            line
            for line in text.splitlines()
            if line.startswith(f"| {number} | ") and line.count("|") == 6
        )
        shown = [cell.strip() for cell in row.split("|")[4:6]]
        assert shown == [f"{sum(points.values()):g}", f"{hand:g}"]
        intro = source.cells[0].source
        assert f"{shown[0]} points" in intro
