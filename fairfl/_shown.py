"""What chapters show as Markdown: code of the library in colours, and tables."""

import ast
import inspect
import re
from collections.abc import Callable, Iterable
from textwrap import dedent


class Shown(str):
    """A string that a notebook shows as its Markdown."""

    markdown = ""

    def __repr__(self) -> str:
        return "<Markdown>"

    def _repr_markdown_(self) -> str:
        return self.markdown


def source(*functions: Callable) -> Shown:
    """The code of functions, methods or classes without documentation and checks of
    arguments, unless that is all they are; a notebook also shows where it stands."""
    code, places = [], []
    for function in functions:
        full = dedent(inspect.getsource(function))
        text = _without(full, _is_check, _is_documentation)
        try:
            ast.parse(text)
        except SyntaxError:
            text = _without(full, _is_documentation)
        code.append(text)
        file = f"{function.__module__.replace('.', '/')}.py"
        places.append(f"`{file}`: `{function.__qualname__}`")
    shown = Shown("\n".join(code))
    shown.markdown = f"```python\n{shown}```\n\nFrom {', '.join(places)}"
    return shown


def _without(code: str, *kinds: Callable) -> str:
    """The code without statements of these kinds."""
    dropped = {number for node in ast.walk(ast.parse(code))
               if isinstance(node, ast.stmt) and any(kind(node) for kind in kinds)
               for number in range(node.lineno, (node.end_lineno or 0) + 1)}
    text = "\n".join(line for number, line in enumerate(code.splitlines(), 1)
                     if number not in dropped)
    text = re.sub(r"\n{3,}", "\n\n", text)
    return re.sub(r"(:(?: *#.*)?\n)\n(?! *(?:def|class|@))", r"\1", text).strip() + "\n"


def _is_documentation(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_check(node: ast.stmt) -> bool:
    """Whether all that a statement does is to refuse arguments."""
    if isinstance(node, ast.If | ast.For):
        return not node.orelse and all(
            isinstance(part, ast.Raise) or _is_check(part) for part in node.body)
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and bool(re.search(
        r"^(_checks|_inputs)\.|(^|\.)_?check(_\w+)?$", ast.unparse(call.func)))


def table(header: Iterable, rows: Iterable[Iterable], align: str = "") -> Shown:
    """A table. `align` has a letter for each column, l, r or c; without it the first is
    at the left and the others at the right."""
    marks = {"l": ":---", "r": "---:", "c": ":---:"}
    head, *body = ([re.sub(r"(?<!\\)\|", r"\\|", re.sub(
        r"\$[^$]*\$", lambda maths: maths[0].replace("|", r"\vert "),
        " ".join(str(cell).split()))) for cell in row] for row in (header, *rows))
    if wrong := [row for row in body if len(row) != len(head)]:
        raise ValueError(f"a row of {len(head)} cells is needed, not {wrong[0]}")
    rule = [marks[letter] for letter in align or "l" + "r" * (len(head) - 1)]
    shown = Shown("\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *body)))
    shown.markdown = str(shown)
    return shown
