"""The chapters keep to their conventions, and the tools that maintain them work.

That each chapter gives its stored outputs when it is run again is nbval's part, which
pytest runs over `book/`.
"""

from pathlib import Path

import nbformat
import notebooks
import pytest
import yaml
from conventions import faults, typed_numbers
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from repository import pages, web_url

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))
TITLE = "(a-demo)=\n# A demo"
QUESTION = """```{quiz} Is it so?
- No.
  It is.
+ Yes.
  It is.
```

"""
EXERCISE = f"""## Summary\n\n## Quiz

{QUESTION * 3}
## Exercises

```{{exercise}}
:label: ex-two

**Hard.** Who?
```

```{{solution}} ex-two
:class: dropdown

All.
```

```{{exercise}}
:label: ex-three

**Medium, code.** How?
```

```{{solution}} ex-three
:class: dropdown

So.
```

""" + """```{exercise} Easy
:nonumber:
:label: ex-one

**Easy.** Why?
```

```{solution} ex-one
:class: dropdown

So.
```"""
DRAW = """from matplotlib import pyplot as plt
for beta in (1, 2):
    plt.plot([0, beta])
print("beta 1 2")
plt.show()"""
STEP = """frames = []
for beta in (1, 2):
    figure, axes = plt.subplots()
    axes.plot([0, beta])
    frames.append((f"{beta}", figure, f"A line from zero to {beta}."))
print("beta 1 2")
figures.stepper(frames, "beta")"""
FIGURE = {
    "image": {"alt": "Two lines that rise from zero, one twice as fast."},
    "figure": {"name": "fig-demo", "caption": "A demo."},
}


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_keeps_to_the_conventions(chapter):
    assert faults(nbformat.read(chapter, 4)) == []


def test_the_chapters_of_the_book_are_those_of_the_folder_and_of_one_address():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    listed = {chapter["file"] for part in toc["parts"] for chapter in part["chapters"]}
    assert {f"book/{path.stem}" for path in CHAPTERS} <= listed
    assert len({nbformat.read(path, 4).cells[1].source for path in CHAPTERS}) <= 1


@pytest.mark.parametrize("page", sorted((ROOT / "book").glob("*.md")),
                         ids=lambda path: path.stem)
def test_page_names_no_chapter_by_its_number(page):
    assert typed_numbers(page.read_text()) == []


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A chapter that keeps to all conventions, in a project of its own, as `make
    notebooks` leaves it."""
    book = tmp_path_factory.mktemp("project") / "book"
    book.mkdir()
    (book.parent / "fairfl").symlink_to(ROOT / "fairfl")
    cells = [
        new_markdown_cell(TITLE),
        new_code_cell(DRAW, metadata={"mystnb": FIGURE}),
        new_code_cell(STEP),
        new_markdown_cell(EXERCISE),
    ]
    path = book / "demo.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    notebooks.renew(path, "")
    return path


def test_renewing_a_chapter_twice_changes_nothing(demo):
    before = demo.read_text()
    assert faults(nbformat.read(demo, 4)) == []
    notebooks.renew(demo, "")
    assert demo.read_text() == before


def test_renewing_writes_the_address_into_the_setup_cell(demo):
    notebook = nbformat.read(demo, 4)
    notebooks.put_setup_cell(notebook, "https://github.com/someone/fairfl")
    assert 'REPO = "https://github.com/someone/fairfl"' in notebook.cells[1].source
    assert faults(notebook) == []


def put(path, key, value):
    """A change of the demo: below `path`, item `key` becomes `value`."""

    def change(notebook):
        place = notebook
        for step in path:
            place = place[step]
        place[key] = value

    return change


FIGURE_CELL, STEPPER_CELL = ("cells", 2), ("cells", 3)
SPOILED = {
    "the kernel must be": put(("metadata", "kernelspec"), "name", "my-venv"),
    "was run as number None": put(FIGURE_CELL, "execution_count", None),
    "was run as number 7": put(STEPPER_CELL, "execution_count", 7),
    "the outputs are older than the code": put(FIGURE_CELL, "source", f"{DRAW} "),
    "ended in an error": put(FIGURE_CELL, "outputs",
                             [new_output("error", ename="E", evalue="", traceback=[])]),
    "wrote to the error stream": put(FIGURE_CELL, "outputs",
                                     [new_output("stream", name="stderr", text="50%")]),
    "larger than": put(("cells", 0), "source", TITLE + "x" * 3_000_000),
    "path of one machine, '/home/'": put(("cells", 4), "source",
                                         EXERCISE + "\nSee /home/me/data."),
    "a label and a title": put(("cells", 0), "source", "# A demo"),
    "tagged setup and hide-input": put(("cells", 1, "metadata"), "tags", ["setup"]),
    "is not the one of": put(("cells", 1), "source", "import sys"),
    "more than one figure": lambda notebook: notebook.cells[2].outputs.append(
        notebook.cells[2].outputs[-1]
    ),
    "must print one line": lambda notebook: notebook.cells[2].outputs.pop(0),
    "needs an alternative text": put((*FIGURE_CELL, "metadata", "mystnb", "image"),
                                     "alt", "a figure"),
    "needs a caption": put((*FIGURE_CELL, "metadata", "mystnb", "figure"), "caption",
                           " "),
    "a name that starts with fig-": put((*FIGURE_CELL, "metadata", "mystnb", "figure"),
                                        "name", "demo"),
    "the caption what it means": put((*FIGURE_CELL, "metadata", "mystnb", "figure"),
                                     "caption", FIGURE["image"]["alt"]),
    "state is not stored": put(("metadata",), "widgets", {}),
    "must say why": put((*FIGURE_CELL, "metadata"), "tags", ["nbval-ignore-output"]),
    "a line of 84 characters, more than 80": put(FIGURE_CELL, "source",
                                                 f"{DRAW}\nx = 1  # {'y' * 75}"),
    "must be run and compared": put((*FIGURE_CELL, "metadata"), "tags", ["nbval-skip"]),
    "'Chapter 3'": put(("cells", 0), "source", TITLE + "\n\nAs Chapter 3 shows."),
    "no section Summary": put(("cells", 4), "source",
                              EXERCISE.replace("## Summary", "")),
    "ex-one must be an exercise with a solution": put(
        ("cells", 4), "source", EXERCISE.rpartition("```{solution}")[0],
    ),
    "not folded away": put(("cells", 4), "source",
                           EXERCISE.replace(":class: dropdown\n", "")),
    "an exercise has no label": put(("cells", 4), "source",
                                    EXERCISE.replace(":label: ex-one\n", "")),
}


@pytest.mark.parametrize("fault", SPOILED)
def test_a_fault_is_found(demo, fault):
    notebook = nbformat.read(demo, 4)
    SPOILED[fault](notebook)
    assert any(fault in found for found in faults(notebook))


def test_only_a_page_of_reference_needs_no_summary_and_no_exercises(demo):
    notebook = nbformat.read(demo, 4)
    notebook.cells[4].source = "The end."
    assert len(faults(notebook)) == 4  # no summary, no quiz, no exercises
    notebook.metadata["fairfl"]["kind"] = "reference"
    assert faults(notebook) == []


def test_a_third_ignored_cell_is_a_fault(demo):
    notebook = nbformat.read(demo, 4)
    for cell in notebook.cells[1:4]:
        cell.metadata["tags"] = [*cell.metadata.get("tags", []), "nbval-ignore-output"]
        cell.metadata["fairfl"] = {"why_ignored": "shows a time"}
    assert faults(notebook) == ["3 cells with ignored output, more than 2"]


@pytest.mark.parametrize(
    "remote, page",
    [
        ("https://github.com/a/b.git", "https://github.com/a/b"),
        ("git@github.com:a/b.git", "https://github.com/a/b"),
        ("https://user:token@github.com/a/b", "https://github.com/a/b"),
        ("ssh://git@gitlab.com:22/a/b/", "https://gitlab.com/a/b"),
        ("/srv/git/b.git", ""),
        ("", ""),
    ],
)
def test_the_address_of_a_remote(remote, page):
    assert web_url(remote) == page


@pytest.mark.parametrize(
    "url, published",
    [
        ("https://github.com/a/b", "https://a.github.io/b"),
        ("https://gitlab.com/a/b", "https://a.gitlab.io/b"),
        ("https://github.com/a/a.github.io", "https://a.github.io"),
        ("https://bitbucket.org/a/b", ""),
        ("", ""),
    ],
)
def test_the_address_of_the_pages(monkeypatch, url, published):
    monkeypatch.delenv("FAIRFL_PAGES_URL", raising=False)
    assert pages(url) == published
    monkeypatch.setenv("FAIRFL_PAGES_URL", "https://example.org/book/")
    assert pages(url) == "https://example.org/book"
