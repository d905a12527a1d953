"""From a project with a public address to the first cell on Colab: a small book is
built and published with make, a folder stands for the remote and a module for Colab.

FAIRFL_COLAB_PYTHON names a Python with Colab's versions; the tests' own stands for it.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import freshness
import nbformat
import pytest
import yaml
from conventions import setup_source
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from repository import pages

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PYTHON = os.environ.get("FAIRFL_COLAB_PYTHON", sys.executable)
URL = "https://github.com/someone/fairfl"
WORKFLOW = ROOT / ".github" / "workflows" / "publish.yml"
TOC = "format: jb-book\nroot: book/intro\nchapters:\n  - file: book/demo\n"
LINK = re.compile(r"https://colab\.research\.google\.com/github/someone/fairfl"
                  r"/blob/([\w-]+)/([\w/]+\.ipynb)")
CODE, PRINTED = "print(figures.__name__)", "fairfl.figures"


class Project:
    """A small book in a repository of its own, whose public address leads to the folder
    `remote`."""

    def __init__(self, folder: Path) -> None:
        self.root, self.remote = folder / "project", folder / "remote.git"
        self.env = {**os.environ, "FAIRFL_REPO_URL": URL, "GIT_CONFIG_COUNT": "1",
                    "GIT_CONFIG_KEY_0": f"url.{self.remote.as_uri()}.insteadOf",
                    "GIT_CONFIG_VALUE_0": URL}
        self.env.pop("FAIRFL_PAGES_URL", None)
        skipped = shutil.ignore_patterns("__pycache__", "node_modules")
        for name in ("fairfl", "book/_ext"):
            shutil.copytree(ROOT / name, self.root / name, ignore=skipped)
        for name in ("Makefile", "_config.yml", ".gitignore", "requirements.txt",
                     "book/references.bib"):
            shutil.copy(ROOT / name, self.root / name)
        for name in ("data", "book/images", "book/reproduction"):  # of records
            (self.root / name).symlink_to(ROOT / name)
        (self.root / "_toc.yml").write_text(TOC)
        (self.root / "book" / "intro.md").write_text("# Preface\n\n{doc}`demo`")
        self.write(self.chapter())
        self.run("git", "init", "-q", "--bare", "-b", "main", str(self.remote))
        self.run("git", "init", "-q", "-b", "main")
        self.run("git", "remote", "add", "origin", URL)
        self.run("git", "add", ".")
        self.run("git", "-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "m")
        self.run("git", "push", "-q", "origin", "main")

    def chapter(self):
        notebook = new_notebook(cells=[
            new_markdown_cell("(demo)=\n# Demo\n\nSee {ref}`demo`."),
            new_code_cell(setup_source(""), metadata={"tags": ["setup", "hide-input"]}),
            new_code_cell(CODE, outputs=[new_output("stream", text=f"{PRINTED}\n")]),
        ], metadata={"language_info": {"name": "python", "pygments_lexer": "ipython3"}})
        freshness.stamp(notebook)
        return notebook

    def write(self, notebook) -> None:
        nbformat.write(notebook, self.root / "book" / "demo.ipynb")

    def run(self, *command: str) -> subprocess.CompletedProcess:
        done = self.attempt(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def attempt(self, *command: str, **env: str) -> subprocess.CompletedProcess:
        return subprocess.run(command, cwd=self.root, env={**self.env, **env},
                              capture_output=True, text=True)

    def make(self, *targets: str) -> subprocess.CompletedProcess:
        """With this environment, and without fetching JavaScript."""
        venv = Path(sys.executable).parents[1]
        script = "book/_ext/node_modules/.package-lock.json"
        return self.attempt("make", f"VENV={venv}", "-o", f"{venv}/.ready",
                            "-o", script, *targets)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("published"))
    done = project.make("publish", "REMOTE=origin")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def test_every_step_of_the_workflow_is_a_target_of_make():
    job = yaml.safe_load(WORKFLOW.read_text())["jobs"]["publish"]
    commands = [step["run"].split() for step in job["steps"] if "run" in step]
    assert {command[0] for command in commands} == {"make"}
    targets = [command[1] for command in commands]
    assert targets == ["book", "colab", "test", "publish"]
    rules = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(targets) <= set(rules)


def opened(project, page: str):
    """What Colab opens for the launch button of a page, taken from the remote."""
    found = LINK.findall((project.root / "_build/html/book" / page).read_text())
    assert len(set(found)) == 1
    branch, path = found[0]
    return nbformat.reads(project.run("git", "-C", str(project.remote), "show",
                                      f"{branch}:{path}").stdout, 4)


def test_from_the_launch_button_to_the_first_cells(published, tmp_path):
    notebook = opened(published, "demo.html")
    assert f"[Demo]({pages(URL)}/book/demo.html#demo)" in notebook.cells[0].source
    cells = "\n".join(cell.source for cell in notebook.cells
                      if cell.cell_type == "code")
    program = ("import sys, types\n"
               "sys.modules['google.colab'] = types.ModuleType('google.colab')\n"
               f"{cells}\nimport os, fairfl\nprint(os.path.realpath(fairfl.__file__))")
    done = subprocess.run([PYTHON, "-c", program], cwd=tmp_path, env=published.env,
                          capture_output=True, text=True)
    where = tmp_path / "fairfl" / "fairfl" / "__init__.py"
    assert done.stdout.split()[-2:] == [PRINTED, str(where)], done.stderr


def test_the_pages_are_published_and_offer_chapters_with_the_address(published):
    git = ("git", "-C", str(published.remote))
    assert published.run(*git, "ls-tree", "gh-pages", "index.html", ".nojekyll")
    source = published.run(*git, "show", "gh-pages:_sources/book/demo.ipynb").stdout
    assert nbformat.reads(source, 4).cells[1].source == setup_source(URL)
    kept = nbformat.read(published.root / "book" / "demo.ipynb", 4)
    assert kept.cells[1].source == setup_source("")


def test_a_second_publication_replaces_the_first(published):
    command = [sys.executable, "book/_ext/publish.py", "_build/html", "_build/colab"]
    published.run(*command, "origin")
    git = ("git", "-C", str(published.remote), "rev-list", "--count", "colab")
    assert published.run(*git).stdout.strip() == "1"
    assert published.run("git", "status", "--porcelain").stdout == ""


def test_notebooks_that_would_not_find_the_remote_are_not_published(published):
    command = [sys.executable, "book/_ext/publish.py", "_build/html", "_build/colab"]
    done = published.attempt(*command, "https://github.com/another/fairfl")
    assert done.returncode == 1 and "would not find" in done.stderr
    assert "demo" in done.stderr


def test_the_check_fails_with_a_remote_that_the_notebooks_do_not_know(published):
    command = [sys.executable, "book/_ext/colab/check.py", "_build/colab",
               "_build/html"]
    assert published.attempt(*command).returncode == 0
    other = "https://github.com/another/fairfl"
    done = published.attempt(*command, FAIRFL_REPO_URL=other)
    assert done.returncode == 1
    assert f"would not find the project at {other}" in done.stdout


def test_nothing_is_published_without_a_remote_or_a_build(published, tmp_path):
    assert "REMOTE=origin" in published.make("publish", "REMOTE=").stderr
    done = published.attempt(sys.executable, "book/_ext/publish.py", str(tmp_path),
                             str(tmp_path), "origin")
    assert done.returncode == 1 and "make book, then make colab" in done.stderr


def edited(notebook):
    notebook.cells[2].source += "\nprint(2)"


def raising(notebook):
    notebook.cells[2].outputs = [
        new_output("error", ename="ValueError", evalue="no", traceback=[])]


def test_make_book_fails_with_outputs_of_other_code_and_with_errors(published):
    older, error = "older than the code", "ended in an error"
    # the second build reads nothing anew
    for change, fault in ((edited, older), (None, older), (raising, error)):
        if change:
            notebook = published.chapter()
            change(notebook)
            published.write(notebook)
        done = published.make("book")
        assert done.returncode != 0 and fault in done.stdout + done.stderr
    published.write(published.chapter())
    assert published.make("book").returncode == 0
