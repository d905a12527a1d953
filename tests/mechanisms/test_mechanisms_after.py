"""The mechanisms that came after, on vectors worked out by hand."""

from dataclasses import replace
from itertools import combinations, permutations
from string import ascii_lowercase

import pytest
import torch
from hand import F64, downloads, f64, normal, seen, step
from scipy.stats import f
from torch.testing import assert_close

from fairfl import cgsv
from fairfl.mechanisms import IAFL, RFFL, FedCE, Lin, ShapFed
from fairfl.mechanisms.base import Setting
from fairfl.mechanisms.lin import settled


def near(actual, *expected):
    assert_close(actual, f64(*expected), atol=1e-6, rtol=0)


def rows(*given):
    return torch.tensor(given, dtype=F64)


def shared(n, dimension, sizes, blocks=()):
    return Setting.of(tuple(ascii_lowercase[:n]), dimension, sizes, blocks=blocks)


# --- RFFL


CLIPPED = rows([3, 4, 0, 0], [0, 0.3, 0.4, 0], [0, 0, 0, 2])
FOUR = shared(3, 4, [5, 3, 2])


def test_rffl_by_hand():
    """u_N = .5 (.6, .8, 0, 0) + .3 (0, .3, .4, 0) + .2 (0, 0, 0, 1); the second update
    is shorter than Gamma and stays."""
    state, (total, reward, log) = step(RFFL(), seen(CLIPPED), setting=FOUR)
    near(total, 0.3, 0.49, 0.12, 0.2)
    near(log["psi"], 0.922461, 0.628950, 0.322539)
    near(log["r"], 0.492255, 0.335628, 0.172117)
    assert log["q"].tolist() == reward.kept.tolist() == [3, 3, 2]
    assert_close(downloads(reward), rows(
        [0.9, 1.29, 0, 0.2], [0.3, 0.79, 0.4, 0.2], [0.3, 0.49, 0, 1]))
    assert torch.equal(state["weights"], log["r"]) and state["reputable"].all()
    _, (_, reward, _) = step(RFFL(keep_own=False), seen(CLIPPED), setting=FOUR)
    assert_close(downloads(reward), rows(
        [0.3, 0.49, 0, 0.2], [0.3, 0.49, 0, 0.2], [0.3, 0.49, 0, 0]))


def test_rffl_masks_each_tensor_by_itself():
    setting = shared(3, 4, [5, 3, 2], [slice(0, 2), slice(2, 4)])
    _, (_, reward, log) = step(RFFL(keep_own=False), seen(CLIPPED), setting=setting)
    assert log["q"].tolist() == [2, 2, 2]  # one less than its size of each
    assert_close(downloads(reward), rows(*[[0, 0.49, 0, 0.2]] * 3))


def test_rffl_expels_who_falls_below_a_third_of_an_equal_share():
    """.95 (.5, .4, .1) + .05 (.8, .6, -.5) over its sum .995: the last is below 1/9."""
    r = f64(0.5, 0.4, 0.1)
    state = {"weights": r, "average": r, "reputable": torch.ones(3, dtype=torch.bool)}
    psi = f64(0.8, 0.6, -0.5)
    average, stays = RFFL().reputations(state, psi, 10)
    near(average / average.sum(), 0.517588, 0.412060, 0.070352)
    assert stays.all()  # nobody in the first ten rounds
    average, stays = RFFL().reputations(state, psi, 11)
    assert stays.tolist() == [True, True, False]
    near(average / average.sum(), 0.556757, 0.443243, 0)
    last_two = state | {"reputable": stays}
    assert RFFL(threshold=1.0).reputations(last_two, psi, 12)[1].sum() == 2
    assert RFFL(threshold=1.0).reputations(state, psi, 11)[1].sum() == 2


def test_in_rffl_the_expelled_download_nothing_and_train_on_alone():
    r = f64(0.6, 0.4, 0)
    state = {"weights": r, "average": r,
             "reputable": torch.tensor([True, True, False])}
    updates = CLIPPED.clone()
    updates[2] = updates[0]
    new, (_, reward, log) = step(RFFL(), seen(updates, t=20), state, FOUR)
    assert log["psi"][2] == log["psi"][0] > 0.5
    assert log["r"][2] == log["q"][2] == 0 and not new["reputable"][2]
    near(reward.row(2), 0.6, 0.8, 0, 0)  # its own, clipped


def test_the_threshold_of_rffl_is_a_share_of_those_who_are_left():
    r = f64(0.5, 0.4, 0.1, 0)
    state = {"average": r, "reputable": torch.tensor([True, True, True, False])}
    assert not RFFL(threshold=0.33).reputations(state, 0 * r, 11)[1][2]  # .1 < .11
    assert RFFL(threshold=0.29).reputations(state, 0 * r, 11)[1][2]  # .1 > .097


def test_a_negative_reputation_gets_nothing_and_one_without_a_sum_stays():
    against = rows([1, 0, 0, 0], [1, 0, 0, 0], [-1, 0, 0, 0])
    _, (_, reward, log) = step(RFFL(keep_own=False), seen(against),
                               setting=shared(3, 4, [1, 1, 1]))
    near(log["r"], 1, 1, -1)
    # the zeros of the sum are as large as each other, and ties are kept
    assert log["q"].tolist() == [4, 4, 0] and not reward.row(2).any()
    two = shared(2, 4, [3, 1])
    state, (_, _, log) = step(RFFL(), seen(against[1:]), setting=two)
    assert log["psi"].tolist() == [1, -1]  # the averages sum to 0
    near(state["weights"], 0.75, 0.25)


# --- FedCE


def test_fedce_by_hand():
    updates = rows([1, 0, 0], [1, 1, 0], [-1, 0, 1])
    setting = shared(3, 3, [7, 1, 1])  # sizes play no role
    state, (total, reward, log) = step(FedCE(), seen(updates), setting=setting)
    near(log["value"], 0, 0, -0.632456)
    near(log["c"], 0.275296, 0.275296, 0.449408)
    assert_close(total, log["c"] @ updates)
    assert_close(downloads(reward), total.expand(3, -1))
    state = state | {"sum": state["sum"] + 0.5, "rounds": state["rounds"] + 1}
    mean = 1 - state["sum"] / 2  # as if all were at .5 in the second round
    near(mean / mean.sum(), 0.292258, 0.292258, 0.415484)


def test_fedce_takes_the_mean_over_the_rounds_with_the_shares_of_each():
    updates = normal(4, 5)
    setting = shared(4, 5, None)
    state, (_, _, first) = step(FedCE(), seen(updates), setting=setting)
    _, (_, _, second) = step(FedCE(), seen(updates.flip(1), t=2), state, setting)
    c, total = f64(*[0.25] * 4), torch.zeros(4, dtype=F64)
    for t, (vectors, log) in enumerate([(updates, first), (updates.flip(1), second)]):
        for i in range(4):
            other = sum(c[j] * vectors[j] for j in range(4) if j != i)
            total[i] += torch.cosine_similarity(vectors[i], other, dim=0)
        c = 1 - total / (t + 1)
        c = c / c.sum()
        assert_close(log["c"], c)


def test_in_fedce_all_alike_count_alike_and_the_last_is_never_below_the_floor():
    setting = shared(3, 3, None)
    _, (_, _, log) = step(FedCE(), seen(rows(*[[1, 2, 0]] * 3)), setting=setting)
    near(log["c"], 1 / 3, 1 / 3, 1 / 3)
    near(log["value"], 1, 1, 1)
    guess = rows([1, 0, 0], [0, 1, 0], [0.5**0.5, 0.5**0.5, 0])  # of after.md, sec. 7
    _, (_, _, log) = step(FedCE(), seen(guess), setting=setting)
    near(log["value"], 0.382683, 0.382683, 1)
    near(log["c"], 0.5 / 1.001, 0.5 / 1.001, 0.001 / 1.001)
    near(cgsv.cosine(guess, guess.mean(0)), 0.5**0.5, 0.5**0.5, 1)  # psi pays it best


# --- ShapFed


CLASSES = rows([1, 0, 0, 1, 0, 0], [1, 1, 0, 1, 0, 0], [0, 1, 0, -1, 0, 1])
LAYER = shared(3, 6, None, [slice(0, 4), slice(4, 6)])


def test_shapfed_by_hand():
    """Classes (rows with bias) of the sum (2, 2, 0, 1, 0, 1): (2, 2, 0), (0, 1, 1)."""
    state, (total, reward, log) = step(ShapFed(), seen(CLASSES), setting=LAYER)
    near(log["value"], 0.707107, 0.853553, 0.353553)
    near(log["weights"], 0.369398, 0.445903, 0.184699)
    near(total, 0.815301, 0.630602, 0, 0.630602, 0, 0.184699)
    near(reward.row(0), 0.869398, 0.445903, 0, 0.738796, 0, 0.130602)
    past, mu = state["gamma"], ShapFed().mu
    near(mu * past + (1 - mu) * f64(1, 0, 0), 0.736396, 0.768198, 0.318198)
    zeros = 0 * CLASSES
    zeros[0] = CLASSES[0]  # of the others nothing is worth anything
    new, (_, _, log) = step(ShapFed(), seen(zeros, t=2), state, LAYER)
    near(log["value"], 1, 0, 0)
    near(new["gamma"], 0.736396, 0.768198, 0.318198)


@pytest.mark.parametrize("pull, expected", [
    ("raw", (0.707107, 0.853553, 0.353553)), ("max", (0.828427, 1, 0.414214)),
    ("sum", (0.369398, 0.445903, 0.184699))])
def test_shapfed_pulls_from_the_trained_model_to_the_mean_of_all(pull, expected):
    models, server = normal(3, 6, seed=1), normal(6, seed=2)
    round = seen(CLASSES, models=models, server=server)
    _, (total, reward, log) = step(ShapFed(pull=pull), round, setting=LAYER)
    near(log["pull"], *expected)
    trained = models + CLASSES
    mean = log["weights"] @ trained
    assert_close(server + total, mean)
    for i in range(3):
        after = (1 - log["pull"][i]) * trained[i] + log["pull"][i] * mean
        assert_close(models[i] + reward.row(i), after)


def test_shapfed_refuses_a_network_without_a_last_layer_that_it_knows():
    for blocks in ((), [slice(0, 2), slice(2, 6)], [slice(0, 3), slice(3, 5),
                                                    slice(5, 6)]):
        setting = shared(3, 6, None, blocks)
        if blocks and len(blocks) == 3:
            ShapFed().init(setting)  # one class: a layer with a bias
        else:
            with pytest.raises(ValueError, match="last two parameter tensors"):
                ShapFed().init(setting)


# --- IAFL


SPREAD = rows([4, 0, 0], [0, 4, 0], [0, 0, 4], [4, 4, 4])
BY_SIZE = shared(4, 3, [100, 50, 25, 10])


@pytest.mark.parametrize("kappa, rate, count", [
    (0, (1, 0.5, 0.25, 0.1), [3, 2, 1, 1]),
    (0.5, (1, 0.707107, 0.5, 0.316228), [3, 3, 2, 1]), (1, (1, 1, 1, 1), [3] * 4)])
def test_iafl_by_hand(kappa, rate, count):
    found, counts = IAFL(kappa=kappa).rates(BY_SIZE)
    near(found, *rate)
    assert counts.tolist() == count
    _, (total, reward, log) = step(IAFL(kappa=kappa), seen(SPREAD), setting=BY_SIZE)
    near(total, 2, 2, 2)
    assert log["count"].tolist() == count and not log["recovered"].any()
    for i, c in enumerate(count):
        others = [j for j in range(4) if j != i]
        possible = [(SPREAD[i] + SPREAD[list(some)].sum(0)) / (c + 1)
                    for some in combinations(others, c)]
        assert any(torch.allclose(reward.row(i), mean) for mean in possible)


def test_iafl_draws_all_others_alike_and_new_ones_in_each_round():
    mean = torch.zeros(3, dtype=F64)
    for t in range(1, 301):
        _, (_, reward, _) = step(IAFL(), seen(SPREAD, t=t), setting=BY_SIZE)
        mean += reward.row(3) / 300
    # half its own update, half one of three others: (8, 8, 8) / 3; sd of a mean .05
    assert_close(mean, f64(8, 8, 8) / 3, atol=0.25, rtol=0)


def test_in_iafl_who_recovers_holds_the_servers_model():
    models, server = normal(4, 3, seed=1), normal(3, seed=2)
    often = torch.zeros(4)
    for t in range(1, 101):
        round = seen(SPREAD, t=t, models=models, server=server)
        _, (total, reward, log) = step(IAFL(recovery=0.25), round, setting=BY_SIZE)
        after = models.clone()
        reward.add_to(after)
        again = log["recovered"].bool()
        assert (after[again] == server + total).all()
        assert not (after[~again] == server + total).any(1).any()
        often += again
    assert (often > 10).all() and (often < 40).all()


def test_iafl_does_not_round_up_what_is_whole():
    setting = shared(26, 3, [25, 7, *[25] * 24])
    assert 7 / 25 * 25 > 7  # in floating point
    assert IAFL().rates(setting)[1][1] == 7


def test_iafl_by_classes():
    setting = replace(BY_SIZE, classes=torch.tensor([1, 2, 4, 4]))
    assert IAFL(contributions="classes").rates(setting)[1].tolist() == [1, 2, 3, 3]


# --- Lin et al.


def test_lin_values_by_hand():
    updates = rows([3, 0, 0], [0, 4, 0], [0, 0, 0])
    setting = shared(3, 3, [2, 1, 1])
    state, (total, reward, log) = step(Lin(), seen(updates), setting=setting)
    near(log["value"], 0.638675, 0.361325, 0)
    near(total, 1.5, 1, 0)
    assert_close(downloads(reward), total.expand(3, -1))
    assert state["exploring"] and state["serves"].all()
    again, _ = step(Lin(), seen(updates.flip(0), t=2), state, setting)
    second = cgsv.exact(cgsv.gram(updates.flip(0), setting.size_shares))
    assert_close(again["m"], (state["m"] + second) / 2)


def test_lin_draws_by_softmax_one_after_the_other():
    """Inclusion of two of three without replacement, from all orders."""
    mechanism = Lin(beta=2 / 3, ratio=2 / 3)  # of m / mean m: 2 (.5, .3, .2)
    rate = mechanism.rates(f64(0.5, 0.3, 0.2))
    near(rate, 0.450627, 0.302064, 0.247309)
    included = torch.zeros(3, dtype=F64)
    for first, second, _ in permutations(range(3)):
        chance = rate[first] * rate[second] / (1 - rate[first])
        included[first] += chance
        included[second] += chance
    near(included, 0.793717, 0.649082, 0.557201)
    often = sum(mechanism._drawn(rate, t, ("a", "b", "c")).double()
                for t in range(1, 2001)) / 2000
    assert_close(often, included, atol=0.04, rtol=0)  # sd .011
    near(1 / rate - 1, 1.219132, 2.310555, 3.043522)  # staleness where one is drawn
    near(Lin().rates(f64(-1, 0.5, 0.5)), 1 / 3, 1 / 3, 1 / 3)


def exploiting(serves, held):
    return {"m": f64(0.5, 0.3, 0.2), "rounds": torch.full((3,), 10),
            "serves": torch.tensor(serves), "held": torch.tensor(held),
            "exploring": torch.tensor(False)}


@pytest.mark.parametrize("t", [12, 13, 14, 15, 16])
def test_in_the_second_stage_of_lin_only_who_was_drawn_is_summed(t):
    """.5 (1, 0, 2) + .2 (4, 0, 0), divided by .7."""
    updates = rows([1, 0, 2], [0, 2, 0], [4, 0, 0])
    setting = shared(3, 3, [5, 3, 2])
    state = exploiting([True, False, True], [t - 1, 7, t - 1])
    models, server = normal(3, 3, seed=1), normal(3, seed=2)
    round = seen(updates, t=t, models=models, server=server)
    mechanism = Lin(ratio=2 / 3)
    new, (total, reward, log) = step(mechanism, round, state, setting)
    near(total, 1.857143, 0, 1.428571)
    assert torch.equal(new["m"], state["m"])  # frozen
    drawn = mechanism._drawn(log["rate"], t + 1, setting.keys)
    after = models.clone()
    reward.add_to(after)
    assert torch.equal(after[drawn], (server + total).expand(2, -1))
    assert torch.equal(after[~drawn], models[~drawn])
    assert torch.equal(new["serves"], drawn)
    assert torch.equal(new["held"], torch.where(drawn, t, state["held"]))
    assert torch.equal(log["staleness"], t - new["held"])


def test_who_was_drawn_but_missed_the_round_trains_in_vain():
    updates = rows([1, 0, 2], [0, 2, 0], [4, 0, 0])
    state = exploiting([True, False, True], [10, 7, 11])
    _, (total, _, _) = step(Lin(), seen(updates, t=12), state, shared(3, 3, [5, 3, 2]))
    near(total, 4, 0, 0)


def test_when_lin_stops_exploring_all_hold_the_model_and_some_are_drawn():
    mechanism, setting = Lin(explore=1), shared(5, 4, None)
    state, (_, reward, log) = step(mechanism, seen(normal(5, 4)), setting=setting)
    assert not state["exploring"] and state["serves"].sum() == 2
    assert (state["held"] == 1).all() and not log["staleness"].any()
    assert (reward.kept == 4).all()


VALUES = rows([0.5, 0.3], [0.6, 0.2], [0.4, 0.4], [0.5, 0.2], [0.6, 0.3], [0.4, 0.3])


def test_the_test_of_lin_by_hand():
    """T^2 = 5/44, F = 1/22, and with (2, 4) degrees p = (1 + F / 2)^-2."""
    assert settled(VALUES, 2) == pytest.approx((1 + 1 / 44) ** -2)
    assert settled(VALUES, 2) == pytest.approx(0.956049, abs=1e-6)
    one = VALUES[:, :1]
    t = (one.mean() - one[:4].mean()) / (one.std() / 6**0.5)
    assert settled(one, 2) == pytest.approx(float(f.sf(t**2, 1, 5)))
    with pytest.raises(ValueError, match="too few"):
        settled(VALUES[:2], 1)


def test_lin_ends_the_first_stage_when_the_values_have_settled():
    setting = shared(3, 6, None)
    ends = {}
    for name, level in (("at last", 0.7), ("not before", None)):
        mechanism = Lin(explore=12, lag=2, watched=1, level=level)
        state = mechanism.init(setting)
        for t in range(1, 13):
            base = torch.eye(3, 6, dtype=F64) + 0.1 * normal(3, 6, seed=t)
            state, _ = step(mechanism, seen(base, t=t), state, setting)
            if not state["exploring"]:
                break
        ends[name] = t
    assert 3 <= ends["at last"] < ends["not before"] == 12


def test_lin_with_a_test_needs_all_agents_in_each_round():
    from fairfl.mechanisms import presence

    mechanism, setting = Lin(level=0.7), shared(3, 6, None)
    state = mechanism.init(setting)
    here = torch.tensor([True, False, True])
    round = replace(seen(normal(2, 6)), present=here)
    with pytest.raises(ValueError, match="only a, c are present in round 1"):
        presence.step(mechanism, state, round, setting)
