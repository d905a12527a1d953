"""Theorems, proofs, exercises, solutions, quizzes and boxes in plain Markdown."""

import html
from collections.abc import Iterator
from dataclasses import replace

from docutils import nodes

from .inline import marked
from .markdown import NEW_CELL, Code, Markdown

NAMES = {"seealso": "See also"} | {name: name.capitalize() for name in (
    "note", "tip", "hint", "important", "warning", "caution", "danger", "attention",
    "error")}


def details(summary: str, text: str) -> str:
    """Folded away until a reader opens it."""
    return (f"<details>\n<summary>{html.escape(summary, quote=False)}</summary>\n\n"
            f"{text}\n\n</details>")


def summary(title) -> str:
    """A title as text; formulas stay formulas."""
    return "".join(f"${part.astext()}$" if isinstance(part, nodes.math)
                   else part.astext() for part in title.children)


def quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


class Chapter(Markdown):
    """Adds what sphinx-proof, sphinx-exercise, MyST's boxes and `teaching` give."""

    def blocks(self, node) -> Iterator:
        if node.tagname in NAMES:
            yield quoted(f"**{NAMES[node.tagname]}.** {self.text(node.children)}")
        elif hasattr(node, "attributes") and "countertype" in node.attributes:
            yield self.theorem(node)
        else:
            yield from super().blocks(node)

    def theorem(self, node) -> str:
        kind = node["realtype"].title()
        number = self.number(node, node["countertype"])
        title, *rest = node.children
        name = f"{kind} {number}".strip() + self.inline(title).rstrip()
        return quoted(f"**{name}.** {self.text(rest)}")

    def block_proof_node(self, node) -> Iterator:
        """Its first paragraph starts with the word, which the page sets apart."""
        text = self.text(node.children[0].children)
        word, _, rest = text.partition(" ")
        yield quoted(f"{marked(word, '*')} {rest} ∎")

    def block_admonition(self, node) -> Iterator:
        title, *rest = node.children
        text = self.text(rest)
        if "dropdown" in node["classes"]:
            yield details(summary(title), text)
        else:
            yield quoted(f"**{self.inline(title).strip()}**\n\n{text}")

    def block_quiz_answer(self, node) -> Iterator:
        title, *rest = node.children
        yield details(summary(title), self.text(rest))

    def block_exercise_node(self, node) -> Iterator:
        title, *rest = node.children
        yield NEW_CELL
        yield f"**{self.inline(title).strip()}**"
        yield from self.inside(rest)

    def block_exercise_enumerable_node(self, node) -> Iterator:
        title, *rest = node.children
        number = self.number(node, "exercise")
        yield NEW_CELL
        yield f"**Exercise {number}{self.inline(title).rstrip()}**"
        yield from self.inside(rest)

    def block_solution_node(self, node) -> Iterator:
        """Text folded in `<details>`. HTML cannot fold a code cell: its editor is
        closed and it has no output until it is run."""
        title, *rest = node.children
        name, text = title.astext(), []
        for block in self.inside(rest):
            if isinstance(block, Code):
                yield from self._folded(name, text)
                yield NEW_CELL
                yield f"*{name}: code, folded below. Open it, or run it.*"
                yield replace(block, folded=True)
                name, text = f"{title.astext()}, continued", []
            elif isinstance(block, str):
                text.append(block)
        yield from self._folded(name, text)

    def _folded(self, name: str, text: list[str]) -> Iterator:
        if text:
            yield details(name, "\n\n".join(text))
