"""A document that Sphinx has read and resolved, as Markdown that needs no Sphinx.

Blocks come as text, as `Code`, the place of a code cell, or as `NEW_CELL`, where a
Markdown cell ends.
"""

import base64
import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes

from .inline import Inline

NEW_CELL = object()
LANGUAGES = {"ipython3": "python", "default": "", "none": "", "myst-ansi": ""}


@dataclass(frozen=True)
class Code:
    """The place of code cell `index` of the chapter; `folded` in a solution."""

    index: int
    folded: bool = False


def indented(text: str, mark: str) -> str:
    """The text as a list item: the mark, then all lines below its first letter."""
    first, *rest = text.split("\n")
    rest = [" " * len(mark) + line if line else "" for line in rest]
    return "\n".join([mark + first, *rest])


class Markdown(Inline):
    """Writes the blocks of one document.

    `number(node, kind)` gives the number that its page shows ("" for none), and
    `source` is the folder of the sources, for pictures.
    """

    def __init__(self, number, link, source: Path) -> None:
        super().__init__(link)
        self.number, self.source = number, source

    def blocks(self, node) -> Iterator:
        if isinstance(node, nodes.Invisible):
            return
        if write := getattr(self, f"block_{node.tagname}", None):
            yield from write(node)
        elif isinstance(node, nodes.TextElement):
            yield from filter(None, [self.inline(node).strip()])
        else:
            yield from self.inside(node.children)

    def inside(self, children) -> Iterator:
        for child in children:
            yield from self.blocks(child)

    def text(self, children) -> str:
        """The blocks as one text, where no code cell can stand."""
        return "\n\n".join(block for block in self.inside(children)
                           if isinstance(block, str))

    def block_title(self, node) -> Iterator:
        level, above = 0, node.parent
        while above is not None:
            level += isinstance(above, nodes.section) and any(
                isinstance(child, nodes.title) for child in above.children)
            above = above.parent
        yield NEW_CELL
        yield f"{'#' * level} {' '.join(self.inline(node).split())}"

    def block_rubric(self, node) -> Iterator:
        yield f"**{self.inline(node)}**"

    def block_transition(self, node) -> Iterator:
        yield "---"

    def block_bullet_list(self, node) -> Iterator:
        yield self._list(node, ["- "] * len(node.children))

    def block_enumerated_list(self, node) -> Iterator:
        start = node.get("start", 1)
        yield self._list(node, [f"{start + i}. " for i in range(len(node.children))])

    def _list(self, node, marks: list[str]) -> str:
        items = [self.text(item.children) for item in node.children]
        gap = "\n\n" if any("\n\n" in item for item in items) else "\n"
        return gap.join(map(indented, items, marks))

    def block_definition_list(self, node) -> Iterator:
        items = []
        for item in node.findall(nodes.definition_list_item):
            *terms, definition = item.children
            head = ", ".join(self.inline(term).strip() for term in terms)
            items.append(indented(f"**{head}**: {self.text(definition.children)}",
                                  "- "))
        yield "\n".join(items)

    def block_block_quote(self, node) -> Iterator:
        yield "\n".join(f"> {line}".rstrip()
                        for line in self.text(node.children).split("\n"))

    def block_literal_block(self, node) -> Iterator:
        text = node.astext().rstrip("\n")
        fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
        language = node.get("language", "")
        yield f"{fence}{LANGUAGES.get(language, language)}\n{text}\n{fence}"

    def block_math_block(self, node) -> Iterator:
        """On one line: the marks of a quotation or a list would stand in a formula of
        several."""
        formula = " ".join(node.astext().split())
        number = self.number(node, "displaymath") if node.get("label") else ""
        tag = rf" \tag{{{number}}}" if number else ""
        yield f"$${formula}{tag}$$"

    def block_table(self, node) -> Iterator:
        rows = [[self._entry(entry) for entry in row.children]
                for row in node.findall(nodes.row)]
        title = next((self.inline(child) for child in node.children
                      if isinstance(child, nodes.title)), "")
        if title:
            yield self.captioned("Table", self.number(node, "table"), title)
        head, *body = rows
        lines = [head, ["---"] * len(head), *body]
        yield "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def _entry(self, node) -> str:
        """A cell of a table; in a formula a bar is written as a command."""
        text = "<br>".join(" ".join(self.text([child]).split())
                           for child in node.children)
        text = re.sub(r"\$[^$]+\$", lambda found: re.sub(
            r"(?<!\\)\|", r"\\vert ", found[0].replace(r"\|", r"\Vert ")), text)
        return re.sub(r"(?<!\\)\|", r"\\|", text)

    def block_image(self, node) -> Iterator:
        yield self.inline_image(node)

    def inline_image(self, node) -> str:
        """The picture itself, so that a notebook needs no other file."""
        alt, uri = node.get("alt", ""), node["uri"]
        if "://" not in uri:
            kind = mimetypes.guess_type(uri)[0]
            data = base64.b64encode((self.source / uri).read_bytes()).decode()
            uri = f"data:{kind};base64,{data}"
        return f"![{alt}]({uri})"

    def block_figure(self, node) -> Iterator:
        for child in node.children:
            if isinstance(child, nodes.caption):
                yield self.caption(node)
            else:
                yield from self.blocks(child)

    def caption(self, figure) -> str:
        text = next(self.inline(child) for child in figure.children
                    if isinstance(child, nodes.caption))
        return self.captioned("Fig.", self.number(figure, "figure"), text)

    def captioned(self, kind: str, number: str, text: str) -> str:
        return f"**{f'{kind} {number}'.strip()}.** {text.strip()}"

    def block_raw(self, node) -> Iterator:
        """HTML without its scripts, which Markdown cells do not run."""
        text = re.sub(r"<script.*?</script>", "", node.astext(), flags=re.S).strip()
        if "html" in node.get("format", "") and text:
            yield text

    def block_container(self, node) -> Iterator:
        """A code cell, followed by the captions of its figures; or any group."""
        if node.get("nb_element") == "cell_code":
            yield Code(node["cell_index"])
            for figure in node.findall(nodes.figure):
                yield self.caption(figure)
        else:
            yield from self.inside(node.children)
