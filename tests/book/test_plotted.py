"""The data of a figure as CSV: what each kind of drawing gives."""

import csv
import io

import matplotlib
import numpy as np
import plotted
import pytest
from matplotlib import pyplot as plt

from fairfl import figures

matplotlib.use("agg")


def rows(draw, **options) -> list[dict]:
    """The rows of one pair of axes with this drawing, without empty columns."""
    figure, axes = plt.subplots(**options)
    draw(axes)
    text = plotted.of_figure(figure)
    plt.close(figure)
    found = csv.DictReader(io.StringIO(text or ""))
    return [{key: value for key, value in row.items() if value} for row in found]


def row(kind, series, **numbers):
    return {"panel": "1", "kind": kind, "series": series} | numbers


def named_at_its_end(axes):
    axes.plot([0, 1], [2, 3])
    figures.label_ends(axes, [("b", 1, 3, "C0")])


KINDS = {
    "a line": (lambda axes: axes.plot([0, 1], [2, 1 / 3], label="a"),
               [row("line", "a", x="0", y="2"), row("line", "a", x="1", y="0.333333")]),
    "a line named at its end": (
        named_at_its_end, [row("line", "b", x="0", y="2"),
                           row("line", "b", x="1", y="3")]),
    "a level": (lambda axes: axes.axhline(2), [row("level", "1", y="2")]),
    "bars": (lambda axes: axes.bar([1, 2], [3, 4], width=1, label="a"),
             [row("bar", "a", x="0.5", y="0", x2="1.5", y2="3"),
              row("bar", "a", x="1.5", y="0", x2="2.5", y2="4")]),
    "bars of names": (lambda axes: axes.bar(["p", "q"], [3, 4], label="a"),
                      [row("bar", "a", x="p", y="0", y2="3"),
                       row("bar", "a", x="q", y="0", y2="4")]),
    "points": (lambda axes: axes.scatter([1], [2], c=[7]),
               [row("point", "1", x="1", y="2", value="7")]),
    "a band": (lambda axes: axes.fill_between([0, 1], [1, 2], [3, 4], label="a"),
               [row("band", "a", x="0", y="1", y2="3"),
                row("band", "a", x="1", y="2", y2="4")]),
    "an image": (lambda axes: axes.imshow([[5, 6]]),
                 [row("pixel", "1", x="0", y="0", value="5"),
                  row("pixel", "1", x="1", y="0", value="6")]),
    "a large image": (lambda axes: axes.imshow(np.ones((99, 99))), []),
    "arrows": (lambda axes: axes.quiver([1], [2], [3], [4]),
               [row("arrow", "1", x="1", y="2", x2="4", y2="6")]),
    "steps": (lambda axes: axes.stairs([5], [0, 2], label="a"),
              [row("step", "a", x="0", y="5", x2="2", y2="5")]),
    "tiles": (lambda axes: axes.pcolormesh([[8]]),
              [row("pixel", "1", x="0", y="0", x2="1", y2="1", value="8")]),
    "nothing": (lambda axes: None, []),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_rows_of(kind):
    draw, expected = KINDS[kind]
    assert rows(draw) == expected


def test_panels_are_named_by_their_titles_and_series_in_a_legend():
    def draw(axes):
        lines = axes.plot([0], [1]) + axes.plot([0], [2])
        axes.figure.legend(lines, ["one", "two"])
        axes.set_title("A\ntitle")

    found = rows(draw)
    assert [(row["panel"], row["series"]) for row in found] == [
        ("A title", "one"), ("A title", "two")]


def test_a_stepper_has_the_data_of_its_frames():
    frames = []
    for k in (1, 2):
        figure, axes = plt.subplots()
        axes.plot([k], [k], label="a")
        frames.append((f"round {k}", figure, "A point."))
    text = plotted.of_stepper(figures.stepper(frames, "round"))
    assert text == ("frame,panel,kind,series,x,y\nround 1,1,line,a,1,1\n"
                    "round 2,1,line,a,2,2\n")
