"""What makes a chapter teach, as a list of faults; `conventions` holds the rest.

Its sections say what they found, its quiz and exercises are complete, little code is
open, little is printed, something moves, and the paper's equations cannot be taken for
the book's.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml
from teaching import answers, quiz_faults

TOC = Path(__file__).resolve().parents[2] / "_toc.yml"
MOVING_PARTS = 3  # the parts of which each chapter has something to move
OPEN_AT_MOST = 12  # code cells
LINES_AT_MOST, WIDTH_AT_MOST = 8, 80  # of what a cell prints
QUIZZES = 3
EXERCISES = range(3, 7)
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}  # code
UNSEEN = {"hide-output", "hide-cell", "remove-output", "remove-cell"}
WITHOUT_FINDING = {"Summary", "Quiz", "Exercises"}

ROLE = re.compile(r"\{[\w:]+\}`[^`]*`")
CITED = r"(?! of \{cite:\w+\}`(?!xu2021gradient))"  # another paper's
BARE = re.compile(
    r"(?:\b[Ee]qs?\.\s*\(|\b[Ee]quations?\s+\(|\bFigs?\.\s*|\bFigures?\s+"
    r"|\bTables?\s+|\bSecs?\.\s*|\bSections?\s+)\d+(?:\.\d+)*(?!\d)\)?" + CITED)
FENCE = re.compile(r"^(`{3,}|~{3,})(?!\{).*?^\1[ ]*$", re.M | re.S)
QUIZ = re.compile(r"^(`{3,}|:{3,})\{quiz\}[ ]*([^\n]*)\n(.*?)^\1[ ]*$", re.M | re.S)
EXERCISE = re.compile(
    r"^([`:]{3,})\{exercise(?:-start)?\}.*\n((?::.*\n)*)(?:\1[ ]*\n)?\s*(.*)", re.M)
DIFFICULTY = re.compile(r"\*\*(Easy|Medium|Hard|Open)(, code)?\.\*\*")
NO_TEXT = re.compile(r"^(?:\([\w-]+\)=|(`{3,}|:{3,})\{index\}.*?^\1)[ ]*$", re.M | re.S)


def _tags(cell) -> set[str]:
    return set(cell.metadata.get("tags", []))


def _prose(notebook) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells
                       if cell.cell_type == "markdown")


def _is_reference(notebook) -> bool:
    return notebook.metadata.get("fairfl", {}).get("kind") == "reference"


@cache
def _moving() -> frozenset[str]:
    parts = yaml.safe_load(TOC.read_text())["parts"][:MOVING_PARTS]
    return frozenset(Path(chapter["file"]).stem.replace("_", "-")
                     for part in parts for chapter in part["chapters"])


def _label(notebook) -> str:
    found = re.match(r"\(([\w-]+)\)=", notebook.cells[0].source)
    return found[1] if found else ""


def bare_references(notebook) -> Iterator[str]:
    """Equations and figures by a number that somebody typed: nobody can tell whether
    they are the paper's or ours."""
    for number, cell in enumerate(notebook.cells):
        text = cell.source if cell.cell_type == "markdown" else cell.metadata.get(
            "mystnb", {}).get("figure", {}).get("caption", "")
        text = FENCE.sub("", text)
        text = re.sub(r"(?<![`}])`[^`\n]+`", "", text)  # code
        roles = [found.span() for found in ROLE.finditer(text)]
        for found in BARE.finditer(text):
            if not any(start <= found.start() < end for start, end in roles):
                words = " ".join(found[0].split())
                yield (f"cell {number} says {words!r}: the paper's are written "
                       "{xu}`...`, ours {eq}`...` or {numref}`...`")


def _sections(notebook) -> Iterator[tuple[str, str, bool]]:
    """(title, text, whether text ends it) of each section."""
    title, text, ends = "", "", True
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            if shown := _shown(cell):  # text that a cell makes of records
                text, ends = f"{text}\n\n{shown}", True
            ends = ends and not (cell.source.strip() and not shown)
            continue
        first, *others = re.split(r"^## +(.+)$", cell.source, flags=re.M)
        if NO_TEXT.sub("", first).strip():
            text, ends = f"{text}\n\n{first}", True
        for following, body in zip(others[::2], others[1::2], strict=True):
            yield title, text, ends
            title, text, ends = following.strip(), body, True
    yield title, text, ends


def _shown(cell) -> str:
    """What a code cell shows as Markdown."""
    return "\n\n".join("".join(output["data"]["text/markdown"])
                       for output in cell.get("outputs", [])
                       if "text/markdown" in output.get("data", {}))


def findings(notebook) -> Iterator[str]:
    if _is_reference(notebook):
        return
    for title, text, ends in _sections(notebook):
        if not title or title in WITHOUT_FINDING:
            continue
        paragraphs = re.split(r"\n\s*\n", NO_TEXT.sub("", text).strip())
        if not ends or not paragraphs[-1].startswith("**Finding.**"):
            yield (f"the section {title!r} must end with its finding, a paragraph that "
                   "starts with **Finding.**")


def quizzes(notebook) -> Iterator[str]:
    if _is_reference(notebook):
        return
    prose = _prose(notebook)
    found = re.search(r"^## Quiz$(.*?)^## ([^\n]*)$", f"{prose}\n## ", re.M | re.S)
    if not found:
        yield "there is no section Quiz"
        return
    if found[2] != "Exercises":
        yield "the section Quiz must stand just before the exercises"
    questions = QUIZ.findall(found[1])
    if len(questions) != QUIZZES:
        yield f"{len(questions)} questions in the quiz instead of {QUIZZES}"
    for _, question, body in questions:
        lines = body.rstrip().split("\n")
        yield from (f"{question[:30]!r}: {fault}"
                    for _, fault in quiz_faults(question, answers(lines)[1]))


def exercises(notebook) -> Iterator[str]:
    if _is_reference(notebook):
        return
    starts = [found[3] for found in EXERCISE.finditer(_prose(notebook))]
    if len(starts) not in EXERCISES:
        yield (f"{len(starts)} exercises, not {EXERCISES[0]} to {EXERCISES[-1]}")
    marks = [DIFFICULTY.match(start) for start in starts]
    for start, mark in zip(starts, marks, strict=True):
        if not mark:
            yield (f"the exercise {start[:40]!r} must start with its difficulty: "
                   "**Easy.**, **Medium, code.**, **Hard.**, **Open.**")
    code = sum(bool(mark and mark[2]) for mark in marks)
    if 3 * code < len(starts):
        yield f"{code} of {len(starts)} exercises are with code, fewer than a third"


def _in_solution(notebook) -> Iterator[tuple[int, object, bool]]:
    """Each cell with its number, and whether it stands in a solution."""
    within = False
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            for found in re.finditer(r"\{solution-(start|end)\}", cell.source):
                within = found[1] == "start"
        yield number, cell, within


def open_code(notebook) -> Iterator[str]:
    count = sum(cell.cell_type == "code" and bool(cell.source.strip())
                and not solution and not FOLDED & _tags(cell)
                for _, cell, solution in _in_solution(notebook))
    if count > OPEN_AT_MOST and not _is_reference(notebook):
        yield (f"{count} open code cells, more than {OPEN_AT_MOST}: fold what draws, "
               "loads or prints (hide-input), and merge small ones")


def _printed(cell) -> str:
    """What a cell prints, and its last value where that is shown as plain text."""
    texts = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if output.get("name") == "stdout":
            texts.append(output.text)
        elif list(data) == ["text/plain"]:
            texts.append(f"{data['text/plain']}\n")
    return "".join(texts)


def printed(notebook) -> Iterator[str]:
    for number, cell in enumerate(notebook.cells):
        if UNSEEN & _tags(cell):
            continue
        lines = _printed(cell).rstrip("\n").split("\n")
        if len(lines) > LINES_AT_MOST:
            yield (f"cell {number} prints {len(lines)} lines, more than "
                   f"{LINES_AT_MOST}: a plot, or figures.table")
        if (width := max(map(len, lines))) > WIDTH_AT_MOST:
            yield (f"cell {number} prints a line of {width} characters, more than "
                   f"{WIDTH_AT_MOST}")


def moves(notebook) -> Iterator[str]:
    """Something to move or step through in each chapter that teaches."""
    if _label(notebook) not in _moving():
        return
    for cell in notebook.cells:
        if any(tag.startswith("explorable-") for tag in _tags(cell)) or any(
                WIDGET_VIEW in output.get("data", {})
                for output in cell.get("outputs", [])):
            return
    yield "nothing to move or to step through (explorable-..., figures.stepper)"


def fences(notebook) -> Iterator[str]:
    """Markdown takes no backtick into the first line of a fence of backticks."""
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            for line, name in re.findall(r"^( *`{3,}(\{\w+\})?[^`\n]+`.*)$",
                                         cell.source, re.MULTILINE):
                yield (f"cell {number} does not open {line[:30]!r}: a line with ` in "
                       f"it needs :::{name}, closed by :::")


def sharp(notebook) -> Iterator[str]:
    for number, cell in enumerate(notebook.cells):
        if any("image/png" in output.get("data", {})
               for output in cell.get("outputs", [])):
            yield f"cell {number} shows a PNG instead of an SVG: make notebooks"


CHECKS = (bare_references, findings, quizzes, exercises, open_code, printed, moves,
          fences, sharp)
