"""The reference of the library, made from its docstrings.

* `` ```{api} fairfl.rewards `` documents the public functions and classes of a module
  or a package, each with the chapter that teaches it: from the map of equations
  (`equations`), from the docstrings, which name chapters by their titles, or from
  `FALLBACK`.
* Docstrings are plain text with names between backticks. `as_restructured` makes of
  them what Sphinx reads: names become links, and signs of its markup are escaped.
"""

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import equations
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[2]
HOMES = ("fairfl", "book.theory")  # what is documented
LEFT_OUT = ("fairfl.flower", "fairfl.commands")  # book/api/index.md says why
# Modules whose docstrings, and those of their packages, name no chapter
FALLBACK = {
    "fairfl._shown": "The idea in ten minutes",
    "fairfl.cgsv": "Cosine gradient Shapley value",
    "fairfl.datasets": "Data and partitions",
    "fairfl.delivery": "Beyond one machine",
    "fairfl.figures": "The idea in ten minutes",
    "fairfl.history": "The whole mechanism",
    "fairfl.mechanisms": "The competition",
    "fairfl.metrics": "Accuracy and fairness",
    "fairfl.models": "Learning together",
    "fairfl.participation": "Beyond one machine",
    "fairfl.partition": "Data and partitions",
    "fairfl.payments": "Paying with gradients",
    "fairfl.probes": "What the agents receive",
    "fairfl.randomness": "Learning together",
    "fairfl.runs": "The whole mechanism",
    "fairfl.schedules": "Learning together",
    "fairfl.training": "Learning together",
    "fairfl.vectors": "Learning together",
}
CHAPTER = re.compile(r'([Cc]hapter)\s+"([^"]+)"')
XU = re.compile(r"\b[Ee]q\.\s+(\(\d\))")


# --- what is public

@cache
def module(name: str):
    return importlib.import_module(name)


@cache
def public(module_name: str) -> list[str]:
    """Names of the functions and classes that a module offers, in its own order: its
    own, those `imported as` themselves, and for a package those of its modules that it
    hands on."""
    here = module(module_name)
    handed_on = {alias.name
                 for node in ast.parse(inspect.getsource(here)).body
                 if isinstance(node, ast.ImportFrom)
                 for alias in node.names if alias.asname == alias.name}
    inside = module_name + "." if hasattr(here, "__path__") else None

    def belongs(name: str, found) -> bool:
        if (name.startswith("_") or not callable(found)
                or not (inspect.isclass(found) or inspect.isfunction(found))):
            return False
        home = found.__module__
        return (home == module_name or name in handed_on
                or bool(inside) and home.startswith(inside))

    return [name for name, found in vars(here).items() if belongs(name, found)]


@cache
def place(found) -> str:
    """The name under which an object is documented: the shortest one that is public."""
    home, name = found.__module__, found.__qualname__
    parts = home.split(".")
    for length in range(1, len(parts) + 1):
        above = ".".join(parts[:length])
        if (length > 1 and name in public(above)
                and getattr(module(above), name) is found):
            return f"{above}.{name}"
    return f"{home}.{name}"


def documented(module_name: str) -> list[str]:
    """The public names of a module that are not documented in the package above."""
    here = module(module_name)
    return [name for name in public(module_name)
            if place(getattr(here, name)) == f"{module_name}.{name}"
            or getattr(here, name).__module__.rpartition(".")[2].startswith("_")]


# --- which chapter teaches it

@cache
def titles() -> dict[str, str]:
    """The chapters' titles and the labels that lead to them."""
    return {chapter.title: chapter.label for chapter in equations.chapters()}


def chapter_in(text: str | None) -> str | None:
    """The first chapter of the book that a docstring names."""
    named = (" ".join(match[2].split()) for match in CHAPTER.finditer(text or ""))
    return next((title for title in named if title in titles()), None)


def chapter(module_name: str) -> str:
    """The title of the chapter that a module belongs to."""
    parts = module_name.split(".")
    above = [".".join(parts[:length]) for length in range(len(parts), 1, -1)]
    for name in above:
        found = (chapter_in(module(name).__doc__)
                 or FALLBACK.get(name))
        if found:
            return found
    raise LookupError(f"{module_name} names no chapter: write one into its docstring "
                      "or into FALLBACK of book/_ext/api.py")


def taught(dotted: str, module_name: str, doc: str) -> list[str]:
    """A line for an object: its equations and the chapters that teach it."""
    labels = equations.of_function(dotted)
    chapters = {equations.chapter_of(label).title for label in labels}
    if not labels:
        try:
            chapters = {chapter_in(doc) or chapter(module_name)}
        except LookupError:  # a test says which
            return []
    links = [f":ref:`{title} <{titles()[title]}>`" for title in sorted(chapters)]
    stop = "" if max(chapters).endswith("?") else "."
    text = f"*Chapter:* {', '.join(links)}{stop}"
    if labels:
        roles = ", ".join(equations.role(label, markdown=False) for label in labels)
        text += f" *Here:* {roles}."
    return ["", text, ""]


# --- docstrings as reStructuredText

def target(name: str, module_name: str) -> str | None:
    """The documented object that a name between backticks stands for."""
    if not re.fullmatch(r"[A-Za-z_][\w.]*", name):
        return None
    parts = module_name.split(".")
    above = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    for home in (*above, ""):
        found = look_up(f"{home}.{name}".lstrip("."))
        if found:
            return found
    return None


@cache
def look_up(dotted: str) -> str | None:
    module_name, _, name = dotted.rpartition(".")
    if not dotted.startswith(HOMES) or name.startswith("_") or "._" in dotted:
        return None
    try:
        found = getattr(module(module_name), name)
    except (ImportError, AttributeError, ValueError):
        return None
    if not (inspect.isclass(found) or inspect.isfunction(found)):
        return None
    if not found.__module__.startswith(HOMES):
        return None
    where = place(found)
    above = where.rpartition(".")[0]
    return where if where.rpartition(".")[2] in public(above) else None


def as_restructured(text: str, module_name: str) -> str:
    """A docstring's text: names become links or literals, what Sphinx would take for
    markup stays as it is, chapters and the paper's equations become links and marks."""
    pieces = re.split(r"(``[^`]+``|`[^`\n]+(?:\n[^`\n]+)?`)", text)
    for number, piece in enumerate(pieces):
        if number % 2:
            name = " ".join(piece.strip("`").split())
            found = None if piece.startswith("``") else target(name, module_name)
            pieces[number] = f":py:obj:`{name} <{found}>`" if found else f"``{name}``"
        else:
            pieces[number] = _escaped(piece)
    return "".join(pieces)


def _escaped(text: str) -> str:
    text = re.sub(r"([*|\\])", r"\\\1", text)
    text = re.sub(r"(?<=\w)_(?=\W|$)", r"\\_", text)
    text = CHAPTER.sub(_chapter_link, text)
    return XU.sub(lambda match: f":xu:`eq. {match[1]}`", text)


def _chapter_link(match: re.Match) -> str:
    title = " ".join(match[2].split())
    label = titles().get(title)
    return f"{match[1]} :ref:`{title} <{label}>`" if label else match[0]


def _module_of(dotted: str) -> str:
    """The module of a documented function, class or method."""
    while dotted and dotted not in sys.modules:
        dotted = dotted.rpartition(".")[0]
    return dotted


def process(app, what, name, found, options, lines) -> None:
    module_name = name if what == "module" else _module_of(name)
    text = as_restructured("\n".join(lines), module_name)
    lines[:] = text.split("\n")
    if what in ("function", "class"):
        lines += taught(name, module_name, inspect.getdoc(found) or "")


# --- the directive

class Api(SphinxDirective):
    """A section for each of the modules named, and for those inside a package."""

    required_arguments = 1
    optional_arguments = 20

    def run(self):
        lines: list[str] = []
        for name in self.arguments:
            for module_name in inside(name):
                lines += [f"## `{module_name}`", "", "```{eval-rst}",
                          *_directives(module_name), "```", ""]
        node = nodes.section()
        node.document = self.state.document
        source = StringList(lines, source=self.get_source_info()[0])
        self.state.nested_parse(source, self.content_offset, node, match_titles=True)
        return node.children


def _directives(module_name: str) -> Iterator[str]:
    yield from (f".. automodule:: {module_name}", "")
    for name in documented(module_name):
        if inspect.isclass(getattr(module(module_name), name)):
            yield from (f".. autoclass:: {module_name}.{name}", "   :members:", "")
        else:
            yield from (f".. autofunction:: {module_name}.{name}", "")


def inside(name: str) -> list[str]:
    """A module, or a package and its modules, that have something to document."""
    return [found for found in modules()
            if (found == name or found.startswith(name + ".")) and documented(found)]


def modules() -> Iterator[str]:
    """All public modules."""
    for home in HOMES:
        for file in sorted(ROOT.joinpath(*home.split(".")).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts).removesuffix(".__init__")
            if (not any(part.startswith("_") for part in name.split("."))
                    and not name.startswith(LEFT_OUT)):
                yield name


def leave_index(app, env) -> None:
    """The index is for the words of the chapters; the reference is in order anyway."""
    entries = env.get_domain("index").entries
    for page in entries:
        if page.startswith("book/api/"):
            entries[page] = []


def connect(app) -> None:
    if str(ROOT) not in sys.path:  # the library is that of this folder
        sys.path.insert(0, str(ROOT))
    app.add_directive("api", Api)
    # before Napoleon reads the sections
    app.connect("autodoc-process-docstring", process, priority=100)
    app.connect("env-updated", leave_index)
