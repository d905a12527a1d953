"""The data that a figure draws, as CSV beside its picture.

`notebooks.py` has each kernel run `install` before the chapter's first cell. A figure
then brings the type text/csv with its SVG, and so does a stepper, for all its frames.
When the pages are built, `downloads` makes files of them and links them.

One row a point. `x` and `y` are its place; `x2` and `y2` the other corner of a bar, the
other end of an arrow or piece of a line, or the other edge of a band; `value` is what a
colour says.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator

import numpy
from matplotlib import collections, colors, container, patches, quiver, ticker

HEAD = ("panel", "kind", "series", "x", "y", "x2", "y2", "value")
PIXELS = 4096  # of an image that is written number by number
KIND = "text/csv"


def _shown(value) -> str:
    """A number with six digits; text as it is."""
    return value if isinstance(value, str) else f"{float(value):.6g}"


def _names(axis) -> dict[float, str]:
    """What stands at the ticks of an axis when these are words."""
    fixed = isinstance(axis.get_major_formatter(), ticker.FixedFormatter)
    if not fixed and not hasattr(axis.get_major_formatter(), "_units"):
        return {}
    places = axis.get_majorticklocs()
    words = axis.get_major_formatter().format_ticks(places)
    return {round(float(place), 6): word for place, word in zip(places, words,
                                                                strict=True) if word}


class Panel:
    """The rows of one pair of axes."""

    def __init__(self, axes) -> None:
        self.axes = axes
        self.x, self.y = _names(axes.xaxis), _names(axes.yaxis)
        legends = [legend for legend in (axes.get_legend(), *axes.figure.legends)
                   if legend]
        self.legend = {
            self._look(handle): text.get_text() for legend in legends
            for handle, text in zip(legend.legend_handles, legend.get_texts(),
                                    strict=False)}

    @staticmethod
    def _look(artist) -> tuple:
        """What a legend tells artists apart by: their first colour, and dashes."""
        for name in ("get_color", "get_facecolor"):
            if hasattr(artist, name):
                colour = colors.to_rgba_array(getattr(artist, name)())[:1]
                dashes = getattr(artist, "get_linestyle", str)()
                return (colors.to_hex(colour[0]) if len(colour) else "", str(dashes))
        return ()

    def name(self, artist, number: int) -> str:
        """Its label, its name at the end of the line or in the legend, or a number."""
        label = str(artist.get_label())
        if label and not label.startswith("_"):
            return label
        if hasattr(artist, "get_xydata") and len(artist.get_xydata()):
            end = artist.get_xydata()[-1]
            for text in self.axes.texts:
                if hasattr(text, "xy") and numpy.allclose(
                        numpy.asarray(text.xy, float), end):
                    return text.get_text()
        return self.legend.get(self._look(artist), str(number))

    def rows(self) -> Iterator[tuple]:
        bars = {bar for group in self.axes.containers for bar in group}
        groups = [group for group in self.axes.containers
                  if isinstance(group, container.BarContainer)]
        for number, group in enumerate(groups, 1):
            yield from self._bars(group, self.name(group, number))
        lines = [line for line in self.axes.lines if line not in bars]
        for number, line in enumerate(lines, 1):
            yield from self._line(line, self.name(line, number))
        for number, artist in enumerate(self.axes.collections, 1):
            yield from self._collection(artist, self.name(artist, number))
        for patch in self.axes.patches:
            if isinstance(patch, patches.StepPatch):
                values, edges, _ = patch.get_data()
                for value, low, high in zip(values, edges, edges[1:], strict=False):
                    yield "step", self.name(patch, 1), low, value, high, value
        for number, image in enumerate(self.axes.images, 1):
            yield from self._image(image, str(number))

    def _bars(self, group, name: str) -> Iterator[tuple]:
        for bar in group:
            x, y = bar.get_xy()
            x2, y2 = x + bar.get_width(), y + bar.get_height()
            if word := self.x.get(round(float(x + x2) / 2, 6)):
                x, x2 = word, ""
            if word := self.y.get(round(float(y + y2) / 2, 6)):
                y, y2 = word, ""
            yield "bar", name, x, y, x2, y2

    def _line(self, line, name: str) -> Iterator[tuple]:
        on_x, on_y = line.get_transform().contains_branch_seperately(
            self.axes.transData)
        if not (on_x or on_y):
            return
        if not (on_x and on_y):  # a line across the panel
            x, y = line.get_xydata()[0]
            yield "level", name, x if on_x else "", y if on_y else ""
            return
        for x, y in line.get_xydata():
            yield ("line", name, self.x.get(round(float(x), 6), x),
                   self.y.get(round(float(y), 6), y))

    def _collection(self, artist, name: str) -> Iterator[tuple]:
        values = artist.get_array()
        values = None if values is None else numpy.ma.filled(
            numpy.ma.asarray(values, float), numpy.nan).ravel()
        if isinstance(artist, quiver.Quiver):
            for (x, y), u, v in zip(artist.get_offsets(), artist.U, artist.V,
                                    strict=True):
                yield "arrow", name, x, y, x + u, y + v
        elif isinstance(artist, collections.PathCollection):
            for k, (x, y) in enumerate(artist.get_offsets()):
                value = [] if values is None else [values[k]]
                yield ("point", name, self.x.get(round(float(x), 6), x),
                       self.y.get(round(float(y), 6), y), "", "", *value)
        elif isinstance(artist, collections.LineCollection):
            for piece in artist.get_segments():
                for (x, y), (x2, y2) in zip(piece, piece[1:], strict=False):
                    yield "piece", name, x, y, x2, y2
        elif isinstance(artist, collections.QuadMesh) and values is not None:
            if len(values) <= PIXELS:
                corners = artist.get_coordinates()
                first, second = corners[:-1, :-1], corners[1:, 1:]
                for a, b, value in zip(first.reshape(-1, 2), second.reshape(-1, 2),
                                       values, strict=False):
                    yield "pixel", name, *a, *b, value
        elif isinstance(artist, collections.PolyCollection):
            for path in artist.get_paths():
                yield from self._area(path.vertices, name)

    def _area(self, corners, name: str) -> Iterator[tuple]:
        """The two edges of what `fill_between` filled: its outline starts and ends
        with a corner of the second edge. Else the outline."""
        count = (len(corners) - 3) // 2
        low, high = corners[1:count + 1], corners[count + 2:-1][::-1]
        if len(low) == len(high) and numpy.array_equal(low[:, 0], high[:, 0]):
            yield from (("band", name, x, y, "", y2) for (x, y), (_, y2)
                        in zip(low, high, strict=True))
        else:
            yield from (("edge", name, x, y) for x, y in corners)

    def _image(self, image, name: str) -> Iterator[tuple]:
        pixels = numpy.ma.asarray(image.get_array(), float)
        if pixels.ndim == 2 and pixels.size <= PIXELS:
            for (row, column), value in numpy.ndenumerate(pixels.filled(numpy.nan)):
                yield "pixel", name, column, row, "", "", value


def _text(rows: Iterable[tuple], head: tuple) -> str:
    """CSV of these rows, without columns that are empty."""
    rows = [[_shown(value) for value in row] for row in rows]
    rows = [row + [""] * (len(head) - len(row)) for row in rows]
    kept = [k for k in range(len(head)) if k < 3 or any(row[k] for row in rows)]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(head[k] for k in kept)
    writer.writerows([row[k] for k in kept] for row in rows)
    return buffer.getvalue()


def _panels(figure) -> Iterator[tuple]:
    for number, axes in enumerate(figure.axes, 1):
        title = re.sub(r"\s+", " ", axes.get_title()) or str(number)
        yield from ((title, *row) for row in Panel(axes).rows())


def of_figure(figure) -> str | None:
    """All that the figure draws from data; None when that is nothing."""
    rows = list(_panels(figure))
    return _text(rows, HEAD) if rows else None


def of_stepper(box) -> str | None:
    """The same of each frame of a stepper, None for other widgets."""
    rows = [(name, *row) for name, figure in getattr(box, "frames", ())
            for row in _panels(figure)]
    return _text(rows, ("frame", *HEAD)) if rows else None


def install() -> None:
    """Has this kernel send the data of its figures along."""
    import matplotlib_inline.backend_inline  # noqa: F401 (it forgets all formats)
    from IPython import get_ipython
    from IPython.core.formatters import BaseFormatter
    from ipywidgets import VBox
    from matplotlib.figure import Figure
    from traitlets import ObjectName, Unicode

    class Formatter(BaseFormatter):
        format_type = Unicode(KIND)
        print_method = ObjectName("_repr_csv_")

    shell = get_ipython()
    formatter = Formatter(parent=shell)
    formatter.for_type(Figure, of_figure)
    formatter.for_type(VBox, of_stepper)
    shell.display_formatter.formatters[KIND] = formatter
