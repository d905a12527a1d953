"""The figures' look, and the figure that a reader steps through."""

import matplotlib
import pytest
from matplotlib import pyplot as plt

from fairfl import figures


def bar(height):
    figure, axes = plt.subplots(figsize=(2, 1))
    axes.bar([0], [height])
    return figure


def test_a_figure_is_the_same_bytes_and_closed():
    before = plt.get_fignums()
    one, other, third = figures.png(bar(1)), figures.png(bar(1)), figures.png(bar(2))
    assert one == other != third and one.startswith(b"\x89PNG")
    assert plt.get_fignums() == before


def test_the_style_is_set_on_request_only():
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        assert matplotlib.rcParams["axes.spines.top"]
        figures.use_book_style()
        assert not matplotlib.rcParams["axes.spines.top"]
        assert matplotlib.rcParams["axes.prop_cycle"].by_key()["color"][0] == figures.COLOURS[0]


def test_a_picture_has_its_alternative_text_escaped():
    shown = figures.picture(bar(1), 'One bar, "high" & blue.')
    assert 'alt="One bar, &quot;high&quot; &amp; blue."' in shown.value and "base64" in shown.value
    with pytest.raises(ValueError, match="needs an alternative text"):
        figures.picture(bar(1), " ")


def frames():
    return [(f"beta {k}", bar(k), f"One bar of height {k}.") for k in (1, 2, 3)]


def test_a_stepper_is_linked_without_a_kernel():
    box = figures.stepper(frames(), "beta")
    (play, slider), stack = box.children[0].children, box.children[1]
    assert [name for name, _ in slider.options] == ["beta 1", "beta 2", "beta 3"] and play.max == 2
    assert ["height 2" in picture.value for picture in stack.children] == [False, True, False]
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
