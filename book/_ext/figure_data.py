"""The data of figures as files of the pages, each linked from its figure's caption.

The chapters' outputs hold them as text/csv (see `plotted`).
"""

from collections.abc import Iterator
from pathlib import Path

import nbformat
from docutils import nodes
from myst_nb.core.render import load_mime_renders
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
    app.connect("doctree-resolved", add_links)
    app.connect("build-finished", write)
