"""The chapters keep to their conventions, and the tools that maintain them work.

That each chapter gives its stored outputs when it is run again is nbval's part, which
pytest runs over `book/`.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import notebooks
import pytest
import yaml
from conventions import faults, typed_numbers
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from repository import web_url

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))
TITLE = "(a-demo)=\n# A demo"
EXERCISE = """## Summary\n\n## Exercises

```{exercise} Easy
:nonumber:
:label: ex-one

Why?
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
        ("cells", 4), "source", EXERCISE.split("```{solution}")[0],
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
    assert len(faults(notebook)) == 2
    notebook.metadata["fairfl"] = {"kind": "reference"}
    assert faults(notebook) == []


def lines(*sources):
    """A notebook of code cells, as `switched` reads it from a file."""
    return new_notebook(cells=[new_code_cell(source) for source in sources])


def test_a_switched_chapter_runs_with_each_other_value(tmp_path):
    path = tmp_path / "demo.ipynb"
    switch = 'RUN = "a"  # or "b", "bb"'
    nbformat.write(lines('ALSO = "a"', f"x = 1\n{switch}\nprint(RUN)"), path)
    found = dict(notebooks.switched(path))
    assert list(found) == ['RUN = "b"', 'RUN = "bb"']
    assert found['RUN = "bb"'].cells[1].source == 'x = 1\nRUN = "bb"\nprint(RUN)'
    notebooks.run(found['RUN = "bb"'], tmp_path)
    assert found['RUN = "bb"'].cells[1].outputs[0].text == "bb\n"
    assert switch in path.read_text().replace('\\"', '"')  # nothing is stored


def test_a_value_with_which_a_chapter_fails_is_reported(tmp_path, capsys):
    path = tmp_path / "demo.ipynb"
    nbformat.write(lines('RUN = "a"  # or "b"', 'assert RUN == "a", "measured on a"'),
                   path)
    assert notebooks.run_switched([path]) == 1
    assert "measured on a" in capsys.readouterr().out


def test_the_switched_chapters_are_found():
    found = {path.stem: [line for line, _ in notebooks.switched(path)]
             for path in CHAPTERS}
    assert {name: len(values) for name, values in found.items() if values} == {
        "accuracy_and_fairness": 1,
        "altruism": 1,
        "the_whole_mechanism": 1,
        "what_fairness_costs": 4,
        "what_the_agents_receive": 2,
    }


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


class Colab:
    """The setup cell in a process of its own that takes itself for Colab, with
    `content` in place of /content."""

    def __init__(self, folder):
        self.content = folder / "content"
        self.content.mkdir()

    def run(self, url: str) -> subprocess.CompletedProcess:
        source = notebooks.setup_source(url).replace("/content", str(self.content))
        program = (
            "import sys, types\n"
            "sys.modules['google.colab'] = types.ModuleType('google.colab')\n"
            f"{source}\n"
            "import os, fairfl, matplotlib\n"
            "print(os.getcwd(), os.path.abspath(fairfl.__file__),\n"
            "      matplotlib.rcParams['figure.facecolor'])"
        )
        return subprocess.run([sys.executable, "-c", program], capture_output=True,
                              text=True, cwd=self.content)


@pytest.fixture
def project(tmp_path):
    """What the setup cell needs of the project, as a folder to clone or to zip."""
    folder = tmp_path / "fairfl-main"
    shutil.copytree(ROOT / "fairfl", folder / "fairfl",
                    ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "book").mkdir()
    (folder / "book" / "demo.md").write_text("demo")
    return folder


def test_on_colab_the_setup_cell_clones_a_public_project(tmp_path, project):
    for command in (["init", "-q"],
                    ["add", "."],
                    ["-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "m"]):
        subprocess.run(["git", *command], cwd=project, check=True)
    colab = Colab(tmp_path)
    for _ in range(2):  # the second chapter on the same machine finds the clone
        done = colab.run(project.as_uri())
        assert done.stdout.split() == [str(colab.content / "fairfl/book"),
                                       str(colab.content / "fairfl/fairfl/__init__.py"),
                                       "white"], done.stderr


def test_on_colab_the_setup_cell_unpacks_an_uploaded_project(tmp_path, project):
    colab = Colab(tmp_path)
    shutil.make_archive(str(colab.content / "fairfl"), "zip", root_dir=tmp_path,
                        base_dir=project.name)
    done = colab.run("")
    inside = colab.content / "fairfl" / project.name
    assert done.stdout.split() == [
        str(inside / "book"), str(inside / "fairfl/__init__.py"), "white",
    ], done.stderr


def test_on_colab_without_the_project_the_setup_cell_says_what_to_do(tmp_path):
    done = Colab(tmp_path).run("")
    assert done.returncode != 0
    assert "upload it into" in done.stderr
    assert "fairfl.zip" in done.stderr
