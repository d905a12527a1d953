"""Text of a line, as nodes of docutils, in plain Markdown."""

import re

from docutils import nodes

# What would be Markdown, mathematics or HTML if it stood as it is
SPECIAL = re.compile(r"[\\`*\[\]<$]|(?<!\w)_|_(?!\w)|&(?=#?\w+;)|~(?=~)")
# What would start a list, a heading or a quotation
OPENING = re.compile(r"^([ \t]*)(?:([-+#>])|(\d+)([.)]))(?=\s)", re.MULTILINE)


def escaped(text: str) -> str:
    text = SPECIAL.sub(lambda found: "\\" + found[0], text)
    return OPENING.sub(lambda found: f"{found[1]}\\{found[2]}" if found[2]
                       else f"{found[1]}{found[3]}\\{found[4]}", text)


def literal(text: str) -> str:
    """Code in a line; its fence is longer than any in it."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{text}{space}{fence}"


def marked(text: str, mark: str) -> str:
    """Emphasis; spaces at its ends go outside, where Markdown wants them."""
    inner = text.strip()
    if not inner:
        return text
    start, end = text.split(inner, 1)
    return f"{start}{mark}{inner}{mark}{end}"


class Inline:
    """Writes the inside of paragraphs; `link(reference)` gives an address, "" for
    none."""

    def __init__(self, link) -> None:
        self.link = link

    def inline(self, node) -> str:
        if isinstance(node, nodes.Text):
            return escaped(str(node))
        write = getattr(self, f"inline_{node.tagname}", self.inside_inline)
        return "" if isinstance(node, nodes.Invisible) else write(node)

    def inside_inline(self, node) -> str:
        return "".join(map(self.inline, node.children))

    def inline_emphasis(self, node) -> str:
        return marked(self.inside_inline(node), "*")

    inline_title_reference = inline_emphasis

    def inline_strong(self, node) -> str:
        return marked(self.inside_inline(node), "**")

    def inline_literal(self, node) -> str:
        return literal(node.astext())

    def inline_math(self, node) -> str:
        return f"${' '.join(node.astext().split())}$"

    def inline_superscript(self, node) -> str:
        return f"<sup>{self.inside_inline(node)}</sup>"

    def inline_subscript(self, node) -> str:
        return f"<sub>{self.inside_inline(node)}</sub>"

    def inline_raw(self, node) -> str:
        return node.astext() if "html" in node.get("format", "") else ""

    def inline_reference(self, node) -> str:
        text, address = self.inside_inline(node), self.link(node)
        return f"[{text}]({address})" if address else text

    inline_number_reference = inline_download_reference = inline_reference

    def inline_footnote_reference(self, node) -> str:
        return f"<sup>{node.astext()}</sup>"
