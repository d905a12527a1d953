"""Records of a run: in, out, and damaged."""

import json
from types import SimpleNamespace

import pytest
import torch

from fairfl.history import History


def recorded():
    history = History(("1", "2"))
    for t in (1, 2, 3):
        seen = {
            "r": torch.tensor([0.1 * t, 1 - 0.1 * t], dtype=torch.float64),
            "q": torch.tensor([t, 9]),
        }
        if t != 2:
            seen["loss"] = torch.tensor(float("nan") if t == 1 else 0.5)
        history.add(SimpleNamespace(t=t), seen)
    return history


def test_series_and_their_rounds():
    history = recorded()
    assert history["q"].tolist() == [[1, 9], [2, 9], [3, 9]]
    assert history.rounds("loss").tolist() == [1, 3]
    assert history.names == ("r", "q", "loss")
    with pytest.raises(KeyError, match="recorded are r, q, loss"):
        history["psi"]


def test_what_is_recorded_does_not_follow_its_source():
    history, r = History(("1",)), torch.ones(1)
    history.add(SimpleNamespace(t=1), {"r": r})
    r.zero_()
    assert history["r"].tolist() == [[1.0]]


def test_json_and_back():
    history = recorded()
    plain = json.loads(json.dumps(history.to_dict(), allow_nan=False))
    again = History.from_dict(plain)
    assert again.keys == history.keys and again.names == history.names
    assert torch.equal(again["r"], history["r"]) and torch.equal(
        again["q"], history["q"]
    )
    assert again["q"].dtype == torch.int64
    assert again["loss"].isnan().tolist() == [True, False] and again["loss"][1] == 0.5
    assert again.rounds("loss").tolist() == [1, 3]


def test_infinite_values_have_words_in_json():
    history = History(("1", "2"))
    inf = float("inf")
    history.add(SimpleNamespace(t=1), {"loss": torch.tensor([inf, 1.0]), "gap": -inf})
    history.add(
        SimpleNamespace(t=2), {"loss": torch.tensor([float("nan"), 2]), "gap": 3}
    )
    for digits in (None, 3):
        plain = json.loads(json.dumps(history.to_dict(digits), allow_nan=False))
        assert plain["series"]["loss"]["values"] == [["inf", 1.0], [None, 2.0]]
        again = History.from_dict(plain)
        assert again["loss"][0].tolist() == [inf, 1] and again["loss"][1, 0].isnan()
        assert (
            again["gap"].tolist() == [-inf, 3] and again["gap"].dtype == torch.float64
        )


def test_a_part():
    part = recorded().until(1)
    assert part["r"].shape == (1, 2) and part.rounds("loss").tolist() == [1]


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.pop("agents"),
        lambda d: d["series"]["r"]["rounds"].pop(),
        lambda d: d["series"]["r"]["values"].append("x"),
        lambda d: d.update(series=None),
    ],
)
def test_damaged_dictionaries_are_refused(damage):
    plain = recorded().to_dict()
    damage(plain)
    with pytest.raises(ValueError, match="not the dictionary of a history"):
        History.from_dict(plain)
