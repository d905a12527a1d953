"""Whether the plain notebooks can be read and run away from the book: `make colab`.

A plain Markdown renderer reads each text; what only Sphinx understands must not be
left. The setup cell must know the project's address, and links must lead to something.

    python book/_ext/colab/check.py _build/colab _build/html
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
from markdown_it import MarkdownIt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from conventions import setup_source  # noqa: E402
from repository import pages, repository  # noqa: E402

RENDERER = MarkdownIt("commonmark").enable("table")
LEFT = {
    "a role": re.compile(r"\{[\w:+.-]+\}(?=`)"),
    "a colon fence": re.compile(r"^[ >]*:{3,}", re.MULTILINE),
    "a label": re.compile(r"^[ >]*\([\w.:-]+\)=[ ]*$", re.MULTILINE),
    "the label of a formula": re.compile(r"\$\$[ ]*\([\w:-]+\)"),
    "an option of a directive": re.compile(r"^[ >]*:[a-z-]+:(?:[ ]|$)", re.MULTILINE),
    "a substitution": re.compile(r"\{\{ ?\w+ ?\}\}"),
    "a comment": re.compile(r"^%", re.MULTILINE),
}
MATHS = re.compile(r"\$\$(?![ ]*\().+?\$\$(?![ ]*\()|(?<![\\$])\$[^$\n]+\$", re.DOTALL)


def leftovers(text: str) -> Iterator[str]:
    """What a plain renderer shows of the source of Sphinx, in words."""
    for token in RENDERER.parse(text):
        if token.type == "fence" and token.info.startswith("{"):
            yield f"a directive: {token.info}"
        if token.type != "inline":
            continue
        shown = "".join("`code`" if child.type == "code_inline" else
                        "\n" if child.type == "softbreak" else child.content
                        for child in token.children)
        shown = MATHS.sub("formula", shown)
        for what, pattern in LEFT.items():
            if found := pattern.search(shown):
                yield f"{what}: {shown[found.start():][:50]!r}"


def links(text: str) -> Iterator[str]:
    for token in RENDERER.parse(text):
        for child in token.children or ():
            if child.type == "link_open":
                yield str(child.attrs["href"])


def dead(link: str, path: Path, html: Path, published: str) -> bool:
    """Whether a link into the book leads nowhere; those that leave it are not tried."""
    if published and link.startswith(published):
        page, _, anchor = link.removeprefix(published).lstrip("/").partition("#")
        target = html / page
        return not target.is_file() or bool(
            anchor and f'id="{anchor}"' not in target.read_text())
    return not urlsplit(link).scheme and not (path.parent / link).is_file()


def faults(path: Path, html: Path, url: str) -> Iterator[str]:
    """Everything that keeps this notebook from being read and run alone."""
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    setup = [cell.source for cell in notebook.cells
             if "setup" in cell.metadata.get("tags", [])]
    if setup != [setup_source(url)]:
        yield f"would not find the project at {url or 'no address'}"
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            if any(output.output_type == "error" for output in cell.outputs):
                yield f"cell {number} shows an error"
            continue
        yield from (f"cell {number} holds {what}" for what in leftovers(cell.source))
        yield from (f"cell {number} has a dead link: {link}"
                    for link in links(cell.source)
                    if dead(link, path, html, pages(url)))


def main(folder: Path, html: Path) -> int:
    url, found = repository()[0], sorted(folder.glob("book/*.ipynb"))
    wrong = [f"{path.stem}: {fault}" for path in found
             for fault in faults(path, html, url)]
    print("\n".join([*wrong, f"{len(found)} plain notebooks, {len(wrong)} faults"]))
    return bool(wrong or not found)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
