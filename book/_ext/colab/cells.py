"""Code cells of a chapter as Colab, JupyterLab and VS Code take them."""

import html
from collections.abc import Iterator
from pathlib import Path

import nbformat
from conventions import WIDGET_VIEW, setup_source

EXPLORABLES = Path(__file__).resolve().parents[1] / "explorables"
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
# what `enhance` of explorables/page.js puts the drawing in place of
PLACE = """<style>
{style}
</style>
<div class="tag_{tag}"><div class="cell_output"><img alt="" src="data:,"></div></div>
{scripts}"""


def code_cells(cell, url: str, page: str, folded: bool) -> Iterator:
    """The cell, plain, then the explorable that stands in its place on the page.

    `folded` is said of a solution: its output is not shown before it is run.
    """
    tags = cell.metadata.get("tags", [])
    plain = nbformat.v4.new_code_cell(cell.source)
    if "setup" in tags:
        plain.source = setup_source(url)
        plain.metadata["tags"] = ["setup"]
    elif not folded:
        plain.execution_count = cell.execution_count
        plain.outputs = [_plain(output, page) for output in cell.outputs]
    if folded or FOLDED & set(tags):
        _fold(plain)
    yield plain
    for tag in tags:
        if tag.startswith("explorable-"):
            yield from _explorable(tag, page)


def _fold(cell) -> None:
    cell.metadata["jupyter"] = {"source_hidden": True}
    cell.metadata["cellView"] = "form"  # Colab's word for it


def _at_page(page: str) -> str:
    where = f'<a href="{html.escape(page)}">on its page</a>' if page else "on its page"
    return f"It also moves {where}, without running anything."


def _plain(output, page: str):
    """The output as it is; of a widget, whose state another version may not read, a
    note."""
    if WIDGET_VIEW not in output.get("data", {}):
        return output
    note = f"<p>Run this cell to get what moves here. {_at_page(page)}</p>"
    return nbformat.v4.new_output("display_data", data={
        "text/html": note, "text/plain": "Run this cell to get what moves here."})


def _explorable(tag: str, page: str) -> Iterator:
    name = tag.removeprefix("explorable-")
    files = [EXPLORABLES / f"{stem}.js" for stem in ("cgsv", "page", name)]
    scripts = "\n".join(f"<script>\n{file.read_text()}</script>" for file in files)
    style = (EXPLORABLES / "explorables.css").read_text()
    drawing = PLACE.format(style=style, tag=tag, scripts=scripts)
    yield nbformat.v4.new_markdown_cell(
        "*The same to move and to try, when you run the folded cell below.* "
        + (f"[On its page]({page})" if page else ""))
    cell = nbformat.v4.new_code_cell(f"%%html\n{drawing}")
    cell.outputs = [nbformat.v4.new_output("display_data", data={
        "text/html": drawing, "text/plain": "<IPython.core.display.HTML object>"})]
    _fold(cell)
    yield cell
