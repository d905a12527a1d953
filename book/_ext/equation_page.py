"""The page "Equation, code, test": the directive `equation-map`."""

import equations
from docutils import nodes
from docutils.statemachine import StringList
from equations import Mark
from repository import repository
from sphinx.util.docutils import SphinxDirective


class EquationMap(SphinxDirective):
    """A table for each chapter: what, its function, its test."""

    def run(self):
        lines: list[str] = []
        entries = equations.written()
        url, branch = repository()
        address = f"{url}/blob/{branch}" if url else ""
        for chapter in equations.chapters():
            rows = [_row(mark, entries[mark.label], address)
                    for mark in chapter.marks if mark.label in entries]
            if rows:
                lines += [f"## {chapter.title}", "",
                          "| what | code | test |", "|---|---|---|", *rows, ""]
        node = nodes.section()
        node.document = self.state.document
        text = StringList(lines, source=self.get_source_info()[0])
        self.state.nested_parse(text, self.content_offset, node, match_titles=True)
        return node.children


def _row(mark: Mark, entry: dict[str, list[str]], address: str) -> str:
    what = equations.role(mark.label)
    if mark.kind == "equation":
        what = f"equation {what}"
    elif mark.name:
        what = f"{what}, {mark.name}"
    code = "<br>".join(_code(dotted, address) for dotted in entry.get("code", []))
    test = "<br>".join(_test(name, address) for name in entry.get("test", []))
    return f"| {what} | {code} | {test} |"


def _code(dotted: str, address: str) -> str:
    if dotted.startswith(("fairfl.", "book.theory.")):
        return f"{{py:obj}}`{dotted}`"
    file = "/".join(dotted.split(".")[:-1]) + ".py"
    return f"[`{dotted}`]({address}/{file})" if address else f"`{dotted}`"


def _test(name: str, address: str) -> str:
    if name == equations.CHAPTER:
        return "checked in the chapter"
    file, _, test = name.partition("::")
    words = test.removeprefix("test_").replace("_", " ")
    where = f"`tests/{file}`"
    return (f"[{words}]({address}/tests/{file}), {where}" if address
            else f"{words}, {where}")


def connect(app) -> None:
    app.add_directive("equation-map", EquationMap)
