"""Numbers as text, and tables as HTML, which notebooks and built pages both show."""

import html
import math
import re
from collections.abc import Iterable, Sequence

MISSING, UNDEFINED = "—", "undefined"
Row = tuple[str, str, Sequence[str]]  # group, kind, one cell a column


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls in its own box where it is too wide. Texts are escaped; a
    line break within one stays."""

    def line(cells: Sequence[str], tag: str) -> str:
        return (
            "<tr>"
            + "".join(f"<{tag}>{_escaped(cell)}</{tag}>" for cell in cells)
            + "</tr>"
        )

    body = "\n".join(line(row, "td") for row in rows)
    return _box('class="table"', line(header, "th"), f"\n{body}\n")


def grouped(header: Sequence[str], rows: Sequence[Row], fold: str = "") -> str:
    """A narrow `table` whose first column spans the rows of a group.

    Args:
        rows: (group, kind, cells); rows of a group follow each other, those of the kind
            "paper" are set apart.
        fold: hide the table below this line until the reader opens it.
    """
    body, last = [], None
    for group, kind, cells in rows:
        line = "border-top: 1px solid #8888; " if group != last else ""
        tone = line + ("font-style: italic; opacity: .8; " if kind == "paper" else "")
        texts = "".join(_styled("td", text, tone) for text in (kind, *cells))
        if group != last:
            span = sum(other == group for other, _, _ in rows)
            spans = f' rowspan="{span}" scope="rowgroup"'
            texts = _styled("th", group, f"{line}vertical-align: top; ", spans) + texts
        body.append(f'<tr style="background: none">{texts}</tr>')
        last = group
    head = "".join(
        _styled("th", text, "vertical-align: bottom; ", ' scope="col"')
        for text in header
    )
    style = "font-size: .85em; white-space: nowrap; border-collapse: collapse"
    found = _box(f'style="{style}"', f"<tr>{head}</tr>", "".join(body))
    return folded(fold, found) if fold else found


def folded(summary: str, inside: str, is_open: bool = False) -> str:
    """Something that a click unfolds."""
    start = f"<details{' open' if is_open else ''}><summary>{html.escape(summary)}"
    return f"{start}</summary>\n{inside}</details>"


def escaped(text: str) -> str:
    """As HTML. Figures, tables, sections and theorems are the paper's here, and look as
    the role `xu` makes them look on the pages."""
    return PAPERS.sub(r'<span class="xu">Xu et al., \1</span>', html.escape(text))


PAPERS = re.compile(r"(?<!Xu et al\., )\b((?:Fig|Sec|eq)\. \(?\d+(?:\.\d+)*\)?"
                    r"|(?:Table|Theorem) \d+)")


def _escaped(text: str) -> str:
    return escaped(text).replace("\n", "<br>")


def _styled(tag: str, text: str, style: str, attributes: str = "") -> str:
    return (f'<{tag}{attributes} style="{style}padding: .15em .6em; text-align: '
            f'left">{_escaped(text)}</{tag}>')


def _box(attributes: str, head: str, body: str) -> str:
    return (
        f'<div style="overflow-x: auto"><table {attributes}>\n<thead>{head}</thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def spread(numbers: Iterable[float], digits: int = 1) -> str:
    """One number a seed as "97.3 ± 0.2": their mean and half their range, the mean
    alone if there is one.

    Seeds for which it is not defined (nan) are left out, and the others counted, "90 ±
    2 (2 of 3)"; "undefined" if it is so for all, a dash if there are none.
    """
    numbers = [float(number) for number in numbers]
    defined = [number for number in numbers if not math.isnan(number)]
    if not defined:
        return UNDEFINED if numbers else MISSING
    # + 0.0: no "-0"
    text = f"{round(sum(defined) / len(defined), digits) + 0.0:.{digits}f}"
    if len(defined) > 1:
        text += f" ± {(max(defined) - min(defined)) / 2:.{digits}f}"
    return (
        text
        if len(defined) == len(numbers)
        else f"{text} ({len(defined)} of {len(numbers)})"
    )


def rounded(number: float) -> str:
    """Two digits, without an exponent from 0.0001 up: 0.0063, 1.2, 140."""
    if abs(number) < 1e-12 or math.isnan(number):  # 0.1 + 0.2 - 0.3 is 0 here
        return UNDEFINED if math.isnan(number) else "0"
    digits = 1 - math.floor(math.log10(abs(number)))
    return (
        f"{number:.1e}"
        if abs(number) < 1e-4
        else f"{round(number, digits):,.{max(digits, 0)}f}"
    )
