"""The first code cell of each chapter finds the library: from the chapter's folder,
from the project's, on Colab, and alone."""

import os
import shutil
import subprocess
import sys

import pytest
from conventions import setup_source
from test_publishing import PYTHON, ROOT

pytestmark = pytest.mark.slow
COLAB = "sys.modules['google.colab'] = types.ModuleType('google.colab')\n"


def run(folder, url: str = "", colab: bool = False, **env) -> list[str]:
    """What the setup cell prints in a process of its own that starts in this folder,
    then the folder it ends in, the library's, and a setting of the book's style."""
    program = (
        f"import sys, types\nsys.path.remove('')\n{COLAB if colab else ''}"
        f"{setup_source(url)}\n"
        "import os, fairfl, matplotlib\n"
        "print(os.getcwd(), os.path.dirname(fairfl.__file__),\n"
        "      matplotlib.rcParams['figure.facecolor'], sep='\\n')"
    )
    done = subprocess.run([PYTHON, "-c", program], capture_output=True, text=True,
                          cwd=folder, env={**os.environ, **env})
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def found(project) -> list[str]:
    return [str(project / "book"), str(project / "fairfl"), "white"]


@pytest.fixture
def project(tmp_path):
    """What the setup cell needs of the project, as a folder to clone or to zip."""
    folder = tmp_path / "fairfl-main"
    shutil.copytree(ROOT / "fairfl", folder / "fairfl",
                    ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    (folder / "book" / "more").mkdir(parents=True)
    (folder / "book" / "demo.md").write_text("demo")
    return folder


@pytest.fixture
def public(project):
    """The project as a repository with an address."""
    for command in (["init", "-q"],
                    ["add", "."],
                    ["-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "m"]):
        subprocess.run(["git", *command], cwd=project, check=True)
    return project.as_uri()


@pytest.fixture
def alone(tmp_path):
    """A folder that is not in the project."""
    folder = tmp_path / "content"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("start", ["book", ".", "book/more"])
def test_the_setup_cell_finds_the_project_around_it(project, start):
    assert run(project / start, "https://github.com/no/where") == found(project)


def test_on_colab_the_setup_cell_clones_a_public_project(alone, public):
    said = f"Installing the library from {public}"
    assert run(alone, public, colab=True) == [said, *found(alone / "fairfl")]
    # the next chapter on the same machine finds the clone
    assert run(alone, public, colab=True) == found(alone / "fairfl")


def test_the_setup_cell_unpacks_an_uploaded_project(alone, project):
    shutil.make_archive(str(alone / "fairfl"), "zip", root_dir=project.parent,
                        base_dir=project.name)
    assert run(alone, colab=True) == found(alone / "fairfl" / project.name)


def test_alone_the_setup_cell_installs_the_library_and_says_so(alone, public, tmp_path):
    """Into a folder of its own, with what is here: no network is asked."""
    installed = tmp_path / "installed"
    env = {"PIP_TARGET": str(installed), "PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1",
           "PIP_NO_BUILD_ISOLATION": "0"}  # "0" turns it off: the option is a negation
    said = f"Installing the library from {public}"
    assert run(alone, public, **env) == [said, *found(alone / "fairfl")]
    assert (installed / "fairfl" / "__init__.py").exists()


def test_without_the_project_the_setup_cell_says_what_to_do(alone):
    done = subprocess.run([sys.executable, "-c", setup_source("")], cwd=alone,
                          capture_output=True, text=True)
    assert done.returncode != 0
    assert f"not in {alone} or above" in done.stderr and "fairfl.zip" in done.stderr
