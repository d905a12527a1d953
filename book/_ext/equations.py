"""Which function computes a labelled equation, and which test checks it.

`book/equations.yaml` says so, once. `faults` holds it against the chapters, the library
and the tests; `equation_page` makes a page of it, and `api` puts a line under each
function.
"""

import ast
import importlib
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
HOMES = ("fairfl.", "book.theory.", "book.reproduction.")
CHAPTER = "chapter"  # in the place of a test: an assert of the chapter's own
EQUATION = re.compile(r"\((eq-[\w-]+)\)[ \t]*$|^:label:[ \t]*(eq-[\w-]+)[ \t]*$", re.M)
STATEMENT = re.compile(r"\{prf:(\w+)\}[ \t]*(.*)\n(?::(?!label).*\n)*"
                       r":label:[ \t]*(\S+)")
FIELDS = {"code", "test"}


@dataclass(frozen=True)
class Mark:
    """A labelled equation, or a theorem and its like with their kind and name."""

    label: str
    cell: int
    kind: str = "equation"
    name: str = ""


@dataclass(frozen=True)
class Cell:
    kind: str
    source: str


@dataclass(frozen=True)
class Chapter:
    title: str
    label: str  # of the whole chapter
    docname: str
    cells: tuple[Cell, ...]

    @property
    def marks(self) -> list[Mark]:
        """In the order of the text."""
        found = []
        for number, cell in enumerate(self.cells):
            if cell.kind != "markdown":
                continue
            here = [(match.start(), Mark(match[1] or match[2], number))
                    for match in EQUATION.finditer(cell.source)]
            here += [(match.start(), Mark(match[3], number, match[1], match[2].strip()))
                     for match in STATEMENT.finditer(cell.source)]
            found += [mark for _, mark in sorted(here, key=lambda pair: pair[0])]
        return found


def read(path: Path, docname: str = "") -> Chapter:
    notebook = json.loads(path.read_text())
    cells = tuple(Cell(cell["cell_type"], "".join(cell["source"]))
                  for cell in notebook["cells"])
    opening = re.match(r"\(([\w-]+)\)=\n# (.+)", cells[0].source)
    if not opening:
        raise ValueError(f"{path} does not start with a label and a title")
    return Chapter(opening[2].strip(), opening[1], docname or path.stem, cells)


@cache
def chapters(root: Path = ROOT) -> tuple[Chapter, ...]:
    """All notebooks of the book, in its order."""
    text = (root / "_toc.yml").read_text()
    names = re.findall(r"file:\s*(\S+)", text)
    return tuple(read(file, name) for name in names
                 if (file := root / f"{name}.ipynb").exists())


@cache
def written(root: Path = ROOT) -> dict[str, dict[str, list[str]]]:
    """Label -> its functions ("code") and its tests ("test"), as the file has them."""
    entries = yaml.safe_load((root / "book" / "equations.yaml").read_text()) or {}
    return {label: {name: [value] if isinstance(value, str) else list(value)
                    for name, value in (entry or {}).items()}
            for label, entry in entries.items()}


def of_function(dotted: str) -> list[str]:
    return [label for label, entry in written().items()
            if dotted in entry.get("code", []) and label in _homes()]


@cache
def _homes() -> dict[str, tuple[Chapter, Mark]]:
    return {mark.label: (chapter, mark)
            for chapter in chapters() for mark in chapter.marks}


def chapter_of(label: str) -> Chapter:
    return _homes()[label][0]


def role(label: str, markdown: bool = True) -> str:
    name = "eq" if _homes()[label][1].kind == "equation" else "prf:ref"
    if markdown:
        return f"{{{name}}}`{label}`"
    # MyST's own role of equations, for text that is not Markdown
    return f":math:numref:`{label}`" if name == "eq" else f":{name}:`{label}`"


# --- faults

def faults(marks: dict[str, tuple[Chapter, Mark]], entries: dict,
           tests: Path) -> list[str]:
    """What is wrong with a file of equations, in words."""
    found = [f"{chapter.docname}: {label} is missing in book/equations.yaml"
             for label, (chapter, _) in marks.items() if label not in entries]
    for label, entry in entries.items():
        if label not in marks:
            found.append(f"no chapter has the label {label}")
            continue
        if unknown := sorted(set(entry) - FIELDS):
            found.append(f"{label}: unknown fields {unknown}")
        if not entry.get("test"):
            found.append(f"{label} has no test")
        found += [f"{label}: {fault}" for dotted in entry.get("code", [])
                  if (fault := no_function(dotted))]
        for test in entry.get("test", []):
            fault = (no_assert(*marks[label]) if test == CHAPTER
                     else no_test(test, tests))
            if fault:
                found.append(f"{label}: {fault}")
    return found


def no_function(dotted: str) -> str | None:
    if not dotted.startswith(HOMES):
        return f"{dotted} is neither of fairfl nor of the book"
    module, _, name = dotted.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError:
        return f"there is no module {module}"
    return None if callable(found) else f"{module} has no function {name}"


@cache
def _tests_of(file: Path) -> frozenset[str]:
    return frozenset(node.name for node in ast.walk(ast.parse(file.read_text()))
                     if isinstance(node, ast.FunctionDef)
                     and node.name.startswith("test_"))


def no_test(name: str, tests: Path) -> str | None:
    file, _, test = name.partition("::")
    if not (tests / file).is_file():
        return f"there is no file tests/{file}"
    known = _tests_of(tests / file)
    return None if test in known else f"tests/{file} has no test {test!r}"


def no_assert(chapter: Chapter, mark: Mark) -> str | None:
    """The check of a chapter stands in the section of the label or in the next one."""
    sections = 0
    cells = chapter.cells
    for number in range(mark.cell, len(cells)):
        cell = cells[number]
        if cell.kind == "code" and asserts(cell.source):
            return None
        if cell.kind == "markdown":
            text = cell.source
            if number == mark.cell:
                text = text[text.index(mark.label):]
            sections += len(re.findall(r"^## ", text, re.M))
            if sections > 1:
                break
    return f"no assert follows it in {chapter.docname}, in its section or the next"


def asserts(source: str) -> bool:
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a magic command of Jupyter
        return False
    return any(isinstance(node, ast.Assert)
               or isinstance(node, ast.Attribute) and node.attr == "assert_close"
               for node in ast.walk(tree))


def all_faults(root: Path = ROOT) -> list[str]:
    return faults(_homes(), written(root), root / "tests")


if __name__ == "__main__":
    import sys

    sys.path.insert(0, str(ROOT))
    found = all_faults()
    print("\n".join(found) or f"{len(written())} labels, each with its test")
    sys.exit(bool(found))
