"""Outputs that are older than their code are found."""

import freshness
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

SHOWN = new_output("stream", text="1\n")


@pytest.fixture
def chapter():
    notebook = new_notebook(cells=[
        new_markdown_cell("# Title"),
        new_code_cell("import sys", metadata={"tags": ["setup"]}),
        new_code_cell("a = 1"),
        new_code_cell("print(a)", outputs=[SHOWN]),
    ])
    freshness.stamp(notebook)
    return notebook


def test_nothing_is_wrong_after_a_run(chapter):
    assert freshness.faults(chapter) == []


def edit(number, source):
    return lambda cells: cells[number].update(source=source)


@pytest.mark.parametrize("change, where", [
    (edit(2, "a = 2"), "from 'a = 2' on"),
    (edit(3, "print(a, a)"), "from 'print(a, a)' on"),
    (lambda cells: cells.append(new_code_cell("b = 1")), "from 'b = 1' on"),
    (lambda cells: cells.pop(2), "from 'print(a)' on"),
    (lambda cells: cells.pop(3), "from the end on"),
    (lambda cells: cells.insert(2, cells.pop(3)), "from 'print(a)' on"),
])
def test_outputs_older_than_the_code_are_found(chapter, change, where):
    change(chapter.cells)
    found = freshness.faults(chapter)
    assert len(found) == 1 and where in found[0] and "older" in found[0]


@pytest.mark.parametrize("change", [
    edit(0, "# Another"), edit(1, "import os"),
    lambda cells: cells.append(new_code_cell("")),
])
def test_text_and_the_setup_cell_may_change(chapter, change):
    change(chapter.cells)
    assert freshness.faults(chapter) == []


def test_a_chapter_that_was_never_stamped_is_found(chapter):
    del chapter.metadata["fairfl"]
    assert "nothing says which code" in freshness.faults(chapter)[0]
    chapter.cells[3].outputs = []
    assert freshness.faults(chapter) == []


def test_an_error_is_found(chapter):
    chapter.cells[2].outputs = [
        new_output("error", ename="ValueError", evalue="no", traceback=[])]
    assert freshness.faults(chapter) == ["'a = 1' ended in an error: ValueError no"]
