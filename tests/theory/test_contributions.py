"""Pure equilibria of games whose equilibria are known, and of alike agents."""

from itertools import combinations_with_replacement, product

import pytest
import torch

from book.theory import contributions
from book.theory.contributions import brought, ends, equilibria, everywhere, regret


def game(*rows):
    """A game of two: rows of pairs."""
    return torch.tensor(rows, dtype=torch.float64).permute(2, 0, 1)


@pytest.mark.parametrize(("payoffs", "expected"), [
    (game([(3, 3), (0, 5)], [(5, 0), (1, 1)]), [(1, 1)]),  # prisoner's dilemma
    (game([(4, 4), (0, 3)], [(3, 0), (3, 3)]), [(0, 0), (1, 1)]),  # stag hunt
    (game([(1, -1), (-1, 1)], [(-1, 1), (1, -1)]), []),  # matching pennies
    (game([(3, 2), (0, 0)], [(0, 0), (2, 3)]), [(0, 0), (1, 1)]),  # battle of the sexes
    (game([(0, 0), (0, 0)], [(0, 0), (0, 0)]),  # nobody cares
     list(product(range(2), repeat=2))),
    # two options against three: the first has a dominant one, (2, 0, 1) answers it
    (game([(2, 1), (2, 3), (3, 2)], [(1, 9), (0, 0), (2, 1)]), [(0, 1)]),
])
def test_the_equilibria_of_games_of_two_are_the_known_ones(payoffs, expected):
    assert equilibria(payoffs) == expected


def test_regret_is_what_the_one_gains_who_gains_most_by_leaving():
    dilemma = game([(3, 3), (0, 5)], [(5, 0), (1, 1)])
    assert regret(dilemma).tolist() == [[2, 1], [1, 0]]
    other = game([(3, 3), (0, 5)], [(8, 0), (1, 1)])  # only the first gains 5
    assert regret(other)[0, 0] == 5
    both = torch.stack([dilemma, other], 1)  # two games at a time
    assert torch.equal(regret(both), torch.stack([regret(dilemma), regret(other)]))
    with pytest.raises(ValueError, match="2 agents need 2 dimensions"):
        regret(torch.zeros(2, 3))


@pytest.mark.parametrize("options", [(2, 3), (4, 4), (2, 3, 2), (2, 2, 2, 3)])
def test_equilibria_of_random_games_are_those_that_nobody_leaves(options):
    """Small whole numbers, so that ties are frequent; every profile by its words."""
    generator, number = torch.Generator().manual_seed(len(options)), set()
    for _ in range(20):
        payoffs = torch.randint(0, 6, (len(options), *options), generator=generator)
        found = []
        for profile in product(*map(range, options)):
            others = [[(*profile[:i], own, *profile[i + 1:]) for own in range(most)]
                      for i, most in enumerate(options)]
            if all(payoffs[i][profile] >= payoffs[i][other]
                   for i, choices in enumerate(others) for other in choices):
                found.append(profile)
        assert equilibria(payoffs.double()) == found
        number.add(len(found))
    assert len(number) > 2  # games with none, one and several


@pytest.mark.parametrize(("factor", "brings"), [(0.4, 0), (1.2, 3)])
def test_public_goods_of_three(factor, brings):
    """Each of three brings 0 to 3 of its own and gets `factor` times the sum: nobody
    brings anything below 1, everybody all above; all is best for all above 1/3."""
    n = brought((0, 1, 2, 3), 3)
    payoffs = 3 - n + factor * n.sum(0)
    assert equilibria(payoffs) == [(brings,) * 3]
    end = ends(payoffs, n, contributions.ascending(4, 3))
    assert end.number == 1 and end.brings == brings
    assert end.least == (1 if brings == 0 else 0)
    assert float(end.best) == pytest.approx(9 * factor)
    assert float(end.worst) == float(end.utility) == pytest.approx(
        3 - brings + 3 * factor * brings)


def test_who_bears_other_costs_brings_other_amounts():
    """Own gain 4, 7, 8 of 1, 2, 3; with marginal costs .5, 2 and 9 they bring all, two
    and nothing, whatever the others do."""
    n = brought((0, 1, 2, 3), 3)
    gain = torch.tensor([0.0, 4, 7, 8], dtype=torch.float64)
    cost = torch.tensor([0.5, 2, 9], dtype=torch.float64)[:, None, None, None]
    assert equilibria(gain[n.long()] - cost * n + n.sum(0) % 2 * 0) == [(3, 2, 0)]


def test_of_alike_agents_an_ascending_profile_says_all():
    taken = torch.tensor([[10.0, 14], [1, 2], [5, 9]])  # (0, 0), (0, 1), (1, 1)
    found = everywhere(taken, 2)
    assert found[0].tolist() == [[12, 1], [2, 7]]
    assert found[1].tolist() == [[12, 2], [1, 7]]
    several = everywhere(torch.stack([taken, 2 * taken]), 2)
    assert torch.equal(several[:, 1], 2 * found)
    with pytest.raises(ValueError, match="3 ascending profiles, not 4"):
        everywhere(torch.zeros(4, 2), 2)


def test_what_is_expanded_is_what_was_given():
    profiles = list(combinations_with_replacement(range(3), 3))
    mine = lambda own, others: 7.0 * own + own * sum(others) ** 2  # noqa: E731
    taken = torch.tensor([[mine(p[i], p[:i] + p[i + 1:]) for i in range(3)]
                          for p in profiles])
    found = everywhere(taken, 3)
    for p in product(range(3), repeat=3):
        for i in range(3):
            assert found[i][p] == mine(p[i], p[:i] + p[i + 1:])


def test_a_game_without_equilibria_has_no_end():
    pennies = game([(1, -1), (-1, 1)], [(-1, 1), (1, -1)])
    end = ends(pennies, brought((1, 2), 2), torch.ones(2, 2, dtype=torch.bool))
    assert end.number == 0 and end.best == 0
    assert all(value.isnan() for value in (end.brings, end.least, end.utility,
                                           end.worst))


def test_profiles_that_differ_in_who_is_who_count_once():
    hawks = game([(0, 0), (3, 1)], [(1, 3), (2, 2)])  # one gives way
    assert equilibria(hawks) == [(0, 1), (1, 0)]
    end = ends(hawks, brought((5, 9), 2), contributions.ascending(2, 2))
    assert end.number == 1 and end.brings == 7 and end.least == 0.5
    assert end.utility == 2 and end.best == 2


def test_of_two_equilibria_the_mean_and_the_worst():
    stag = game([(4, 4), (0, 3)], [(3, 0), (3, 3)])  # (0, 0) gives 4, (1, 1) gives 3
    end = ends(stag, brought((2, 6), 2), contributions.ascending(2, 2))
    assert (end.number, end.brings, end.least) == (2, 4, 0.5)
    assert (end.utility, end.worst, end.best) == (3.5, 3, 4)
