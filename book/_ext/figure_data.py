"""The data of figures as files of the pages, each linked from its figure's caption.

The chapters' outputs hold them as text/csv (see `plotted`). The lines that a figure's
cell prints, so that tests have something to compare, stand in the fold with its code.
"""

from collections.abc import Iterator
from pathlib import Path

import nbformat
from didactics import WIDGET_VIEW
from docutils import nodes
from myst_nb.core.render import load_mime_renders
from myst_nb.sphinx_ import HideInputCells
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.osutil import relative_uri

KIND = "text/csv"
FOLDER = "_downloads/figures"


class Silent:
    """Has MyST-NB pass over the data, of which it would warn."""

    mime_priority_overrides = ()

    @staticmethod
    def handle_mime(renderer, data, inline):
        return [] if data.mime_type == KIND else None


def file_of(cell, stem: str, index: int) -> str:
    """Name of the file for a figure: its own, or its place in the chapter."""
    figure = cell.metadata.get("mystnb", {}).get("figure", {})
    return f"{figure.get('name', f'{stem}-{index}')}.csv"


def files(path: Path) -> Iterator[tuple[int, str, str]]:
    """(number of the cell, name of the file, its text) of a chapter's figures."""
    for index, cell in enumerate(nbformat.read(path, 4).cells):
        for output in cell.get("outputs", ()):
            if text := output.get("data", {}).get(KIND):
                yield index, file_of(cell, path.stem, index), text


def add_links(app, doctree, docname) -> None:
    path = Path(app.env.doc2path(docname))
    if app.builder.format != "html" or path.suffix != ".ipynb":
        return
    found = {index: name for index, name, _ in files(path)}
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") != "cell_code" or cell["cell_index"] not in found:
            continue
        uri = relative_uri(app.builder.get_target_uri(docname),
                           f"{FOLDER}/{found[cell['cell_index']]}")
        link = nodes.inline("", "", nodes.reference(
            "", "data (CSV)", refuri=uri, internal=True, classes=["figure-data"]))
        if caption := next(cell.findall(nodes.caption), None):
            caption += [nodes.Text(" "), link]
        else:
            cell += nodes.paragraph("", "", link, classes=["figure-data-below"])


class FoldPrintedLines(SphinxPostTransform):
    """Moves what the cell of a drawing prints into the fold with its code."""

    default_priority = HideInputCells.default_priority + 1
    formats = ("html",)

    def run(self, **kwargs) -> None:
        for cell in self.document.findall(nodes.container):
            if cell.get("hide_mode") == "input" and draws(cell):
                for node in list(cell.findall(nodes.literal_block)):
                    if "stream" in node["classes"]:
                        node.parent.remove(node)
                        cell[0] += node  # the fold


def draws(cell: nodes.Element) -> bool:
    """Whether a cell shows a picture or something to move."""
    return any(isinstance(node, nodes.image) or isinstance(node, nodes.raw)
               and WIDGET_VIEW in node.astext() for node in cell.findall())


def write(app, error) -> None:
    if error is None and app.builder.format == "html":
        target = Path(app.outdir) / FOLDER
        target.mkdir(parents=True, exist_ok=True)
        for path in sorted((Path(app.srcdir) / "book").glob("*.ipynb")):
            for _, name, text in files(path):
                (target / name).write_text(text)


def connect(app) -> None:
    if Silent not in load_mime_renders():  # a list that is kept
        load_mime_renders().append(Silent)
    app.add_post_transform(FoldPrintedLines)
    app.connect("doctree-resolved", add_links)
    app.connect("build-finished", write)
