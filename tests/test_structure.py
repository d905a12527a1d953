"""The plan of the house, held by the imports in its files: the wall, no circles, sizes.

Imports are read from the source, those inside functions and for type checkers too.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def modules(*folders):
    """Name -> file, of all modules below these folders."""
    found = {}
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = file
    return found


def imports(source, name, package=False):
    """All that a module of this name imports: "a.b" for `from a import b`."""
    home = name.split(".") if package else name.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = home[: len(home) + 1 - node.level] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant))


def arrows(files):
    """Module -> the modules among `files` that it imports."""
    found = {}
    for name, file in files.items():
        targets = imports(file.read_text(), name, file.stem == "__init__")
        nearest = {
            target if target in files else target.rpartition(".")[0]
            for target in targets
        }  # "a" where b of "a.b" is no module
        found[name] = nearest & set(files) - {name}
    return found


def circle(graph):
    """Modules that import each other in a ring, or an empty list."""
    done, path = set(), []

    def visit(name):
        if name in path:
            return path[path.index(name) :]
        if name not in done:
            path.append(name)
            for target in sorted(graph[name]):
                if found := visit(target):
                    return found
            done.add(path.pop())
        return []

    return next(filter(None, map(visit, graph)), [])


LIBRARY = modules("fairfl")
REPRODUCTION = modules("book/reproduction", "book/theory")


def inside(room, name):
    return name == room or name.startswith(room + ".")


def test_what_counts_as_an_import():
    source = """
from typing import TYPE_CHECKING
import torch.nn as nn
from fairfl import cgsv
if TYPE_CHECKING:
    from fairfl.history import History, Snapshot
def late():
    from fairfl.runs import records
    from . import near
    from ..up import up
    importlib.import_module("book.theory")
"""
    found = set(imports(source, "fairfl.room.file"))
    assert {
        "torch.nn",
        "fairfl.cgsv",
        "fairfl.history.Snapshot",
        "fairfl.runs.records",
        "fairfl.room.near",
        "fairfl.up.up",
        "book.theory",
    } <= found
    assert list(imports("from . import b", "fairfl.a", package=True)) == ["fairfl.a.b"]


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c", "d"}, "c": set(), "d": {"b"}}) == ["b", "d"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@pytest.mark.parametrize(
    "room, files",
    [
        ("book", LIBRARY),
        ("book.theory", LIBRARY | modules("book")),
    ],
    ids=["book", "theory"],
)
def test_the_wall(room, files):
    """The library imports nothing of the book; only chapters import the theory."""
    for name, file in files.items():
        if not inside(room, name):
            targets = imports(file.read_text(), name, file.stem == "__init__")
            through = [target for target in targets if inside(room, target)]
            assert not through, f"{name} imports {through}"


@pytest.mark.parametrize("files", [LIBRARY, REPRODUCTION], ids=["fairfl", "book"])
def test_no_modules_import_each_other_in_a_circle(files):
    assert len(files) > 15
    assert circle(arrows(files)) == []


# --- sizes

FILES = {
    str(file.relative_to(ROOT)): file.read_text()
    for file in (LIBRARY | REPRODUCTION).values()
}


def test_no_function_is_longer_than_50_lines():
    """From its first line to its last, the docstring counted."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    long = {}
    for name, text in FILES.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, kinds) and node.end_lineno - node.lineno >= 50:
                long[f"{name}::{node.name}"] = node.end_lineno - node.lineno + 1
    assert not long


def test_no_file_is_longer_than_250_lines():
    assert not {
        name: n for name, text in FILES.items() if (n := text.count("\n")) > 250
    }


def test_the_library_fits_into_10550_lines():
    assert sum(file.read_text().count("\n") for file in LIBRARY.values()) <= 10550
