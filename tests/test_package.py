"""The package as somebody installs and imports it."""

import importlib
import importlib.util
import inspect
import json
import pkgutil
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import fairfl

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
FLOWER = importlib.util.find_spec("flwr") is not None
MODULES = [module.name for module in pkgutil.walk_packages(fairfl.__path__, "fairfl.")
           if FLOWER or not module.name.startswith("fairfl.flower")]


def test_importing_is_light():
    heavy = {"torch", "numpy", "matplotlib", "sklearn", "click"}
    code = f"import sys, fairfl; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_modules_are_found_when_used():
    assert fairfl.rewards.mask and "federation" in dir(fairfl)
    with pytest.raises(
        AttributeError, match="no attribute 'reward'; its modules are .*rewards"
    ):
        _ = fairfl.reward


@pytest.mark.parametrize("name", MODULES)
def test_everything_public_is_documented(name):
    module = importlib.import_module(name)
    assert module.__doc__
    for label, thing in vars(module).items():
        own = getattr(thing, "__module__", None) == name and not label.startswith("_")
        if own and (inspect.isfunction(thing) or inspect.isclass(thing)):
            assert inspect.getdoc(thing), f"{name}.{label} has no docstring"


def test_the_wheel_holds_the_library_and_nothing_else(tmp_path):
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--wheel-dir",
            tmp_path,
            ROOT,
        ],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("fairfl-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"fairfl", f"fairfl-{fairfl.__version__}.dist-info"}
    expected = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "fairfl").rglob("*.py")
    }
    assert expected | {"fairfl/py.typed"} <= set(names)
    entry = f"fairfl-{fairfl.__version__}.dist-info/entry_points.txt"
    assert (
        "fairfl = fairfl.__main__:main" in zipfile.ZipFile(wheel).read(entry).decode()
    )


def test_the_library_needs_no_plotting():
    code = """
import importlib, sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("matplotlib", "ipywidgets", "IPython"):
            raise ImportError(name)
sys.meta_path.insert(0, Blocker())
for name in sys.argv[1:]:
    importlib.import_module(name)
from fairfl import metrics
assert metrics.fairness([1, 2, 3], [1, 2, 4]) > 90
"""
    names = [name for name in MODULES if name != "fairfl.figures"]
    subprocess.run([sys.executable, "-c", code, *names], cwd=ROOT, check=True)


def test_flower_is_asked_for_in_one_sentence():
    """`make test` has no Flower."""
    code = "import sys; sys.modules['flwr'] = None; import fairfl.flower"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    (line,) = done.stderr.strip().splitlines()[-1:]
    assert line == (
        "ImportError: fairfl.flower needs Flower: install fairfl[flower], as in "
        "pip install '.[flower]'"
    )


def name_and_bound(line):
    return re.match(r"([a-z0-9-]+)(.*)", line.split("#")[0].strip()).groups()


def test_the_core_dependencies_agree_with_the_requirements():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    core = dict(map(name_and_bound, project["dependencies"]))
    assert not {"matplotlib", "ipywidgets"} & core.keys()
    core |= map(name_and_bound, project["optional-dependencies"]["book"])
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    book = dict(
        name_and_bound(line) for line in lines if line and not line.startswith("#")
    )
    assert core.keys() <= book.keys()
    assert (
        core.pop("ipywidgets") == ">=7.7"
    )  # Colab's; the book's pages need a later one
    assert all(book[name] == bound for name, bound in core.items())


def test_the_lock_of_the_pages_javascript_names_no_registry():
    lock = json.loads((ROOT / "book" / "_ext" / "package-lock.json").read_text())
    assert all("resolved" not in package for package in lock["packages"].values())
    assert all(
        "integrity" in package for name, package in lock["packages"].items() if name
    )
