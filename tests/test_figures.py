"""The figures' look, the figure that a reader steps through, what chapters print."""

import re

import matplotlib
import pytest
import torch
from matplotlib import pyplot as plt

from fairfl import figures


def bar(height):
    figure, axes = plt.subplots(figsize=(2, 1))
    axes.bar([0], [height])
    return figure


def figure_dpi():
    """Pixels of the page to an inch of a figure."""
    return matplotlib.rcParams["figure.dpi"]


def test_a_figure_is_the_same_text():
    one, other, third = (figures.svg(bar(height)) for height in (1, 1, 2))
    assert one == other != third and one.startswith("<?xml") and "\n" not in one
    width, unit = re.search(r'<svg[^>]* width="(\d+)(\w*)"', one).groups()
    assert unit == "" and int(width) == pytest.approx(2 * figure_dpi(), rel=0.15)
    plt.close("all")


def test_many_points_are_pixels():
    figure, axes = plt.subplots()
    axes.plot([0, 1], [0, 1])
    few = figures.svg(figure)
    axes.scatter(range(figures.MANY), range(figures.MANY))
    many = figures.svg(figure)
    assert "<image" not in few and "<image" in many and len(many) < 300_000
    plt.close(figure)


def test_a_picture_closes_its_figure():
    before = plt.get_fignums()
    figures.picture(bar(1), "One bar.")
    assert plt.get_fignums() == before


def test_the_style_is_set_on_request_only():
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        assert matplotlib.rcParams["axes.spines.top"]
        figures.use_book_style()
        assert not matplotlib.rcParams["axes.spines.top"]
        colours = matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
        assert colours[0] == figures.COLOURS[0]


def test_a_picture_has_its_alternative_text_escaped():
    shown = figures.picture(bar(1), 'One bar, "high" & blue.')
    assert 'alt="One bar, &quot;high&quot; &amp; blue."' in shown.value
    assert "base64" in shown.value
    with pytest.raises(ValueError, match="needs an alternative text"):
        figures.picture(bar(1), " ")


def frames():
    return [(f"beta {k}", bar(k), f"One bar of height {k}.") for k in (1, 2, 3)]


def test_a_stepper_is_linked_without_a_kernel():
    box = figures.stepper(frames(), "beta")
    (play, slider), stack = box.children[0].children, box.children[1]
    assert [name for name, _ in slider.options] == ["beta 1", "beta 2", "beta 3"]
    assert play.max == 2
    second = ["height 2" in picture.value for picture in stack.children]
    assert second == [False, True, False]
    assert stack.selected_index == 0


def test_on_colab_the_kernel_changes_the_picture(monkeypatch):
    import ipywidgets

    monkeypatch.delattr(ipywidgets, "Stack")
    slider, shown = figures.stepper(frames(), "beta").children
    assert "height 1" in shown.value
    slider.value = 2
    assert "height 3" in shown.value


@pytest.mark.parametrize("wrong", [[], [("a", 1, "x")], [("a", 1, "x"), ("a", 2, "y")]])
def test_a_stepper_needs_frames_of_different_names(wrong):
    with pytest.raises(ValueError, match="two or more frames of different names"):
        figures.stepper(wrong, "beta")


def test_numbers_of_a_row_are_rounded():
    assert figures.decimals(torch.tensor([1, 0.126, -3.0]), 2) == "1.00  0.13  -3.00"
    assert figures.decimals((k / 3 for k in range(2)), 0) == "0  0"


_checks = check_it = check_agents = checked_sum = None  # code that is only read


class Documented:
    """What it is.

    More lines.
    """

    size = "one"

    def doubled(self, factor=2):
        """Twice."""
        _checks.whole(factor=factor)
        if factor < 0:
            raise ValueError("no")
        text = """kept"""

        if factor:
            check_it(factor)
            return factor * text
        return 2 * text


def checked(*values):
    _checks.whole(values=values)
    for value in values:
        if value < 0:
            raise ValueError("negative")
    check_agents("values", values)
    found = checked_sum(values)
    if not found:  # an empty sum
        raise ValueError("none")
    else:
        return found


def test_source_is_code_without_documentation_and_checks_at_the_margin():
    assert figures.source(checked) == """def checked(*values):
    found = checked_sum(values)
    if not found:  # an empty sum
        raise ValueError("none")
    else:
        return found
"""
    whole = figures.source(Documented)
    assert whole.startswith('class Documented:\n    size = "one"\n\n    def doubled')
    assert "Twice" not in whole and "More lines" not in whole and '"""kept"""' in whole
    assert "check_it" not in whole and "\n\n\n" not in whole
    assert figures.source(checked, checked).count("def checked") == 2


def test_source_is_shown_in_colours_with_its_place():
    shown = figures.source(Documented.doubled, checked)
    assert isinstance(shown, str) and f"{shown}".startswith("def doubled")
    text = shown._repr_markdown_()
    assert text.startswith("```python\ndef doubled") and "\n```\n\nFrom `" in text
    assert text.endswith("test_figures.py`: `checked`")
    assert "Documented.doubled`, `" in text and repr(shown) == "<Markdown>"


def test_source_of_the_library_can_still_be_read():
    from fairfl import cgsv, rewards, shapley

    for module in (cgsv, rewards, shapley):
        for function in vars(module).values():
            if getattr(function, "__module__", "") == module.__name__:
                compile(figures.source(function), module.__name__, "exec")


def test_a_table_is_markdown():
    shown = figures.table(["who", "$|x|$"], [["a|b", 1], ["c\nd", 0.5]])
    assert shown._repr_markdown_() == shown == """\
| who | $\\vert x\\vert $ |
| :--- | ---: |
| a\\|b | 1 |
| c d | 0.5 |"""
    assert repr(shown) == "<Markdown>"
    assert "| :---: | :--- |" in figures.table(["a", "b"], [], "cl")
    with pytest.raises(ValueError, match="a row of 2 cells"):
        figures.table(["a", "b"], [[1]])


def heights(ends, scale="linear", low=0.0, high=1.0):
    """Where the names of lines that end at these heights stand, from 0 to 1, and
    whether thin lines lead to them."""
    figure, axes = plt.subplots(layout="none", figsize=(5, 5), dpi=72)
    axes.set(position=(0, 0, 1, 1), yscale=scale, ylim=(low, high))
    figures.label_ends(axes, [(name, 1, y, "C0") for name, y in ends.items()])
    assert {text.get_text(): text.xy for text in axes.texts} == {
        name: (1, y) for name, y in ends.items()}
    found = {text.get_text(): (axes.transData.transform(text.xy)[1] + text.xyann[1])
             / 360 for text in axes.texts}
    led = {text.arrow_patch is not None for text in axes.texts}
    plt.close(figure)
    assert len(led) == 1
    return found, led.pop()


GAP = figures.GAP / 360


def test_names_stand_beside_their_lines_and_do_not_overlap():
    assert heights({"a": 0.3, "b": 0.5}) == (pytest.approx({"a": 0.3, "b": 0.5}), False)
    found, led = heights({"a": 0.5, "b": 0.5, "c": 0.5, "d": 0.1})
    assert found == pytest.approx({"a": 0.5 - GAP, "b": 0.5, "c": 0.5 + GAP, "d": 0.1})
    assert led
    found, led = heights({"a": 0.51, "b": 0.5})  # in the order of the lines
    assert found == pytest.approx({"b": 0.505 - GAP / 2, "a": 0.505 + GAP / 2})
    assert not led


def test_names_stand_beside_their_lines_on_a_logarithmic_scale():
    found, led = heights({"a": 1e-2, "b": 1e-1}, "log", 1e-4, 1)
    assert found == pytest.approx({"a": 0.5, "b": 0.75}) and not led


def test_names_do_not_leave_the_figure():
    found, _ = heights({"a": 0.99, "b": 1.0, "c": 0.98, "d": 0.1})
    assert found == pytest.approx(
        {"d": 0.1, "c": 1 - 2 * GAP, "a": 1 - GAP, "b": 1.0})
    assert heights({"a": 0.0, "b": 0.0})[0] == pytest.approx({"a": 0.0, "b": GAP})


def test_names_know_the_limits_of_what_was_just_drawn():
    figure, axes = plt.subplots()
    axes.plot([0, 1], [100, 300])
    figures.label_ends(axes, [("a", 1, 300, "C0")])
    assert axes.texts[0].xyann[1] == pytest.approx(0)
    plt.close(figure)
