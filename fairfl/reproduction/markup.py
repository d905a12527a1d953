"""Tables of the book's generated pages, as HTML, which notebooks and built pages both show."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from fairfl.reproduction.sources import Values

MISSING, UNDEFINED = "—", "undefined"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls in its own box where it is too wide. Texts are escaped; a line break within one stays."""

    def line(cells: Sequence[str], tag: str) -> str:
        texts = (html.escape(cell).replace("\n", "<br>") for cell in cells)
        return "<tr>" + "".join(f"<{tag}>{text}</{tag}>" for text in texts) + "</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    return ('<div style="overflow-x: auto"><table class="table">\n'
            f"<thead>{line(header, 'th')}</thead>\n<tbody>\n{body}\n</tbody></table></div>")


def folded(summary: str, inside: str, is_open: bool = False) -> str:
    """Something that a click unfolds."""
    return f"<details{' open' if is_open else ''}><summary>{html.escape(summary)}</summary>\n{inside}</details>"


def spread(values: Values, digits: int = 1) -> str:
    """Mean and standard deviation over the seeds, "97.3 ± 0.1"; a single seed has no spread."""
    known = [value for value in values.values() if not math.isnan(value)]
    if not known:
        return UNDEFINED if values else MISSING
    mean = sum(known) / len(known)
    text = f"{mean:.{digits}f}"
    if len(known) > 1:
        deviation = math.sqrt(sum((value - mean) ** 2 for value in known) / (len(known) - 1))
        text += f" ± {deviation:.{digits}f}"
    return text if len(known) == len(values) else f"{text} ({len(known)} of {len(values)} defined)"


def rounded(number: float) -> str:
    """Two digits, without an exponent from 0.0001 up: 0.0063, 1.2, 140."""
    if number == 0 or math.isnan(number):
        return "0" if number == 0 else UNDEFINED
    digits = 1 - math.floor(math.log10(abs(number)))
    return f"{number:.1e}" if abs(number) < 1e-4 else f"{round(number, digits):,.{max(digits, 0)}f}"
