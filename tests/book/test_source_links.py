"""The line below shown code leads to the source."""

import pytest
import source_links
from docutils import nodes
from docutils.utils import new_document


class App:
    """A builder of pages, with or without pages of the library's code."""

    class builder:  # noqa: N801
        format = "html"

        @staticmethod
        def get_target_uri(docname):
            return f"{docname}.html"

    def __init__(self, modules):
        self.env = type("Env", (), {"_viewcode_modules": modules})


def line(*texts):
    """The paragraph that the Markdown of `figures.source` becomes."""
    parts = [nodes.literal("", text) if k % 2 else nodes.Text(text)
             for k, text in enumerate(texts)]
    document = new_document("demo")
    document += nodes.paragraph("", "", *parts)
    return document


def targets(document):
    return [node["refuri"] for node in document.findall(nodes.reference)]


TWO = ("From ", "fairfl/rewards.py", ": ", "mask", ", ", "fairfl/data/__init__.py",
       ": ", "load")
CODE = {"fairfl.rewards": ("", {}, {"mask": "api"}, ""), "fairfl.data": False}


@pytest.mark.parametrize("url, modules, expected", [
    ("", CODE, ["../_modules/fairfl/rewards.html#mask"]),
    ("https://github.com/a/b", {}, ["https://github.com/a/b/blob/dev/fairfl/rewards.py",
                                    "https://github.com/a/b/blob/dev/fairfl/data/"
                                    "__init__.py"]),
    ("", {}, []),
])
def test_where_the_line_leads(monkeypatch, url, modules, expected):
    monkeypatch.setattr(source_links, "repository", lambda: (url, "dev"))
    document = line(*TWO)
    source_links.link(App(modules), document, "book/demo")
    assert targets(document) == expected
    assert document[0].astext() == "".join(TWO)
    assert document[0]["classes"] == ["source-of"]


def test_other_lines_stay():
    document = line("From ", "x.py", " on")
    source_links.link(App(CODE), document, "book/demo")
    assert targets(document) == [] and document[0]["classes"] == []
