"""Submissions as they arrive: whatever one holds, all others get their grades."""

import copy
import csv
import json
import os

import nbformat
import pytest

from book.assignments.grading import batch, notebook, repair, sandbox
from book.assignments.grading.task import ROOT, load

pytestmark = pytest.mark.slow
SOURCE = nbformat.read(load("ps1").source, 4)
SOLVED, EMPTY = notebook.solved(SOURCE), notebook.student(SOURCE)
FULL = 26.0  # 30 points, of which 4 are given by hand


def cell(made, name):
    return next(
        found for found in made.cells if notebook.info(found).get("grade_id") == name
    )


def altered(change):
    made = copy.deepcopy(SOLVED)
    answer = change(made)
    return json.dumps(made if answer is None else answer)


def insert(source, at=3):
    return altered(
        lambda made: made.cells.insert(at, nbformat.v4.new_code_cell(source, id="own"))
    )


def copied(made):
    made.cells.append(copy.deepcopy(cell(made, "solution-psi")))  # the same id twice


def deleted(made):
    made.cells.remove(cell(made, "psi"))
    made.cells.remove(cell(made, "setup"))


def emptied(made):
    cell(made, "solution-psi").source = ""


def retyped(made):
    found = cell(made, "solution-psi")
    found["cell_type"] = "markdown"
    for key in ("outputs", "execution_count"):
        found.pop(key)


def without_metadata(made):
    made.metadata = {}
    for found in made.cells:
        found.metadata = {}
        found.pop("id")


def cheated(made):
    cell(made, "solution-psi").source = "def psi(updates, r):\n    return [0, 0, 0]"
    cell(made, "psi").source = "assert True"


def broken(made):
    cell(made, "solution-psi").source = "def psi(updates, r)\n    return 1"


def endless(made):
    cell(made, "solution-psi").source = "def psi(updates, r):\n    while True: pass"


SPY = f"""
import os
seen = [name for _, _, names in os.walk({str(ROOT)!r}) for name in names]
def psi(updates, r):
    raise ValueError(str(seen[:3]) + " seen")
"""

ODD = {  # what it holds, points, a word of the remarks
    "solved": (json.dumps(SOLVED), FULL, ""),
    "untouched": (json.dumps(EMPTY), 0.0, ""),
    "copied": (altered(copied), FULL, "stands 2 times"),
    "deleted": (altered(deleted), FULL, ""),
    "emptied": (altered(emptied), FULL - 4, ""),
    "retyped": (altered(retyped), FULL, "is code again"),
    "without-metadata": (altered(without_metadata), FULL, "metadata were lost"),
    "cheated": (altered(cheated), FULL - 4, ""),
    "broken": (altered(broken), FULL - 4, "SyntaxError"),
    "exit": (insert("import os\nos._exit(0)"), FULL, "ended the process"),
    "sys-exit": (insert("import sys\nsys.exit(1)"), FULL, "SystemExit"),
    "flood": (insert("for k in range(10**5): print('x' * 200)"), FULL, ""),
    "memory": (insert("x = bytearray(10**11)"), FULL, "MemoryError"),
    "question": (insert("input('who are you?')"), FULL, "Error"),
    "no-json": ("{", 0.0, "not a Jupyter notebook"),
    "nothing": ("", 0.0, "not a Jupyter notebook"),
    "no-cells": ('{"cells": 3}', 0.0, "not a Jupyter notebook"),
    "html": ("<!doctype html>", 0.0, "not a Jupyter notebook"),
    "recursion": (insert("def f(): return f()\nf()"), FULL, "RecursionError"),
    "forged": (
        insert(
            "import os\nfor k in range(3, 64):\n"
            "    try: os.write(k, b'{\"ended\": 1}\\n')\n"
            "    except OSError: pass"
        ),
        None,
        "",
    ),
    "bom": ("\ufeff" + json.dumps(SOLVED), FULL, ""),
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    folder, out = (
        tmp_path_factory.mktemp("handed-in"),
        tmp_path_factory.mktemp("grades"),
    )
    for student, (text, _, _) in ODD.items():
        (folder / student).mkdir()
        (folder / student / "ps1 (1).ipynb").write_text(text)
    path = batch.grade_all(folder, "ps1", out)
    with path.open() as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    return folder, out, rows


@pytest.mark.parametrize("student", ODD)
def test_odd_submissions(graded, student):
    _, points, word = ODD[student]
    row = graded[2][student]
    if points is not None:  # who forges the grader's messages hurts nobody else
        assert float(row["points"]) == points, row
    assert word in row["remarks"] and float(row["of"]) == 30


def test_each_student_gets_a_page_that_says_what_happened(graded):
    page = (graded[1] / "untouched.html").read_text()
    assert (
        "<b>0 of 30 points" in page
        and "psi is not written yet" in page
        and "eq. (3)" in page
    )
    assert "stands 2 times" in (graded[1] / "copied.html").read_text()


def test_points_given_by_hand(graded, tmp_path):
    folder = tmp_path / "few"
    for student in ("anna", "bert"):
        (folder / student).mkdir(parents=True)
        (folder / student / "ps1.ipynb").write_text(ODD["no-json"][0])
    out = tmp_path / "out"
    batch.grade_all(folder, "ps1", out)
    hand = out / "by-hand.csv"
    assert hand.read_text().splitlines()[0] == "student,words,adjust,comment"
    hand.write_text("student,words,adjust,comment\nanna,3.5,1,well <done>\n")
    (folder / "carl").mkdir()
    (folder / "carl" / "ps1.ipynb").write_text("{")
    with batch.grade_all(folder, "ps1", out).open() as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert [rows[who]["points"] for who in ("anna", "bert", "carl")] == [
        "4.5",
        "0",
        "0",
    ]
    assert rows["anna"]["to grade by hand"] == "" and rows["bert"]["words"] == ""
    page = (out / "anna.html").read_text()
    assert "4.5 of 30" in page and "well &lt;done&gt;" in page and "+1 by" in page
    assert "well <done>" in hand.read_text() and "carl" in hand.read_text()
    hand.write_text("student,words,adjust,comment\nanna,40,,\n")
    with pytest.raises(ValueError, match="'words' of anna must lie between 0 and 4"):
        batch.grade_all(folder, "ps1", out)
    hand.write_text("student,words,adjust,comment\nanna,good,,\n")
    with pytest.raises(ValueError, match="by-hand.csv: 'words' of anna is no number"):
        batch.grade_all(folder, "ps1", out)


def test_grading_goes_on_where_it_stopped(graded, monkeypatch):
    folder, out, rows = graded
    (out / "exit.json").write_text("{")  # half written
    seen = []
    grade = batch.grade
    monkeypatch.setattr(
        batch,
        "grade",
        lambda path, *rest: seen.append(path.parent.name) or grade(path, *rest),
    )
    with batch.grade_all(folder, "ps1", out).open() as file:
        assert {row["student"]: row for row in csv.DictReader(file)} == rows
    assert seen == ["exit"]


def test_endless_loops_end(monkeypatch):
    monkeypatch.setattr(sandbox, "CELL", 8.0)
    release = EMPTY
    made = repair.repair(altered(endless).encode(), release)
    from book.assignments.grading.judge import judge

    tasks = {name: load("ps1").tasks[name] for name in ("psi", "game")}
    verdicts, _ = judge(
        made.cells, {"psi": _quick(tasks["psi"]), "game": tasks["game"]}
    )
    assert not verdicts["psi"].right and "too long" in verdicts["psi"].said
    assert verdicts["game"].right
    calls = [("hang", (k,), 1.0) for k in range(9)] + [("f", (), 5.0)]
    outcome = sandbox.run(
        ["def hang(k):\n    while True: pass", "def f(): return 1"], calls
    )
    assert outcome.returned[-1] == {"value": 1}
    assert all("too long" in found["error"] for found in outcome.returned[:-1])
    outcome = sandbox.run(
        ["x = 1", "while True: pass", "def f(): return x"], [("f", (), 5.0)]
    )
    assert outcome.returned == [{"value": 1}] and "too long" in outcome.errors[1]


def _quick(task):
    from dataclasses import replace

    return replace(task, seconds=4.0)


@pytest.mark.skipif(
    not sandbox.isolation(), reason="this machine has no namespaces for a process"
)
def test_solutions_are_out_of_reach():
    outcome = sandbox.run(
        [
            SPY,
            "import socket",
            "def up():\n    return os.system('umount " + str(ROOT) + "')",
            "def net():\n    socket.create_connection(('127.0.0.1', 22), 2)",
        ],
        [("psi", (1, 2), 5.0), ("up", (), 5.0), ("psi", (1, 2), 5.0), ("net", (), 5.0)],
        (ROOT,),
    )
    assert outcome.isolated
    assert (
        outcome.returned[0]["error"]
        == outcome.returned[2]["error"]
        == "ValueError: [] seen"
    )
    assert outcome.returned[1]["value"] != 0
    assert (
        "unreachable" in outcome.returned[3]["error"]
        or "refused" in outcome.returned[3]["error"]
    )


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("anna/ps1.ipynb", "anna"),
        ("anna_ps1.ipynb", "anna"),
        ("ps1-anna (2).ipynb", "anna"),
        ("ps1 (1).ipynb", "ps1"),
        ("Müller, Özge_PS1 copy.ipynb", "Müller, Özge"),
        ("a/b/c.ipynb", "a"),
    ],
)
def test_names_of_students(tmp_path, name, student):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    assert list(batch.submissions(tmp_path, "ps1")) == [student]


def test_the_newest_file_counts(tmp_path):
    (tmp_path / "anna").mkdir()
    for k, name in enumerate(("ps1.ipynb", "ps1 (1).ipynb")):
        (tmp_path / "anna" / name).write_text("{}")
        os.utime(tmp_path / "anna" / name, (k, k))
    assert batch.submissions(tmp_path, "ps1")["anna"].name == "ps1 (1).ipynb"
    with pytest.raises(FileNotFoundError, match="no notebook"):
        batch.submissions(tmp_path / "nowhere", "ps1")


def test_a_second_set(tmp_path):
    source = nbformat.read(load("ps2").source, 4)
    made = {"done": notebook.solved(source), "untouched": notebook.student(source)}
    for student, submission in made.items():
        (tmp_path / "in" / student).mkdir(parents=True)
        nbformat.write(submission, tmp_path / "in" / student / "ps2.ipynb")
    path = batch.grade_all(tmp_path / "in", "ps2", tmp_path / "out")
    with path.open() as file:
        got = {row["student"]: float(row["points"]) for row in csv.DictReader(file)}
    points = notebook.points(source)
    whole = sum(points.values()) - sum(points[k] for k in notebook.by_hand(source))
    assert got == {"done": whole, "untouched": 0}
