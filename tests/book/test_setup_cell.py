"""The first code cell of each chapter finds the library on Colab."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conventions import setup_source

ROOT = Path(__file__).resolve().parents[2]


class Colab:
    """The setup cell in a process of its own that takes itself for Colab, with
    `content` in place of /content."""

    def __init__(self, folder):
        self.content = folder / "content"
        self.content.mkdir()

    def run(self, url: str) -> subprocess.CompletedProcess:
        source = setup_source(url).replace("/content", str(self.content))
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
