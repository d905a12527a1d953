"""What the text names is there: modules and functions, files, targets of commands.

Text is the Markdown of chapters and pages, README, CONTRIBUTING, and, in Python files,
whatever stands between backticks. A short name such as `rewards.quality` counts if its
first part is a module of fairfl.
"""

import importlib
import re
from pathlib import Path

import nbformat
import pytest

import fairfl
from book.reproduction.__main__ import reproduce

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r"`+([^`\n]+)`+")
PATH = re.compile(r"(?<![\w./-])(?:fairfl|book|tests|data)/[\w./-]*\w/?")
DOTTED = re.compile(r"(?<![\w./-])(?:fairfl|book\.reproduction)(?:\.[A-Za-z_]\w*)+")
MODULES = "|".join(set(fairfl.__all__) - {"history"})  # a history is also a variable
SHORT = re.compile(rf"^(?:{MODULES})(?:\.[A-Za-z_]\w*)+")
TARGET = re.compile(r"python -m book\.reproduction ([a-z]\w*)")


def prose(path):
    """The text of a file in which names are looked for."""
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, 4).cells
        return "\n".join(c.source for c in cells if c.cell_type == "markdown")
    text = path.read_text()
    if path.suffix == ".md":
        return text
    return "\n".join(f"`{code}`" for code in CODE.findall(text))


def exists(dotted):
    """Whether a dotted name can be imported and looked up."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        except ImportError:  # it needs an extra that is not installed here: look inside
            files = ROOT.joinpath(*parts[:2]).rglob("*.py")
            inside = "\n".join(f"{file.stem}\n{file.read_text()}" for file in files)
            return all(name in inside for name in parts[2:])
        for name in parts[length:]:
            if not hasattr(found, name):
                return name in getattr(found, "__dataclass_fields__", {})
            found = getattr(found, name)
        return True
    return False


def wrong_names(text):
    """Names in a text that stand for nothing."""
    short = [m[0] for code in CODE.findall(text) if (m := SHORT.match(code))]
    dotted = {*DOTTED.findall(text), *(f"fairfl.{name}" for name in short)}
    dotted -= {"fairfl.zip"}  # a file that a reader makes
    missing = [path for path in PATH.findall(text) if not (ROOT / path).exists()]
    targets = [name for name in TARGET.findall(text) if name not in reproduce.commands]
    return sorted(
        {*(name for name in dotted if not exists(name)), *missing, *targets}
    )


TEXTS = sorted(
    path
    for pattern in ("*.md", "book/*.md", "book/*.ipynb", "fairfl/**/*.py",
                    "book/**/*.py")
    for path in ROOT.glob(pattern)
    if "node_modules" not in path.parts
)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_name_in_the_text_exists(path):
    assert wrong_names(prose(path)) == []


def test_a_wrong_name_is_found():
    assert wrong_names("`rewards.quality`, `fairfl.runs.records`, book/intro.md") == []
    assert wrong_names("see `rewards.qualities(r)`") == ["fairfl.rewards.qualities"]
    assert wrong_names("see fairfl.records") == ["fairfl.records"]
    assert wrong_names("see fairfl.flower.FairStrategy, `fairfl.flower`") == []
    assert wrong_names("see fairfl.flower.Fairness") == ["fairfl.flower.Fairness"]
    assert wrong_names("in `fairfl/records.py`") == ["fairfl/records.py"]
    assert wrong_names("python -m book.reproduction table9") == ["table9"]
