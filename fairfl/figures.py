"""The look of the book's figures, and figures that a reader steps through.

A built page has no kernel: a stepper works there through the widgets' stored state and links that run in the
browser. On Colab, with ipywidgets 7, the kernel does the same work.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipywidgets import HTML, VBox
    from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart with every common colour blindness; its yellow is too pale for white paper.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def book_style() -> dict:
    """Matplotlib settings of the book: letters that a phone still shows, an opaque white ground, colours that
    everybody can tell apart (dashed from the eighth line on)."""
    from matplotlib import cycler

    count = len(COLOURS)
    return {
        "axes.axisbelow": True,
        "axes.grid": True,
        "axes.prop_cycle": cycler(color=COLOURS * 2, linestyle=["-"] * count + ["--"] * count),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlesize": "medium",
        "figure.constrained_layout.use": True,
        "figure.dpi": 135,
        "figure.facecolor": "white",
        "figure.figsize": (5.2, 3.4),
        "font.size": 11,
        "grid.alpha": 0.3,
        "legend.frameon": False,
        "lines.linewidth": 1.8,
        "savefig.dpi": 135,
        "savefig.facecolor": "white",
    }


def use_book_style() -> None:
    """Makes `book_style` the default of this process, as each chapter's first cell does."""
    import matplotlib

    matplotlib.rcParams.update(book_style())


def png(figure: Figure) -> bytes:
    """The figure as PNG, the same bytes for the same figure.

    Closes the figure, else Jupyter would show it a second time below the cell.
    """
    from matplotlib import pyplot

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    pyplot.close(figure)
    return buffer.getvalue()


def picture(figure: Figure, alt: str) -> HTML:
    """The figure as a widget with an alternative text, which ipywidgets' own Image cannot hold."""
    from ipywidgets import HTML

    if not alt.strip():
        raise ValueError("a picture needs an alternative text: say what a reader would see in it")
    data = base64.b64encode(png(figure)).decode()
    return HTML(f'<img alt="{html.escape(alt)}" style="max-width:100%" src="data:image/png;base64,{data}">')


def stepper(frames: Iterable[tuple[str, Figure, str]], label: str) -> VBox:
    """Pictures with a slider and a Play button above them.

    Args:
        frames: (name shown beside the slider, figure, alternative text), at least two.
        label: what the slider changes, e.g. "round"; one or two words.

    Raises:
        ValueError: fewer than two frames, two frames of one name, or an empty alternative text.
    """
    import ipywidgets

    frames = list(frames)
    names = [str(name) for name, _, _ in frames]
    if len(set(names)) != len(frames) or len(frames) < 2:
        raise ValueError(f"a stepper needs two or more frames of different names, not {names}")
    pictures = [picture(figure, alt) for _, figure, alt in frames]
    slider = ipywidgets.SelectionSlider(options=[(name, i) for i, name in enumerate(names)], description=label)
    if not hasattr(ipywidgets, "Stack"):  # ipywidgets 7, as on Colab: there a kernel does the work
        shown = ipywidgets.HTML(pictures[0].value)
        slider.observe(lambda change: setattr(shown, "value", pictures[change["new"]].value), "value")
        return ipywidgets.VBox([slider, shown])
    stack = ipywidgets.Stack(pictures, selected_index=0)
    play = ipywidgets.Play(min=0, max=len(frames) - 1, interval=700)
    ipywidgets.jslink((play, "value"), (slider, "index"))
    ipywidgets.jsdlink((slider, "index"), (stack, "selected_index"))
    controls = ipywidgets.HBox([play, slider], layout=ipywidgets.Layout(flex_flow="row wrap"))
    return ipywidgets.VBox([controls, stack])
