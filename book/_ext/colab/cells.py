"""Code cells of a chapter as Colab, JupyterLab and VS Code take them."""

import html
from collections.abc import Iterator
from pathlib import Path

import nbformat
from conventions import setup_source
from didactics import FOLDED, WIDGET_VIEW
from source_links import linked

# What `enhance` of explorables/page.js puts the drawing in place of. JupyterLab may run
# scripts before the output stands in its page, so they wait for it.
DRAWING = """<style>
{style}
</style>
<div class="tag_{tag}"><div class="cell_output"><img alt="" src="data:,"></div></div>
<script>
(function begin() {{
if (!document.querySelector(".tag_{tag} .cell_output img"))
  return setTimeout(begin, 100);
{scripts}
}})();
</script>"""


def code_cells(cell, url: str, page: str, scripts: Path, folded: bool) -> Iterator:
    """The cell, plain, then the explorable that stands in its place on the page, whose
    scripts are in the folder `scripts`.

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
            yield from _explorable(tag, page, scripts)


def _fold(cell) -> None:
    cell.metadata["jupyter"] = {"source_hidden": True}
    cell.metadata["cellView"] = "form"  # Colab's word for it


def _at_page(page: str) -> str:
    where = f'<a href="{html.escape(page)}">on its page</a>' if page else "on its page"
    return f"It also moves {where}, without running anything."


def _plain(output, page: str):
    """The output without a figure's data and with links to code; of a widget, whose
    state another version may not read, a note."""
    if WIDGET_VIEW not in output.get("data", {}):
        data = output.get("data", {})
        data.pop("text/csv", None)
        if "text/markdown" in data:
            data["text/markdown"] = linked(data["text/markdown"])
        return output
    note = f"<p>Run this cell to get what moves here. {_at_page(page)}</p>"
    return nbformat.v4.new_output("display_data", data={
        "text/html": note, "text/plain": "Run this cell to get what moves here."})


def _explorable(tag: str, page: str, scripts: Path) -> Iterator:
    name = tag.removeprefix("explorable-")
    files = [scripts / f"{stem}.js" for stem in ("cgsv", "page", f"{name}_data", name)]
    drawing = DRAWING.format(
        tag=tag, style=(scripts / "explorables.css").read_text(),
        scripts="\n".join(file.read_text() for file in files
                          if file.exists() or not file.stem.endswith("_data")))
    yield nbformat.v4.new_markdown_cell(
        "*The same to move and to try, when you run the folded cell below.* "
        + (f"[On its page]({page})" if page else ""))
    cell = nbformat.v4.new_code_cell(f"%%html\n{drawing}")
    cell.outputs = [nbformat.v4.new_output("display_data", data={
        "text/html": drawing, "text/plain": "<IPython.core.display.HTML object>"})]
    _fold(cell)
    yield cell
