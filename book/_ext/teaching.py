"""What the book adds to MyST for teaching.

* The role `xu` names a place in the paper of Xu et al. (2021) so that nobody takes it
  for one of ours: `` {xu}`eq. (4)` ``.
* The directive `quiz` holds a question and its answers, each with feedback that a
  reader opens; a page needs no JavaScript for it.
* Below a chapter's title stands where to look things up.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from textwrap import dedent

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

log = logging.getLogger(__name__)
PAPER = "in the paper of Xu et al. (2021)"
ANSWERS = range(2, 5)  # how many a quiz may have
VERDICTS = {"+": ("quiz-right", "Right."), "-": ("quiz-wrong", "Not quite.")}
LOOK_UP = {"book/notation": "Notation", "book/glossary": "Glossary",
           "genindex": "Index"}


def looked_up(found_docs, is_indexed: bool = True) -> dict[str, str]:
    """The pages to look things up in, by name, in a book of these pages."""
    return {page: title for page, title in LOOK_UP.items()
            if page in found_docs or (page == "genindex" and is_indexed)}


# --- the paper's equations, figures and tables

class xu(nodes.inline):  # noqa: N801 (docutils names nodes like this)
    """A place in the paper."""


class Xu(SphinxRole):
    def run(self):
        text = f"Xu et al., {self.text}"
        return [xu(self.rawtext, text, classes=["xu"])], []


def visit_xu(self, node) -> None:
    self.body.append(self.starttag(node, "span", "", title=PAPER))


def depart_xu(self, node) -> None:
    self.body.append("</span>")


# --- a question with answers

@dataclass
class Answer:
    mark: str
    text: str
    line: int  # of the directive's content
    feedback: list[str] = field(default_factory=list)


def answers(lines: list[str]) -> tuple[list[str], list[Answer]]:
    """The lines before the first answer, and the answers."""
    before: list[str] = []
    found: list[Answer] = []
    for number, line in enumerate(lines):
        if match := re.match(r"([-+])\s+(\S.*)", line):
            found.append(Answer(match[1], match[2].strip(), number))
        elif found:
            found[-1].feedback.append(line)
        else:
            before.append(line)
    return before, found


def quiz_faults(question: str, found: list[Answer]) -> Iterator[tuple[int, str]]:
    """Lines of the content and what is wrong with them."""
    if not question.strip():
        yield 0, "a quiz needs a question, behind {quiz}"
    if len(found) not in ANSWERS:
        yield 0, (f"a quiz needs {ANSWERS[0]} to {ANSWERS[-1]} answers, each a line "
                  f"that starts with - or +, not {len(found)}")
    right = sum(answer.mark == "+" for answer in found)
    if right != 1:
        yield 0, f"a quiz needs exactly one right answer (+), not {right}"
    for answer in found:
        if not "".join(answer.feedback).strip():
            yield answer.line, f"the answer {answer.text!r} has no feedback below it"
        elif any(line[:1].strip() for line in answer.feedback):
            yield answer.line, (f"the feedback to {answer.text!r} must be indented by "
                                "two spaces")


class quiz(nodes.container):  # noqa: N801
    """A question, then its answers."""


class quiz_answer(nodes.admonition):  # noqa: N801
    """An answer as title, its feedback below: what is folded on the page."""


class Quiz(SphinxDirective):
    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self):
        question, lines = self.arguments[0], list(self.content)
        before, found = answers(lines)
        for line, fault in quiz_faults(question, found):
            log.warning(fault, location=(self.env.docname,
                                         self.content_offset + line + 1))
        whole = quiz(classes=["quiz"])
        asked, messages = self.state.inline_text(question, self.lineno)
        whole += nodes.paragraph("", "", nodes.strong("", "", *asked),
                                 classes=["quiz-question"])
        self._parse(before, 0, whole)
        whole += [self._answer(answer) for answer in found]
        return [whole, *messages]

    def _parse(self, lines: list[str], line: int, into) -> None:
        text = StringList(dedent("\n".join(lines)).split("\n"),
                          source=self.get_source_info()[0])
        self.state.nested_parse(text, self.content_offset + line, into)

    def _answer(self, answer: Answer):
        kind, verdict = VERDICTS[answer.mark]
        node = quiz_answer(classes=["dropdown", "quiz-answer", kind])
        title, _ = self.state.inline_text(answer.text, self.lineno)
        node += nodes.title("", "", *title)
        self._parse(answer.feedback, answer.line + 1, node)
        word = [nodes.strong("", verdict), nodes.Text(" ")]
        if len(node) > 1 and isinstance(node[1], nodes.paragraph):
            node[1][:0] = word
        else:
            node.insert(1, nodes.paragraph("", "", word[0]))
        return node


def visit_quiz_answer(self, node) -> None:
    """HTML that folds by itself. The title is written here, and not again below."""
    title = node.pop(0)
    classes = [name for name in node["classes"] if name != "dropdown"]
    self.body.append(f'<details class="{" ".join(classes)}">\n<summary>')
    for child in title.children:
        child.walkabout(self)
    self.body.append('</summary>\n<div class="quiz-feedback">\n')


def depart_quiz_answer(self, node) -> None:
    self.body.append("</div>\n</details>\n")


# --- where to look things up

def add_look_up(app, doctree, docname) -> None:
    """On the pages; the builder of the plain notebooks has a line of its own."""
    if app.builder.format != "html" or not _is_chapter(app, docname):
        return
    title = next(iter(doctree.findall(nodes.title)), None)
    if title is None:
        return
    line = nodes.paragraph("", "Look up: ", classes=["look-up"])
    pages = looked_up(app.env.found_docs, app.config.html_use_index)
    for number, (page, name) in enumerate(pages.items()):
        uri = app.builder.get_relative_uri(docname, page)
        line += [nodes.Text(" · " if number else ""),
                 nodes.reference("", name, refuri=uri, internal=True)]
    if pages:
        title.parent.insert(title.parent.index(title) + 1, line)


def _is_chapter(app, docname: str) -> bool:
    return str(app.env.doc2path(docname)).endswith(".ipynb")


def connect(app) -> None:
    app.add_role("xu", Xu())
    app.add_directive("quiz", Quiz)
    app.add_node(xu, html=(visit_xu, depart_xu))
    app.add_node(quiz, html=(lambda self, node: self.visit_container(node),
                             lambda self, node: self.depart_container(node)))
    app.add_node(quiz_answer, html=(visit_quiz_answer, depart_quiz_answer))
    app.connect("doctree-resolved", add_look_up)


def setup(app):
    """For books that want this and nothing else of ours, as some tests do."""
    connect(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
