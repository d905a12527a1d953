"""What the book's chapters show: the look of figures, figures that a reader steps
through, rows of numbers, and the library's code.

A built page has no kernel: a stepper works there through the widgets' stored state and
links that run in the browser. On Colab, with ipywidgets 7, the kernel does the work.
"""

import base64
import html
import inspect
import io
import re
from collections.abc import Callable, Iterable
from statistics import fmean
from textwrap import dedent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipywidgets import HTML, VBox
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart with every common colour blindness; its yellow is
# too pale for white paper.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def decimals(values: Iterable, digits: int) -> str:
    """Numbers for a printed row, each with this many decimals."""
    return "  ".join(f"{float(value):.{digits}f}" for value in values)


def source(*functions: Callable) -> str:
    """The code of functions, methods or classes without their documentation."""
    code = "\n".join(dedent(inspect.getsource(function)) for function in functions)
    return re.sub(r'\n *"""[\s\S]*?"""\n+', "\n", code)


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
    """Makes `book_style` the default, as each chapter's first cell does."""
    import matplotlib

    matplotlib.rcParams.update(book_style())


def label_ends(axes: "Axes", lines: Iterable[tuple[str, float, float, str]]) -> None:
    """Names at the right ends of lines, as near to them as they can be without
    overlapping or leaving the figure; `lines` are (name, x, y, colour), x and y of the
    last point."""
    low, high = axes.get_ylim()
    gap = 0.08 * (high - low)
    lines = sorted(lines, key=lambda line: line[2])
    blocks: list[list[float]] = []  # names that touch; in each, y without the gaps
    for k, (_, _, y, _) in enumerate(lines):
        blocks.append([y - k * gap])
        while len(blocks) > 1 and fmean(blocks[-2]) > fmean(blocks[-1]):
            above = blocks.pop()
            blocks[-1] += above
    bases = [fmean(block) for block in blocks for _ in block]
    top = high - (len(lines) - 1) * gap
    heights = [max(min(y, top), low) + k * gap for k, y in enumerate(bases)]
    for (name, x, _, colour), height in zip(lines, heights, strict=True):
        axes.annotate(name, (x, height), xytext=(4, 0), textcoords="offset points",
                      color=colour, va="center", fontsize=9, annotation_clip=False)


def png(figure: "Figure") -> bytes:
    """The figure as PNG, the same bytes for the same figure. Closes the figure, else
    Jupyter would show it a second time below the cell."""
    from matplotlib import pyplot

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    pyplot.close(figure)
    return buffer.getvalue()


def picture(figure: "Figure", alt: str) -> "HTML":
    """The figure as a widget with an alternative text, which ipywidgets' own Image
    cannot hold."""
    from ipywidgets import HTML

    if not alt.strip():
        raise ValueError("a picture needs an alternative text that says what one sees")
    data = base64.b64encode(png(figure)).decode()
    return HTML(f'<img alt="{html.escape(alt)}" style="max-width:100%" '
                f'src="data:image/png;base64,{data}">')


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
    return ipywidgets.VBox([controls, stack])
