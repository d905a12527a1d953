"""What a chapter has to keep to (CONTRIBUTING.md), as a list of faults.

`make notebooks` and the tests read it.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import didactics
from didactics import WIDGET_VIEW
from freshness import stale
from repository import web_url

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
IGNORED_AT_MOST = 2
BYTES_AT_MOST = 3_000_000
ALT_AT_LEAST = 20  # characters
CODE_AT_MOST = 80  # characters a line: what a page shows without scrolling
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
TYPED_NUMBER = re.compile(r"\b(?:chapters?|ch\.)\s+\d+", re.IGNORECASE)
LOCAL_PATH = re.compile(
    r"(?<![\w/.])(?:/(?:home|root|tmp|work|workspace|mnt|Users)/|[A-Z]:\\)"
)
FENCE = r"^[`:]{3,}"


def setup_source(url: str) -> str:
    """The standard first code cell for a project at this address ("" for none)."""
    text = Path(__file__).with_name("setup_cell.py").read_text()
    return text.replace('REPO = ""', f'REPO = "{url}"').strip()


def typed_numbers(text: str) -> list[str]:
    """Chapter numbers that somebody typed; they go wrong when a chapter is put in."""
    return TYPED_NUMBER.findall(text)


def _tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def _code(notebook) -> Iterator[tuple[str, dict]]:
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and cell.source.strip():
            yield f"cell {number} ({cell.source.splitlines()[0][:40]!r})", cell


def _shows(cell, kind: str) -> list:
    return [output for output in cell.outputs if kind in output.get("data", {})]


def run(notebook) -> Iterator[str]:
    if notebook.metadata.get("kernelspec", {}).get("name") != KERNEL["name"]:
        yield f"the kernel must be {KERNEL['name']}"
    for expected, (where, cell) in enumerate(_code(notebook), start=1):
        if cell.execution_count != expected:
            number = cell.execution_count
            yield f"{where} was run as number {number} instead of {expected}"
        for output in cell.outputs:
            if output.output_type == "error":
                yield f"{where} ended in an error"
            if output.get("name") == "stderr":
                yield f"{where} wrote to the error stream: {output.text[:60]!r}"


def kept_to_itself(notebook) -> Iterator[str]:
    """Nothing of the machine on which the chapter was run, and not too large."""
    if len(json.dumps(notebook)) > BYTES_AT_MOST:
        yield f"the file is larger than {BYTES_AT_MOST:,} bytes"
    for number, cell in enumerate(notebook.cells):
        text = cell.source + json.dumps(cell.get("outputs", []))
        if found := LOCAL_PATH.search(text):
            yield f"cell {number} holds a path of one machine, {found[0]!r}"


def width(notebook) -> Iterator[str]:
    for where, cell in _code(notebook):
        for line in cell.source.splitlines():
            if len(line) > CODE_AT_MOST:
                yield (f"{where} has a line of {len(line)} characters, more than "
                       f"{CODE_AT_MOST}: {line.strip()[:30]!r}")


def opening(notebook) -> Iterator[str]:
    title = notebook.cells[0]
    if (title.cell_type != "markdown"
        or not re.match(r"\([a-z-]+\)=\n# \S", title.source)):
        yield ("the first cell must hold a label and a title: "
               "(my-subject)=, then # My subject")
    setup = [cell for cell in notebook.cells if "setup" in _tags(cell)]
    if (len(setup) != 1 or setup[0] is not notebook.cells[1]
        or "hide-input" not in _tags(setup[0])):
        yield "the second cell, and no other, must be tagged setup and hide-input"
        return
    address = re.search(r'REPO = "(.*?)"', setup[0].source)
    url = address[1] if address else ""
    if setup[0].source != setup_source(url) or url != web_url(url):
        yield "the setup cell is not the one of book/_ext/setup_cell.py: make notebooks"


def figures(notebook) -> Iterator[str]:
    state = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    for where, cell in _code(notebook):
        images = _shows(cell, "image/svg+xml")
        views = _shows(cell, WIDGET_VIEW)
        if len(images) + len(views) > 1:
            yield f"{where} shows more than one figure"
        printed = any(output.get("name") == "stdout" for output in cell.outputs)
        if (images or views) and not printed:
            yield f"{where} must print one line of the data that it draws"
        if images:
            settings = cell.metadata.get("mystnb", {})
            alt = settings.get("image", {}).get("alt", "")
            figure = settings.get("figure", {})
            if len(alt.strip()) < ALT_AT_LEAST:
                yield (f"{where} needs an alternative text of {ALT_AT_LEAST} "
                       "characters or more")
            if (not figure.get("name", "").startswith("fig-")
                or not figure.get("caption", "").strip()):
                yield f"{where} needs a caption and a name that starts with fig-"
            if alt and alt == figure.get("caption"):
                yield (f"{where}: the alternative text says what one sees, "
                       "the caption what it means")
        for view in views:
            if view["data"][WIDGET_VIEW]["model_id"] not in state:
                yield (f"{where} shows a widget whose state is not stored: "
                       "make notebooks")


def ignored(notebook) -> Iterator[str]:
    cells = [(where, cell) for where, cell in _code(notebook)
             if "nbval-ignore-output" in _tags(cell)]
    if len(cells) > IGNORED_AT_MOST:
        yield f"{len(cells)} cells with ignored output, more than {IGNORED_AT_MOST}"
    for where, cell in cells:
        if not cell.metadata.get("fairfl", {}).get("why_ignored", "").strip():
            yield f"{where} must say why its output is ignored"
    for where, cell in _code(notebook):
        if ({"nbval-skip", "skip-execution", "raises-exception"} & set(_tags(cell))
            or "NBVAL_" in cell.source):
            yield f"{where} must be run and compared like any other"


def text(notebook) -> Iterator[str]:
    prose = "\n".join(cell.source for cell in notebook.cells
                      if cell.cell_type == "markdown")
    # a page to look things up in
    reference = notebook.metadata.get("fairfl", {}).get("kind") == "reference"
    for found in typed_numbers(prose):
        yield f"{found!r}: refer to a chapter by its label"
    for heading in () if reference else ("Summary", "Exercises"):
        if not re.search(rf"^## {heading}$", prose, re.MULTILINE):
            yield f"there is no section {heading}"
    opened = rf"{FENCE}\{{exercise(?:-start)?\}}"
    labelled = rf"{opened}.*\n(?::.*\n)*?:label: *(\S+)"
    solved = rf"{FENCE}\{{solution(?:-start)?\}} *(\S+)\n((?::.*\n)*)"
    exercises = re.findall(labelled, prose, re.MULTILINE)
    solutions = re.findall(solved, prose, re.MULTILINE)
    if len(exercises) != len(re.findall(opened, prose, re.MULTILINE)):
        yield "an exercise has no label"
    for name in sorted(set(exercises) ^ {name for name, _ in solutions}):
        yield f"{name} must be an exercise with a solution"
    for name, options in solutions:
        if "dropdown" not in options:
            yield f"the solution of {name} is not folded away"


CHECKS = (run, stale, kept_to_itself, width, opening, figures, ignored, text,
          *didactics.CHECKS)


def faults(notebook) -> list[str]:
    """Every fault of a chapter; an empty list when it keeps to all conventions."""
    return [fault for check in CHECKS for fault in check(notebook)]
