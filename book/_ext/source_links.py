"""The line below code that `figures.source` shows: its file leads to the source.

On a page to the library's code in the book when there is such a page, else to the
repository when it is public; in a plain notebook to the repository.
"""

import re

from docutils import nodes
from repository import repository
from sphinx.util.osutil import relative_uri

LINE = re.compile(r"From (?:fairfl|book)/[\w/]+\.py: ")
FILE = re.compile(r"`((?:fairfl|book)/[\w/]+\.py)`(?=: `)")


def in_repository(file: str) -> str:
    """The address of a file of the project, "" for none."""
    url, branch = repository()
    return f"{url}/blob/{branch}/{file}" if url else ""


def in_book(app, docname: str, file: str, name: str) -> str:
    """The address of code on a page of the book, from another page; "" for none."""
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    viewed = getattr(app.env, "_viewcode_modules", {}).get(module)
    if not viewed:
        return ""
    target = app.builder.get_target_uri(f"_modules/{module.replace('.', '/')}")
    place = f"#{name}" if name in viewed[2] else ""
    return relative_uri(app.builder.get_target_uri(docname), target) + place


def link(app, doctree, docname) -> None:
    if app.builder.format != "html":
        return
    for line in doctree.findall(nodes.paragraph):
        if not LINE.match(line.astext()):
            continue
        line["classes"].append("source-of")
        words = list(line.findall(nodes.literal))
        for file, name in zip(words[::2], words[1::2], strict=False):
            path = file.astext()
            uri = in_book(app, docname, path, name.astext()) or in_repository(path)
            if uri:
                line.replace(file, nodes.reference("", "", file.deepcopy(),
                                                   refuri=uri, internal=True))


def linked(text: str) -> str:
    """The Markdown of an output with links to the repository, when there is one."""
    return FILE.sub(lambda found: f"[{found[0]}]({in_repository(found[1])})"
                    if in_repository(found[1]) else found[0], text)


def connect(app) -> None:
    app.connect("doctree-resolved", link)
