"""Permutation sampling on games whose values are known."""

import math

import pytest
import torch

from fairfl import cgsv, games, sampling, shapley
from fairfl.randomness import generator

F64 = torch.float64


def random_game(n, seed):
    """A table of random values, some of them heavy, as a callable."""
    table = torch.randn(2**n, generator=generator(seed, "game"), dtype=F64)
    if seed % 3 == 0:
        table = table.exp() ** 2
    if seed % 3 == 1:
        table = (table > 1).double()
    table = table / table.std().clamp(min=0.1)
    bits = 2 ** torch.arange(n)
    return (lambda members: table[(members * bits).sum(1)]), shapley.exact(table)


def test_the_asked_error_is_met_in_at_least_95_percent_of_200_games():
    met = 0
    for seed in range(200):
        n = 3 + seed % 4
        game, phi = random_game(n, seed)
        target = (0.1, 0.2)[seed % 2]
        found = sampling.sampled(game, n, seed, error=target)
        assert found.error.max() <= target
        met += (found.values - phi).abs().max().item() <= target
    assert met >= 190


def test_every_permutation_adds_up_and_what_nobody_is_worth_stays():
    known = games.additive([1, 2, 3], nobody=7)
    for paired in (True, False):
        found = sampling.sampled(known.game, 3, 0, permutations=16, paired=paired)
        torch.testing.assert_close(found.values, known.values)
        assert found.error.max() < 1e-12
    game, phi = random_game(5, 2)
    found = sampling.sampled(game, 5, 0, permutations=10)
    assert found.values.sum().item() == pytest.approx(phi.sum().item())


def test_only_pairs_need_an_even_number():
    known = games.additive([1, 2, 3])
    found = sampling.sampled(known.game, 3, 0, permutations=5, paired=False)
    assert found.permutations == 5
    with pytest.raises(ValueError, match="whole number of at least 4, not 5.0"):
        sampling.sampled(known.game, 3, 0, permutations=5.0, paired=False)


def test_the_standard_error_is_the_spread_of_the_estimates():
    game, phi = random_game(5, 2)
    for paired in (True, False):
        runs = [
            sampling.sampled(game, 5, seed, permutations=200, paired=paired)
            for seed in range(200)
        ]
        spread = torch.stack([run.values for run in runs]).std(0)
        claimed = torch.stack([run.standard_error for run in runs]).mean(0)
        torch.testing.assert_close(claimed, spread, rtol=0.2, atol=0)
        assert (
            torch.stack([run.values for run in runs]).mean(0) - phi
        ).abs().max() < 4 * spread.max() / 200**0.5


def test_a_close_control_game_and_pairs_make_the_error_smaller():
    known = games.size_scaled([1, 2, 3, 4, 5.0], [1, 0.7, 0.6, 0.5, 0.45])
    noise, phi = random_game(5, 2)

    def game(members):
        return known.game(members) + 0.01 * noise(members)

    plain, paired, control = (
        sampling.sampled(game, 5, 0, permutations=400, **options).standard_error.max()
        for options in ({"paired": False}, {}, {"control": known})
    )
    assert control < 0.1 * paired and paired < plain
    truth = known.values + 0.01 * phi
    assert (
        sampling.sampled(game, 5, 0, permutations=400, control=known).values - truth
    ).abs().max() < 0.005


def test_the_same_seed_gives_the_same_and_agents_may_be_reordered():
    game, _ = random_game(4, 5)
    order = [2, 0, 3, 1]

    def reordered(members):
        back = torch.empty_like(members)
        back[:, order] = members
        return game(back)

    first = sampling.sampled(game, 4, 3, permutations=100, names="abcd")
    again = sampling.sampled(
        reordered, 4, 3, permutations=100, names=["abcd"[i] for i in order]
    )
    torch.testing.assert_close(again.values, first.values[order])
    assert not torch.equal(
        sampling.sampled(game, 4, 4, permutations=100).values, first.values
    )


def test_a_long_run_goes_on_where_a_short_one_ends(monkeypatch):
    game, _ = random_game(4, 5)
    whole = sampling.sampled(game, 4, 0, permutations=100)
    monkeypatch.setattr(sampling, "COALITIONS", 40)  # ten permutations at a time
    torch.testing.assert_close(sampling.sampled(game, 4, 0, permutations=100), whole)


def test_hoeffding_by_hand():
    assert sampling.hoeffding(0.1, 0.1, span=2) == 600  # ln(20) * 4 / 0.02 = 599.1
    assert sampling.hoeffding(0.1, 0.1, span=2, agents=10) == 1060
    assert sampling.hoeffding(0.1, 0.1, span=1) == 150


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda g: sampling.sampled(g, 3, 0), "say how many permutations"),
        (lambda g: sampling.sampled(g, 3, 0, permutations=5), "even number"),
        (lambda g: sampling.sampled(g, 3, 0, permutations=2), "at least 4"),
        (
            lambda g: sampling.sampled(g, 3, 0, permutations=20.0),
            "permutations must be an even number of at least 4, not 20.0",
        ),
        (
            lambda g: sampling.sampled(g, 3.0, 0, permutations=20),
            "agents must be a whole",
        ),
        (
            lambda g: sampling.sampled(g, 3, 0, error=math.inf),
            "error must be a positive, fin",
        ),
        (lambda g: sampling.sampled(g, 3, 0, error=-1), "error must be a positive"),
        (
            lambda g: sampling.sampled(g, 3, 0, permutations=4, names="aab"),
            "different names",
        ),
        (
            lambda g: sampling.sampled(g, 3, 0, permutations=4, confidence=1),
            "confidence",
        ),
        (
            lambda g: sampling.sampled(lambda m: m, 3, 0, permutations=4),
            "one value for each of 2 coalitions",
        ),
        (
            lambda g: sampling.sampled(lambda m: m.sum(1) / 0, 3, 0, permutations=4),
            r"value of coalition \[\]",
        ),
        (
            lambda g: sampling.sampled(
                g, 3, 0, permutations=4, control=games.additive([1])
            ),
            "control game has 1 agents",
        ),
        (lambda g: sampling.hoeffding(0.1, 0.1, 0), "span > 0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call(lambda members: members.sum(1).double())


def test_the_bound_is_the_empirical_bernstein_bound_for_all_agents():
    # With probability 1 - d a mean of n samples in an interval of length R is off by at
    # most s sqrt(2 ln(4 / d)) + 7 R ln(4 / d) / (3 (n - 1)), s its standard error
    # (Maurer and Pontil, 2009, two-sided).
    game, _ = random_game(4, 2)
    found = sampling.sampled(game, 4, 0, permutations=100, confidence=0.9, span=6.0)
    term = math.log(4 / (0.1 / 4))
    expected = found.standard_error * math.sqrt(2 * term) + 7 * 6.0 * term / (
        3 * 49
    )  # 50 pairs, four agents
    torch.testing.assert_close(found.error, expected)
    seen = sampling.sampled(game, 4, 0, permutations=100, confidence=0.9)
    assert (seen.error < found.error).all() and (
        seen.error > seen.standard_error * math.sqrt(2 * term)
    ).all()


def test_the_error_is_looked_at_after_64_permutations_twice_as_many_and_so_on():
    assert list(sampling._batches(300, 0.1, 4)) == [
        (64, True),
        (64, True),
        (128, True),
        (44, True),
    ]
    assert list(sampling._batches(300, None, 4)) == [
        (300, True)
    ]  # an error that is not asked for needs one look
    assert list(sampling._batches(100, None, 2000)) == [
        (32, False),
        (32, False),
        (32, False),
        (4, True),
    ]


def missed(kind, agents, permutations, paired, runs=100):
    """How often the error at 95 % is less than what the estimate is off by."""
    draws, missed = generator(0, kind, agents), 0
    for seed in range(runs):
        if kind == "cosines":
            gram = cgsv.gram(torch.randn(agents, 3, generator=draws, dtype=F64) + 0.5)
            found = cgsv.sampled(gram, seed, permutations, paired=paired)
            phi = cgsv.exact(gram)
        else:
            table = torch.randint(0, 2, (2**agents,), generator=draws).double()
            bits = 2 ** torch.arange(agents)

            def game(members, table=table, bits=bits):
                return table[(members * bits).sum(1)]

            found = sampling.sampled(game, agents, seed, permutations, paired=paired)
            phi = shapley.exact(table)
        missed += bool(((found.values - phi).abs() > found.error + 1e-12).any())
    return missed / runs


@pytest.mark.parametrize("kind, agents", [("cosines", 3), ("cosines", 5), ("bits", 3)])
@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("permutations", [4, 6, 8, 16])
def test_an_error_at_95_percent_holds_for_few_permutations(
    kind, agents, paired, permutations
):
    assert missed(kind, agents, permutations, paired) <= 0.05


def test_so_few_permutations_that_half_of_all_may_be_unseen_have_an_infinite_error():
    gram = cgsv.gram([[1.0, 0, 0], [1, 1, 0], [0, 1, 2]])
    for permutations in (4, 6, 8, 14):
        assert cgsv.sampled(gram, 0, permutations).error.isinf().all()
    assert cgsv.sampled(gram, 0, 16).error.isfinite().all()  # (2/3)^8 <= 5 %
    assert cgsv.sampled(gram, 0, 16, confidence=0.99).error.isinf().all()
    # a span that is known needs none of that: its bound is a theorem for any number
    assert cgsv.sampled(gram, 0, 4, control=False).error.isfinite().all()
    assert cgsv.sampled(gram, 0, error=0.1).error.max() <= 0.1
