"""What the book's chapters show: the look of figures, figures that a reader steps
through, rows of numbers, and the library's code.

A built page has no kernel: a stepper works there through the widgets' stored state and
links that run in the browser. On Colab, with ipywidgets 7, the kernel does the work.
"""

import base64
import html
import io
import re
import sys
from collections.abc import Iterable
from statistics import fmean
from typing import TYPE_CHECKING

from fairfl._shown import source as source
from fairfl._shown import table as table

if TYPE_CHECKING:
    from ipywidgets import HTML, VBox
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart with every common colour blindness; its yellow is
# too pale for white paper.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MANY = 4000  # numbers that a figure draws one by one
GAP = 11.5  # points from a name at a line's end to the next


def decimals(values: Iterable, digits: int) -> str:
    """Numbers for a printed row, each with this many decimals."""
    return "  ".join(f"{float(value):.{digits}f}" for value in values)


def book_style() -> dict:
    """Matplotlib settings of the book: letters that a phone still shows, an opaque
    white ground, colours that everybody can tell apart (dashed from the eighth on)."""
    from matplotlib.rcsetup import cycler

    lines = ["-"] * len(COLOURS) + ["--"] * len(COLOURS)
    return {
        "axes.axisbelow": True, "axes.grid": True,
        "axes.prop_cycle": cycler(color=COLOURS * 2, linestyle=lines),
        "axes.spines.right": False, "axes.spines.top": False,
        "axes.titlesize": "medium",
        "figure.constrained_layout.use": True,
        "figure.dpi": 135, "figure.facecolor": "white", "figure.figsize": (5.2, 3.4),
        "font.size": 11, "grid.alpha": 0.3,
        "legend.frameon": False, "lines.linewidth": 1.8,
        "savefig.dpi": 135, "savefig.facecolor": "white",
    }


def use_book_style() -> None:
    """Makes `book_style` the default, and figures of a notebook SVG, as each chapter's
    first cell does."""
    import matplotlib

    matplotlib.rcParams.update(book_style())
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell and hasattr(shell, "kernel"):
        import matplotlib_inline.backend_inline  # noqa: F401 (it would choose PNG later)
        from matplotlib.figure import Figure

        formatters = shell.display_formatter.formatters
        formatters["image/png"].pop(Figure, None)
        formatters["image/svg+xml"].for_type(Figure, svg)


def label_ends(axes: "Axes", lines: Iterable[tuple[str, float, float, str]]) -> None:
    """Names at the right ends of lines, as near to them as they can be without
    overlapping or leaving the figure; where one has to move, thin lines lead to them.

    `lines` are (name, x, y, colour), x and y of the last point. Call it when the axes
    have their scales and limits.
    """
    axes.get_ylim()  # else what was drawn last may not be in the limits yet
    points = 72 / axes.figure.dpi  # a pixel's
    low, high = (y * points for y in axes.transAxes.transform([(0, 0), (0, 1)])[:, 1])
    ends = sorted((float(axes.transData.transform(line[1:3])[1]) * points, *line)
                  for line in lines)
    blocks: list[list[float]] = []  # names that touch; in each, heights without gaps
    for k, (end, *_) in enumerate(ends):
        blocks.append([end - k * GAP])
        while len(blocks) > 1 and fmean(blocks[-2]) > fmean(blocks[-1]):
            above = blocks.pop()
            blocks[-1] += above
    bases = [fmean(block) for block in blocks for _ in block]
    top = high - (len(ends) - 1) * GAP
    shifts = [max(min(base, top), low) + k * GAP - ends[k][0]
              for k, base in enumerate(bases)]
    far = any(abs(shift) > GAP / 2 for shift in shifts)
    for shift, (_, name, x, y, colour) in zip(shifts, ends, strict=True):
        lead = {"arrowstyle": "-", "color": colour, "linewidth": 0.6,
                "relpos": (0, 0.5), "shrinkA": 1, "shrinkB": 1}
        axes.annotate(name, (x, y), xytext=(14 if far else 4, shift),
                      textcoords="offset points", color=colour, va="center", fontsize=9,
                      annotation_clip=False, arrowprops=lead if far else None)


def svg(figure: "Figure") -> str:
    """The figure as SVG, the same text for the same figure. Images in it, and what has
    more than `MANY` numbers, are pixels, two to a pixel of the page."""
    from matplotlib import rc_context
    from numpy import size

    def numbers(artist) -> int:
        return max(size(getattr(artist, what, list)())
                   for what in ("get_xdata", "get_offsets", "get_array"))

    for artist in figure.findobj(lambda artist: numbers(artist) > MANY):
        artist.set_rasterized(True)
    buffer, pixels = io.StringIO(), figure.dpi / 72
    with rc_context({"svg.hashsalt": "fairfl"}):
        figure.savefig(buffer, format="svg", dpi=2 * figure.dpi, bbox_inches="tight",
                       metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = re.sub(r"<!--.*?-->|\n", " ", buffer.getvalue())
    text = re.sub(r' d="[^"]+', lambda d: re.sub(r"(\.\d\d)\d+", r"\1", d[0]), text)
    return re.sub(r'(width|height)="([\d.]+)pt"', lambda size: (
        f'{size[1]}="{float(size[2]) * pixels:.0f}"'), text, count=2)


def picture(figure: "Figure", alt: str) -> "HTML":
    """The figure as a widget with an alternative text, which ipywidgets' own Image
    cannot hold."""
    from ipywidgets import HTML
    from matplotlib import pyplot

    if not alt.strip():
        raise ValueError("a picture needs an alternative text that says what one sees")
    data = base64.b64encode(svg(figure).encode()).decode()
    pyplot.close(figure)  # else Jupyter would show it a second time below the cell
    return HTML(f'<img alt="{html.escape(alt)}" style="max-width:100%" '
                f'src="data:image/svg+xml;base64,{data}">')


def stepper(frames: Iterable[tuple[str, "Figure", str]], label: str) -> "VBox":
    """Pictures with a slider and a Play button above them.

    Args:
        frames: two or more (name shown beside the slider, figure, alternative text);
            ValueError if there are fewer, two of one name, or an empty text.
        label: what the slider changes, e.g. "round"; one or two words.
    """
    import ipywidgets

    frames = list(frames)
    names = [str(name) for name, _, _ in frames]
    if len(set(names)) != len(frames) or len(frames) < 2:
        raise ValueError("a stepper needs two or more frames of different names, "
                         f"not {names}")
    pictures = [picture(figure, alt) for _, figure, alt in frames]
    options = [(name, i) for i, name in enumerate(names)]
    slider = ipywidgets.SelectionSlider(options=options, description=label)
    if not hasattr(ipywidgets, "Stack"):  # ipywidgets 7, as on Colab: there is a kernel
        shown = ipywidgets.HTML(pictures[0].value)

        def change(event):
            shown.value = pictures[event["new"]].value

        slider.observe(change, "value")
        return ipywidgets.VBox([slider, shown])
    stack = ipywidgets.Stack(pictures, selected_index=0)
    play = ipywidgets.Play(min=0, max=len(frames) - 1, interval=700)
    ipywidgets.jslink((play, "value"), (slider, "index"))
    ipywidgets.jsdlink((slider, "index"), (stack, "selected_index"))
    controls = ipywidgets.HBox([play, slider], layout={"flex_flow": "row wrap"})
    box = ipywidgets.VBox([controls, stack])
    box.frames = [(name, figure) for name, figure, _ in frames]  # for their data
    return box
