"""The Shapley value of games whose values are known."""

import numpy as np
import pytest
import torch

from fairfl import shapley
from fairfl.randomness import generator


def table(game, n):
    return torch.tensor([float(game(row.nonzero().flatten().tolist())) for row in shapley.coalitions(n)]).double()


def test_coalitions_are_bitmasks():
    assert shapley.coalitions(2).tolist() == [[False, False], [True, False], [False, True], [True, True]]


def test_the_glove_game():
    # Two left gloves and a right one: a pair is worth 1. The right glove is scarce and gets 2/3.
    game = table(lambda s: 2 in s and len(s) > 1, 3)
    assert shapley.exact(game).tolist() == pytest.approx([1 / 6, 1 / 6, 2 / 3])


def test_the_airport_game():
    # A runway for planes that need 1, 3 and 6: each stretch is shared by those who need it.
    game = table(lambda s: max([(1, 3, 6)[i] for i in s], default=0), 3)
    assert shapley.exact(game).tolist() == pytest.approx([1 / 3, 1 / 3 + 1, 1 / 3 + 1 + 3])


def test_weighted_voting():
    # Votes 3, 2, 1 and a quota of 4: agent 0 is pivotal in 4 of 6 orders.
    game = table(lambda s: sum((3, 2, 1)[i] for i in s) >= 4, 3)
    assert shapley.exact(game).tolist() == pytest.approx([4 / 6, 1 / 6, 1 / 6])


def test_what_nobody_is_worth_is_not_shared_out():
    game = table(lambda s: 5 + sum((1, 2)[i] for i in s), 2)
    assert shapley.exact(game).tolist() == pytest.approx([1, 2])


def test_one_agent_and_more_agents_than_a_block():
    assert shapley.exact(torch.tensor([1.0, 4.0])).tolist() == [3]
    weights = torch.randn(18, generator=generator(0, "additive"), dtype=torch.float64)
    additive = 2.0 + shapley.additive(weights)
    torch.testing.assert_close(shapley.exact(additive), weights)
    assert shapley.exact(additive.numpy()) == pytest.approx(weights.numpy())


def test_linearity():
    one, two = torch.randn(2, 32, generator=generator(0, "games"), dtype=torch.float64)
    torch.testing.assert_close(shapley.exact(one + 3 * two), shapley.exact(one) + 3 * shapley.exact(two))


@pytest.mark.parametrize("values", [np.ones(3), np.ones(1), np.ones((2, 2))])
def test_tables_of_another_length_are_refused(values):
    with pytest.raises(ValueError, match="table"):
        shapley.exact(values)
