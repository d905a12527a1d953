"""The Shapley value of games whose values are known."""

import math

import numpy as np
import pytest
import torch

from fairfl import shapley
from fairfl.randomness import generator


def table(game, n):
    return torch.tensor(
        [float(game(row.nonzero().flatten().tolist())) for row in shapley.coalitions(n)]
    ).double()


def test_coalitions_are_bitmasks():
    assert shapley.coalitions(2).tolist() == [
        [False, False],
        [True, False],
        [False, True],
        [True, True],
    ]


def test_the_glove_game():
    # Two left gloves and a right one: a pair is worth 1. The right glove is scarce and
    # gets 2/3.
    game = table(lambda s: 2 in s and len(s) > 1, 3)
    assert shapley.exact(game).tolist() == pytest.approx([1 / 6, 1 / 6, 2 / 3])


def test_the_airport_game():
    # A runway for planes that need 1, 3 and 6: each stretch is shared by those who need
    # it.
    game = table(lambda s: max([(1, 3, 6)[i] for i in s], default=0), 3)
    assert shapley.exact(game).tolist() == pytest.approx(
        [1 / 3, 1 / 3 + 1, 1 / 3 + 1 + 3]
    )


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
    torch.testing.assert_close(
        shapley.exact(one + 3 * two), shapley.exact(one) + 3 * shapley.exact(two)
    )


@pytest.mark.parametrize("values", [np.ones(3), np.ones(1), np.ones((2, 2))])
def test_tables_of_another_length_are_refused(values):
    with pytest.raises(ValueError, match="table"):
        shapley.exact(values)


@pytest.mark.parametrize(
    "table, coalition",
    [
        ([0.0, math.nan], r"\[0\] .* is nan"),
        ([0.0, math.inf, 1, 2], r"\[0\] .* is inf"),
        ([0.0, 1, 1, 1, 1, -math.inf, 0, 0], r"\[0, 2\] .* is -inf"),
        (np.array([math.nan, 0]), r"\[\] .* is nan"),
    ],
)
def test_a_table_with_a_value_that_is_none_is_refused(table, coalition):
    with pytest.raises(ValueError, match="the value of coalition " + coalition):
        shapley.exact(table)


@pytest.mark.parametrize("table", [[0, 1j], np.ma.masked_array([0.0, 1], [0, 1])])
def test_tables_that_would_lose_something_are_refused(table):
    with pytest.raises(ValueError, match="table (must be real|is a masked array)"):
        shapley.exact(table)


def test_a_game_may_be_a_function_of_coalitions():
    weights = torch.randn(18, generator=generator(0, "additive"), dtype=torch.float64)
    torch.testing.assert_close(
        shapley.exact(lambda members: 3 + members.double() @ weights, 18), weights
    )
    game = torch.randn(32, generator=generator(0, "table"), dtype=torch.float64)
    bits = 2 ** torch.arange(5)
    torch.testing.assert_close(
        shapley.exact(lambda members: game[(members * bits).sum(1)].numpy(), 5),
        shapley.exact(game),
    )


@pytest.mark.parametrize(
    "game, agents, message",
    [
        (lambda members: members.sum(1), None, "number of agents must be given"),
        (lambda members: members.sum(1), 31, "limit is 30 agents. .*limit=31 insists"),
        (lambda members: members.sum(1), 3.0, "agents must be a whole number"),
        (lambda members: members.sum(1) * 1j, 2, "what the game returns must be real"),
        (
            lambda members: members,
            2,
            r"one value for each of 4 coalitions, shape \(4,\), not \(4, 2\)",
        ),
        (
            lambda members: torch.where(members.all(1), torch.nan, 1.0),
            2,
            r"value of coalition \[0, 1\].*is nan",
        ),
    ],
)
def test_games_that_are_none_are_refused(game, agents, message):
    with pytest.raises(ValueError, match=message):
        shapley.exact(game, agents)
