"""What a reader takes from a page leads to notebooks that run: launch buttons to the
branch of plain notebooks, downloads with the project's address in their setup cell, and
no page shows outputs that are older than its code."""

from pathlib import Path

import nbformat
from conventions import setup_source
from freshness import faults
from repository import COLAB_BRANCH, repository
from sphinx.errors import ExtensionError
from sphinx.util import logging

log = logging.getLogger(__name__)


def check_outputs(app) -> None:
    """In every build, since Sphinx reads only the chapters that have changed."""
    for path in sorted((Path(app.srcdir) / "book").glob("*.ipynb")):
        for fault in faults(nbformat.read(path, 4)):
            log.warning(fault, location=f"book/{path.stem}")


def lead_to_colab(app, pagename, templatename, context, doctree) -> None:
    """The theme takes notebooks from the branch of the sources."""
    _, branch = repository()
    for group in context.get("header_buttons", []):
        for button in group.get("buttons", []):
            if "colab" in button.get("url", ""):
                button["url"] = button["url"].replace(
                    f"/blob/{branch}/", f"/blob/{COLAB_BRANCH}/", 1)


def has_address(notebook, url: str) -> bool:
    """Whether the notebook's setup cell would find the project at this address."""
    return any("setup" in cell.metadata.get("tags", [])
               and cell.source == setup_source(url) for cell in notebook.cells)


def fill_downloads(app, error) -> None:
    """Writes the address into the chapters that the pages offer for download."""
    url = repository()[0]
    if error is not None or app.builder.format != "html" or not url:
        return
    for path in sorted((Path(app.outdir) / "_sources").glob("book/*.ipynb")):
        notebook = nbformat.read(path, 4)
        for cell in notebook.cells:
            if "setup" in cell.metadata.get("tags", []):
                cell.source = setup_source(url)
        if not has_address(notebook, url):
            raise ExtensionError(f"{path.name} has no setup cell, so it would not find "
                                 f"the project at {url}")
        nbformat.write(notebook, path)


def connect(app) -> None:
    app.connect("builder-inited", check_outputs)
    # after the theme has put the buttons up
    app.connect("html-page-context", lead_to_colab, priority=600)
    app.connect("build-finished", fill_downloads)
