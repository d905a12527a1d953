"""The reference of the library, made from its docstrings.

* `` ```{api} fairfl.rewards `` documents the public functions and classes of a module
  or a package, each with the chapter that teaches it: from the map of equations
  (`equations`), from the docstrings, which name chapters by their titles, or from
  `FALLBACK`.
* Docstrings are plain text with names between backticks. `as_restructured` makes of
  them what Sphinx reads: names become links, and signs of its markup are escaped.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from functools import cache

import equations
from docutils import nodes
from docutils.statemachine import StringList
from public_names import ROOT, documented, inside, look_up, module
from sphinx.util.docutils import SphinxDirective

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
