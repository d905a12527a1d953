"""Chapters as plain notebooks for Colab, JupyterLab and VS Code: `make colab`.

A Sphinx builder. It takes what Sphinx has read and resolved for the pages, so numbers,
citations and links are those of the pages, and writes it as ordinary Markdown around
the chapters' code cells.
"""

from .builder import ColabBuilder

# Outputs are taken from the chapter's file; any type will do where a caption is looked
# up.
TYPES = ("text/plain", "text/html", "text/markdown", "image/png", "image/svg+xml",
         "application/vnd.jupyter.widget-view+json")


def choose_types(app, config) -> None:
    config.nb_mime_priority_overrides = [
        *config.nb_mime_priority_overrides,
        *((ColabBuilder.name, kind, rank) for rank, kind in enumerate(TYPES)),
    ]


def setup(app):
    app.add_builder(ColabBuilder)
    app.connect("config-inited", choose_types)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
