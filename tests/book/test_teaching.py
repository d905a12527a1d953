"""The role for places in the paper, the quiz, and the line where to look things up."""

import re

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

QUIZ = """# A demo

By {xu}`eq. (4)`.

```{quiz} Two agents upload the same $x$. What do they get?
- The first one gets everything.
  No order exists:

  $$y$$
+ The same value $v$ each.
  The value depends on the *update* only.
- Nothing.

  - They would
  - not.
```
"""


def built(folder, text: str, builder: str = "html") -> tuple[str, str]:
    """A book of this page: the page, and what Sphinx warned of."""
    (folder / "book").mkdir(parents=True)
    (folder / "index.md").write_text(
        "# Home\n```{toctree}\nbook/demo\nbook/glossary\n```")
    (folder / "book" / "glossary.md").write_text("# Glossary")
    (folder / "book" / "demo.md").write_text(text)
    log = folder / "log"
    with docutils_namespace(), log.open("w") as warnings:
        Sphinx(folder, None, folder / "out", folder / "trees", builder, status=None,
               warning=warnings, confoverrides={
                   "extensions": ["myst_nb", "teaching"],
                   "source_suffix": {".ipynb": "myst-nb", ".md": "myst-nb"},
                   "myst_enable_extensions": ["dollarmath"]}).build()
    page = next((folder / "out" / "book").glob("demo.*"))
    return page.read_text(), re.sub(r"\x1b\[[\d;]*m", "", log.read_text())


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return built(tmp_path_factory.mktemp("demo") / "book", QUIZ)


pytestmark = pytest.mark.slow


@pytest.mark.parametrize("part", [
    '<span class="xu" title="in the paper of Xu et al. (2021)">'
    "Xu et al., eq. (4)</span>",
    '<details class="quiz-answer quiz-wrong">\n<summary>The first one gets everything.'
    '</summary>\n<div class="quiz-feedback">\n<p><strong>Not quite.</strong> No order',
    '<details class="quiz-answer quiz-right">',
    "<strong>Right.</strong> The value depends on the <em>update</em> only.",
    "<p><strong>Not quite.</strong></p>\n<ul",
    '<p class="quiz-question"><strong>Two agents upload the same <span class="math',
])
def test_what_the_page_holds(demo, part):
    page, warnings = demo
    assert warnings == "" and part in page
    assert page.count("<details") == 3 and " open" not in page.split("<details")[1]


def test_without_html_the_quiz_is_text(tmp_path):
    text, warnings = built(tmp_path / "book", QUIZ, "text")
    assert "Xu et al., eq. (4)" in text and "Right." in text and warnings == ""


RIGHT, WRONG = "+ Yes.\n  So.", "- No.\n  Not so."
FAULTS = {
    "exactly one right answer (+), not 0": f"Why?\n{WRONG}\n{WRONG}",
    "exactly one right answer (+), not 2": f"Why?\n{RIGHT}\n{RIGHT}",
    "2 to 4 answers, each a line that starts with - or +, not 1": f"Why?\n{RIGHT}",
    "2 to 4 answers, each a line that starts with - or +, not 5":
        "Why?\n" + "\n".join([RIGHT, *[WRONG] * 4]),
    "the answer 'No.' has no feedback": f"Why?\n{RIGHT}\n- No.",
    "must be indented by two spaces": f"Why?\n{RIGHT}\n- No.\nNot so.",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_quiz_is_a_warning_with_its_place(tmp_path, fault):
    text = f"# A demo\n\n```{{quiz}} {FAULTS[fault]}\n```\n"
    _, warnings = built(tmp_path / "book", text)
    assert fault in warnings and re.search(r"demo\.md:\d+: WARNING: ", warnings)


def test_a_quiz_without_a_question_is_a_fault(tmp_path):
    _, warnings = built(tmp_path / "book", f"# A demo\n\n```{{quiz}}\n{RIGHT}\n```\n")
    assert "WARNING" in warnings or "ERROR" in warnings
