"""Chapters as plain notebooks: what becomes of MyST, and nothing of it is left."""

import os
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from colab import check
from conventions import setup_source
from didactics import WIDGET_VIEW
from markdown_it import MarkdownIt
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "_build" / "colab"
URL, PAGES = "https://github.com/someone/fairfl", "https://someone.github.io/fairfl"
PAGE = f"{PAGES}/book/demo.html"
DOT = "![A dot.](data:image/svg+xml;base64,PHN2Zy8+)"
BIB = """@article{shapley1953,
author = {Lloyd Shapley}, title = {A Value}, journal = {Annals}, year = {1953}}"""
OPENING = r"""(a-demo)=
# A demo

See {doc}`other`, {ref}`a-demo`, {doc}`more`, {eq}`eq-x`, {prf:ref}`thm-x`,
{numref}`fig-x`, {cite:p}`shapley1953`;
a *k*th, snake_case, 2 * 3, [x], `{ref}` and \$5."""
FORMULAS = r"""## Formulas

$$
a \\
> b
$$ (eq-x)

| who | $\|x\|$ |
|---|---|
| A | `a\|b` |"""
BOXES = """```{prf:theorem} Of $x$
:label: thm-x

First:

1. one,
2. $$y$$
```

```{prf:proof}
By {eq}`eq-x`.
```

```{note}
A note.
```

```{admonition} More
:class: dropdown
Hidden.
```

:::{tip}
A tip.
:::"""
MORE = """## More kinds

```{glossary}
agent
  Who holds data.
```

> Quoted
> lines.

````
```{note}
```
````

![A dot.](dot.svg) {download}`the data <dot.svg>`, {term}`agent`.

---

```{image} dot.svg
:alt: A dot.
```"""
QUIZ = """## Quiz

```{quiz} Is it so for $x$?
- No, $y$.
  By {xu}`eq. (4)` it is *not*.
+ Yes.
  It is.
```"""
EXERCISES = """## Exercises

```{exercise} Easy
:label: ex-a

Why?
```

```{solution} ex-a
:class: dropdown

So $x$.
```"""
GATED = """````{exercise-start}
:label: ex-b
````
How?

````{exercise-end}
````

````{solution-start} ex-b
:class: dropdown
````

Thus:"""
WIDGET = {WIDGET_VIEW: {"model_id": "a"}, "text/plain": "VBox"}
FIGURE = {"tags": ["hide-input", "explorable-slope"],
          "mystnb": {"figure": {"name": "fig-x", "caption": "Of {eq}`eq-x`."}}}
SHOWN = "```python\ndef mask(): ...\n```\n\nFrom `fairfl/rewards.py`: `mask`"
CELLS = [
    new_markdown_cell(OPENING),
    new_code_cell("import sys", metadata={"tags": ["setup", "hide-input"]}),
    new_markdown_cell(FORMULAS),
    new_markdown_cell(BOXES),
    new_code_cell("print(1)", execution_count=2, metadata=FIGURE, outputs=[
        new_output("stream", text="1\n"),
        new_output("display_data", data={"text/plain": "<Figure>"}),
    ]),
    new_code_cell("slider", execution_count=3,
                  outputs=[new_output("execute_result", data=WIDGET)]),
    new_code_cell("source(mask)", execution_count=4, outputs=[
        new_output("execute_result", data={"text/plain": "<Markdown>",
                                           "text/markdown": SHOWN})]),
    new_markdown_cell(MORE),
    new_markdown_cell(QUIZ),
    new_markdown_cell(EXERCISES),
    new_markdown_cell(GATED),
    new_code_cell("print(2)", execution_count=4,
                  outputs=[new_output("stream", text="2\n")]),
    new_markdown_cell("````{solution-end}\n````"),
]
CONFIG = {
    "extensions": ["myst_nb", "sphinx_proof", "sphinx_exercise", "sphinxcontrib.bibtex",
                   "teaching", "colab"],
    "bibtex_bibfiles": ["references.bib"], "numfig": True, "nb_execution_mode": "off",
    "myst_enable_extensions": ["amsmath", "colon_fence", "dollarmath"],
}


def built(folder: Path, address: str):
    """The demo as a plain notebook of a project at this address."""
    (folder / "book").mkdir()
    shutil.copytree(ROOT / "book/_ext/explorables",
                    folder / "html/_static/explorables")
    (folder / "references.bib").write_text(BIB)
    (folder / "index.md").write_text("# Home\n```{toctree}\n"
                                     "book/demo\nbook/more\nbook/other\nbook/notation\n```")
    (folder / "book" / "other.md").write_text(
        "# Other page\n```{bibliography}\n```")
    (folder / "book" / "notation.md").write_text("# Notation")
    (folder / "book" / "dot.svg").write_text("<svg/>")
    language = {"name": "python", "pygments_lexer": "ipython3"}
    nbformat.write(new_notebook(cells=CELLS, metadata={"language_info": language}),
                   folder / "book" / "demo.ipynb")
    nbformat.write(new_notebook(cells=[new_markdown_cell("# More")]),
                   folder / "book" / "more.ipynb")
    with pytest.MonkeyPatch.context() as patch, docutils_namespace():
        patch.setenv("FAIRFL_REPO_URL", address or os.devnull)
        app = Sphinx(folder, None, folder / "out", folder / "trees", "colab",
                     confoverrides=CONFIG, status=None, warningiserror=True)
        app.build()
    return nbformat.read(folder / "out" / "book" / "demo.ipynb", 4)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return built(tmp_path_factory.mktemp("demo"), URL)


def prose(notebook) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells
                       if cell.cell_type == "markdown")


def code(notebook, start: str):
    return next(cell for cell in notebook.cells
                if cell.cell_type == "code" and cell.source.startswith(start))


@pytest.mark.parametrize("text", [
    f"# A demo\n\n*[This chapter as a page of the book]({PAGE}) · "
    f"look up: [Notation]({PAGES}/book/notation.html), [Index]({PAGES}/genindex.html)*",
    "**Is it so for $x$?**\n\n<details>\n<summary>No, $y$.</summary>\n\n"
    "**Not quite.** By Xu et al., eq. (4) it is *not*.\n\n</details>\n\n"
    "<details>\n<summary>Yes.</summary>",
    f"[Other page]({PAGES}/book/other.html), [A demo]({PAGE}#a-demo), "
    f"[More]({PAGES}/book/more.html), "
    f"[(1)]({PAGE}#equation-eq-x), [Theorem 1]({PAGE}#thm-x),\n"
    rf"[Fig. 1]({PAGE}#fig-x), \[[Sha53]({PAGES}/book/other.html#id",
    r"a *k*th, snake_case, 2 \* 3, \[x\], `{ref}` and \$5.",
    r"$$a \\ > b \tag{1}$$",
    "| who | $\\vert x\\vert $ |\n| --- | --- |\n| A | `a\\|b` |",
    "> **Theorem 1 (Of $x$).** First:\n>\n> 1. one,\n> 2. $$y$$",
    f"> *Proof.* By [(1)]({PAGE}#equation-eq-x). ∎",
    "> **Note.** A note.",
    "<details>\n<summary>More</summary>\n\nHidden.\n\n</details>",
    "> **Tip.** A tip.",
    f"**Fig. 1.** Of [(1)]({PAGE}#equation-eq-x).",
    "- **agent**: Who holds data.",
    "> Quoted\n> lines.",
    "````\n```{note}\n```\n````",
    f"{DOT} [`the data`]({PAGES}/_downloads/",
    f", [agent]({PAGE}#term-agent).\n\n---\n\n{DOT}",
    "**Exercise 1 (Easy)**\n\nWhy?",
    "<summary>Solution to Exercise 1 (Easy)</summary>\n\nSo $x$.\n\n</details>",
    "<details>\n<summary>Solution to Exercise 2</summary>\n\nThus:\n\n</details>",
])
def test_what_becomes_of_myst(demo, text):
    assert text in prose(demo)


def test_headings_and_exercises_start_a_cell(demo):
    starts = [cell.source.splitlines()[0] for cell in demo.cells
              if cell.cell_type == "markdown"]
    for start in ("# A demo", "## Formulas", "**Exercise 1 (Easy)**", "**Exercise 2**"):
        assert start in starts


def test_code_stays_as_it_is_and_folded_code_is_folded(demo):
    shown = code(demo, "print(1)")
    assert shown.outputs == CELLS[4].outputs and shown.execution_count == 2
    assert shown.metadata == {"jupyter": {"source_hidden": True}, "cellView": "form"}
    setup = code(demo, "# Finds")
    assert setup.source == setup_source(URL) and "cellView" in setup.metadata
    assert code(demo, "slider").metadata == {}


def test_a_solution_in_code_is_folded_and_shows_nothing(demo):
    solution = code(demo, "print(2)")
    assert solution.metadata["cellView"] == "form" and solution.outputs == []


def test_a_widget_asks_to_be_run(demo):
    data = code(demo, "slider").outputs[0].data
    assert WIDGET_VIEW not in data and PAGE in data["text/html"]


def test_code_of_the_library_leads_to_its_file(demo):
    shown = code(demo, "source").outputs[0].data["text/markdown"]
    assert f"From [`fairfl/rewards.py`]({URL}/blob/" in shown
    assert shown.endswith("/fairfl/rewards.py): `mask`")


def test_an_explorable_brings_its_scripts(demo):
    drawing = code(demo, "%%html").source
    assert 'class="tag_explorable-slope"' in drawing
    assert 'enhance("explorable-slope"' in drawing and "--text" in drawing


def test_nothing_of_sphinx_is_left(demo, tmp_path):
    assert list(check.leftovers(prose(demo))) == []
    source = "\n\n".join(cell.source for cell in CELLS if cell.cell_type == "markdown")
    assert len(list(check.leftovers(source))) > 10


def test_without_an_address_links_lead_to_the_files_beside(tmp_path):
    notebook = built(tmp_path, "")
    assert "See Other page, A demo, [More](more.ipynb), (1), Th" in prose(notebook)
    assert "page of the book" not in prose(notebook)
    assert 'REPO = ""' in code(notebook, "# Finds").source


@pytest.mark.parametrize("text, what", [
    ("see {ref}`a`", "a role"),
    ("> see {prf:ref}`a`", "a role"),
    ("- a\n\n  (a-label)=", "a label"),
    (":::{note}\nx\n:::", "a colon fence"),
    ("```{note}\nx\n```", "a directive"),
    ("````{exercise-end}\n````", "a directive"),
    ("$$\nx\n$$ (eq-x)", "the label of a formula"),
    (":class: dropdown", "an option"),
    ("% a comment", "a comment"),
    ("{{ name }}", "a substitution"),
])
def test_what_is_left_is_found(text, what):
    assert any(found.startswith(what) for found in check.leftovers(text))


@pytest.mark.parametrize("text", [
    "code `{ref}` and `:::`", "```\n(a)=\n:::\n```", "$f_{ref}$ `x`", "50 %",
    "$$x$$ (see there)", r"$\{a\}$`b`",
])
def test_what_only_looks_like_it_is_not(text):
    assert list(check.leftovers(text)) == []


SPOILED = {
    "would not find the project": lambda cells: cells.pop(1),
    "holds a role": lambda cells: cells.append(new_markdown_cell("{ref}`a`")),
    "has a dead link": lambda cells: cells.append(new_markdown_cell("[a](b.ipynb)")),
    "has a dead link: https": lambda cells: cells.append(
        new_markdown_cell(f"[a]({PAGES}/book/other.html#gone)")),
    "shows an error": lambda cells: cells[3].outputs.append(
        new_output("error", ename="E", evalue="", traceback=[])),
}


@pytest.mark.parametrize("fault", [None, *SPOILED])
def test_the_check_of_a_notebook(tmp_path, fault):
    cells = [new_markdown_cell(f"[a]({PAGES}/book/other.html#here)"),
             new_code_cell(setup_source(URL), metadata={"tags": ["setup"]}),
             new_markdown_cell("[b](demo.ipynb)"), new_code_cell("1")]
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "other.html").write_text('<p id="here">')
    if fault:
        SPOILED[fault](cells)
    path = tmp_path / "book" / "demo.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    found = list(check.faults(path, tmp_path, URL))
    assert found == [] if fault is None else len(found) == 1 and fault in found[0]


@pytest.mark.skipif(not BUILT.exists(), reason="needs the plain notebooks: make colab")
def test_the_books_plain_notebooks(capsys):
    chapters = {path.stem for path in (ROOT / "book").glob("*.ipynb")}
    assert chapters == {path.stem for path in BUILT.glob("book/*.ipynb")}
    assert check.main(BUILT, ROOT / "_build" / "html") == 0, capsys.readouterr().out
    for path in BUILT.glob("book/*.ipynb"):
        shown = MarkdownIt("commonmark").render(prose(nbformat.read(path, 4)))
        assert not re.search(r"<p>:::|\}<code>|<p>\([\w-]+\)=", shown), path.stem
