"""What makes a chapter teach: a chapter that keeps to it, and each fault on purpose."""

import re

import didactics
import nbformat
import notebooks
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

QUESTION = """```{quiz} Why?
- No.
  Not so.
+ Yes.
  So.
```
"""
END = f"""## Summary

So it is.

## Quiz

{QUESTION * 3}
## Exercises
"""
PLAIN = """```{exercise} Of $x$
:label: ex-a

**Easy.** Why?
```
"""
GATED = """````{exercise-start}
:label: ex-b
````

**Medium, code.** How?

````{exercise-end}
````

````{solution-start} ex-b
:class: dropdown
````
"""
OPEN = """````{solution-end}
````

```{exercise}
:nonumber:
:label: ex-c

**Open.** Where to?
```
"""
SECTION = """## One

As {xu}`eq. (4)` and {xu}`Fig. 2` say, `eq. (1)`, in Table 12 of {cite:t}`other2020`.

```python
# Fig. 7
```

**Finding.** One is one.

```{index} one
```

(two)="""
VIEW = {didactics.WIDGET_VIEW: {"model_id": "a"}}


def chapter():
    """Cells: 0 title, 1 setup, 2 section, 3 section, 4 drawing, 5 its finding, 6 the
    end, 7 and 8 an exercise with its solution in code, 9 the last exercise."""
    return new_notebook(cells=[
        new_markdown_cell("(learning-together)=\n# Learning together\n\nBegin."),
        new_code_cell("import sys", metadata={"tags": ["setup", "hide-input"]}),
        new_markdown_cell(SECTION),
        new_markdown_cell("## Two\n\nLook."),
        new_code_cell("step", outputs=[
            new_output("stream", text="1\n" * 8),
            new_output("display_data", data={"text/plain": "VBox"} | VIEW)]),
        new_markdown_cell("Then.\n\n**Finding.** Two are two.\n"),
        new_markdown_cell(END + PLAIN),
        new_markdown_cell(GATED),
        new_code_cell("print(2)", outputs=[new_output("stream", text="2\n")]),
        new_markdown_cell(OPEN),
    ])


def faults(notebook):
    return [fault for check in didactics.CHECKS for fault in check(notebook)]


def test_a_chapter_that_teaches_has_no_fault():
    assert faults(chapter()) == []


def test_a_finding_may_be_made_by_a_cell_of_the_records():
    notebook = chapter()
    found = {"text/markdown": "On 2 columns.\n\n**Finding.** It holds on 2."}
    notebook.cells[5] = new_code_cell("Markdown(answer)", outputs=[
        new_output("execute_result", data=found, execution_count=2)])
    assert faults(notebook) == []
    notebook.cells[5].outputs = []
    assert "'Two' must end with its finding" in "".join(faults(notebook))


def replaced(cell, old, new):
    def change(notebook):
        assert old in notebook.cells[cell].source
        notebook.cells[cell].source = notebook.cells[cell].source.replace(old, new)
    return change


def added(text):
    def change(notebook):
        notebook.cells[0].source += f"\n\n{text}"
    return change


def with_caption(text):
    def change(notebook):
        notebook.cells[4].metadata["mystnb"] = {"figure": {"caption": text}}
    return change


def printing(text):
    def change(notebook):
        notebook.cells[4].outputs[0].text = text
    return change


def still(notebook):
    notebook.cells[4].outputs.pop()


def many_cells(notebook):
    for _ in range(12):
        notebook.cells.insert(4, new_code_cell("x = 1"))


def png(notebook):
    notebook.cells[4].outputs.append(
        new_output("display_data", data={"image/png": "AA=="}))


SPOILED = {
    "says 'eq. (4)'": added("As eq. (4) says."),
    "says 'Eqs. (1)'": added("Eqs. (1) and (2) say so."),
    "says 'Fig. 2'": added("See Fig.\n2."),
    "says 'Table 1'": added("In Table 1 of {cite:t}`xu2021gradient`."),
    "says 'Sec. 3.4'": added("As Sec. 3.4 says."),
    "says 'Fig. 3'": with_caption("As in Fig. 3."),
    "section 'One' must end": replaced(2, "**Finding.** One is one.", "It is."),
    "section 'Two' must end": lambda notebook: notebook.cells.pop(5),
    "no section Quiz": replaced(6, "## Quiz", "## Questions"),
    "just before the exercises": replaced(6, "## Exercises", "## More"),
    "2 questions": replaced(6, QUESTION * 3, QUESTION * 2),
    "needs :::{quiz}": replaced(6, "Why?\n-", "Is `x`?\n-"),
    "exactly one right answer": replaced(6, "+ Yes", "- Yes"),
    "2 exercises, not 3 to 6": replaced(6, PLAIN, ""),
    "must start with its difficulty": replaced(6, "**Easy.**", "Easy."),
    "'How?' must start with its difficulty": replaced(7, "**Medium, code.** ", ""),
    "0 of 3 exercises are with code": replaced(7, ", code", ""),
    "13 open code cells": many_cells,
    "prints 9 lines": printing("1\n" * 9),
    "prints a line of 81 characters": printing("1" * 81),
    "nothing to move": still,
    "does not open '```{note} {xu}`": added("```{note} {xu}`Fig. 1`\n\nSo.\n```"),
    "shows a PNG": png,
}


@pytest.mark.parametrize("fault", SPOILED)
def test_a_fault_is_found(fault):
    notebook = chapter()
    SPOILED[fault](notebook)
    assert any(fault in found for found in faults(notebook))


def test_an_explorable_moves_and_later_parts_need_nothing_that_does():
    notebook = chapter()
    still(notebook)
    notebook.cells[4].metadata["tags"] = ["explorable-slope"]
    assert faults(notebook) == []
    notebook.cells[4].metadata["tags"] = []
    notebook.cells[0].source = notebook.cells[0].source.replace(
        "learning-together", "the-paper-and-its-code")
    assert faults(notebook) == []


def test_a_page_of_reference_needs_no_didactics_but_marks_the_paper():
    notebook = new_notebook(cells=[new_markdown_cell("(x)=\n# X\n\n## Y\n\nFig. 2.")])
    notebook.metadata["fairfl"] = {"kind": "reference"}
    assert [re.sub(":.*", "", fault) for fault in faults(notebook)] == [
        "cell 0 says 'Fig. 2'"]


def test_the_faults_of_chapters_are_listed(tmp_path, capsys):
    notebook = chapter()
    still(notebook)
    path = tmp_path / "demo.ipynb"
    nbformat.write(notebook, path)
    assert notebooks.print_faults([path]) > 1
    assert "nothing to move" in capsys.readouterr().out
