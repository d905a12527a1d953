"""Each labelled equation and theorem has its function and its test, and those exist."""

import json
from pathlib import Path

import equations
import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_every_label_has_code_and_a_test_that_exist():
    assert equations.all_faults() == []


def test_labels_of_all_kinds_are_found():
    kinds = {mark.kind for chapter in equations.chapters() for mark in chapter.marks}
    assert {"equation", "theorem", "lemma", "proposition", "corollary",
            "algorithm"} <= kinds
    labels = [mark.label for chapter in equations.chapters() for mark in chapter.marks]
    assert len(labels) > 100 and len(labels) == len(set(labels))


# --- what is found where something is wrong

CELLS = [
    ("markdown", "(tiny)=\n# Tiny\n\n## One\n\n$$\na\n$$ (eq-a)\n\n```{math}\n"
                 ":label: eq-b\nb\n```"),
    ("code", "x = 1\nassert x"),
    ("markdown", "## Two\n\n```{prf:lemma} Small\n:class: dropdown\n:label: lem-c\n\n"
                 "$$\nc\n$$ (eq-c)\n```"),
    ("markdown", "## Three"),
    ("markdown", "## Four"),
    ("code", "torch.testing.assert_close(1, 1)"),
]
CODE, TEST = ["fairfl.rewards.mask"], ["test_a.py::test_it"]


@pytest.fixture
def book(tmp_path):
    """A chapter with four labels, and a file of tests with one."""
    cells = [{"cell_type": kind, "source": source} for kind, source in CELLS]
    (tmp_path / "tiny.ipynb").write_text(json.dumps({"cells": cells}))
    (tmp_path / "test_a.py").write_text("def test_it():\n    pass\n")
    chapter = equations.read(tmp_path / "tiny.ipynb")

    def faults(**changed):
        entries = {label: {"code": CODE, "test": TEST}
                   for label in ("eq-a", "eq-b", "lem-c", "eq-c")}
        for label, entry in changed.items():
            name = label.replace("_", "-")
            entries[name] = entry
            if entry is None:
                del entries[name]
        marks = {mark.label: (chapter, mark) for mark in chapter.marks}
        return equations.faults(marks, entries, tmp_path)

    return faults


def test_the_labels_of_a_chapter_in_their_order(book, tmp_path):
    chapter = equations.read(tmp_path / "tiny.ipynb")
    assert [(mark.label, mark.kind, mark.cell) for mark in chapter.marks] == [
        ("eq-a", "equation", 0), ("eq-b", "equation", 0), ("lem-c", "lemma", 2),
        ("eq-c", "equation", 2)]
    assert (chapter.title, chapter.label) == ("Tiny", "tiny")
    assert chapter.marks[2].name == "Small"
    assert book() == []


@pytest.mark.parametrize("changed, word", [
    ({"eq_b": None}, "eq-b is missing"),
    ({"eq_old": {"code": CODE, "test": TEST}}, "no chapter has the label eq-old"),
    ({"eq_a": {"code": ["fairfl.rewards.misk"], "test": TEST}},
     "fairfl.rewards has no function misk"),
    ({"eq_a": {"code": ["fairfl.rowards.mask"], "test": TEST}},
     "there is no module fairfl.rowards"),
    ({"eq_a": {"code": ["torch.tanh"], "test": TEST}}, "neither of fairfl nor"),
    ({"eq_a": {"code": CODE, "test": ["test_a.py::test_that"]}},
     "tests/test_a.py has no test 'test_that'"),
    ({"eq_a": {"code": CODE, "test": ["test_a.py"]}}, "has no test ''"),
    ({"eq_a": {"code": CODE, "test": ["test_b.py::test_it"]}},
     "there is no file tests/test_b.py"),
    ({"eq_a": {"code": CODE}}, "eq-a has no test"),
    ({"eq_a": {"code": CODE, "tests": TEST, "test": TEST}}, "unknown fields"),
    ({"lem_c": {"test": ["chapter"]}}, "no assert follows it"),
])
def test_a_fault_of_the_file_is_found(book, changed, word):
    (fault,) = book(**changed)
    assert word in fault


def test_an_assert_of_the_chapter_is_looked_for_in_two_sections(book):
    assert book(eq_a={"test": ["chapter"]}) == []  # the cell below
    assert equations.asserts("torch.testing.assert_close(a, b)")
    assert not equations.asserts("print('assert')") and not equations.asserts("%ls")
