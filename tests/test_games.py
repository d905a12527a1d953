"""Closed forms against the value computed from all coalitions."""

import pytest
import torch

from fairfl import games, shapley

GAMES = {
    "additive": games.additive([1, -2.5, 0], nobody=5),
    "airport": games.airport([1, 3, 6, 3]),
    "glove 2 to 1": games.glove(2, 1),
    "glove 3 to 4": games.glove(3, 4),
    "one side only": games.glove(0, 2),
    "voting": games.voting([3, 2, 1, 0, 7], 8),
    "a quota out of reach": games.voting([1, 1], 3),
    "size scaled": games.size_scaled([1, 2, 3, -1.0], [3, 1, 2, 0.5]),
    "one agent": games.size_scaled([2.0], [3]),
}


@pytest.mark.parametrize("name", GAMES)
def test_closed_form(name):
    known = GAMES[name]
    torch.testing.assert_close(
        shapley.exact(known.game, len(known.values)), known.values
    )


def test_by_hand():
    assert games.airport([1, 3, 6]).values.tolist() == pytest.approx(
        [1 / 3, 1 / 3 + 1, 1 / 3 + 1 + 3]
    )
    assert games.glove(2, 1).values.tolist() == pytest.approx([1 / 6, 1 / 6, 2 / 3])
    assert games.voting([3, 2, 1], 4).values.tolist() == pytest.approx(
        [4 / 6, 1 / 6, 1 / 6]
    )


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: games.airport([1, -1]), "not be negative"),
        (lambda: games.glove(0, 0), "some gloves"),
        (lambda: games.voting([0.5, 1], 1), "whole numbers"),
        (lambda: games.voting([1, 1], 0), "quota must be a whole number"),
        (lambda: games.size_scaled([1, 2], [1]), "need 2 factors"),
        (lambda: games.additive([1, float("nan")]), "x must be finite numbers"),
        (lambda: games.additive([1, 1j]), "x must be real"),
        (lambda: games.additive([]), "x is empty"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
