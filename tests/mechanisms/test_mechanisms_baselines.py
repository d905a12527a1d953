"""The baselines on vectors of six entries, worked out by hand."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from hand import (
    F64,
    RAW,
    SETTING,
    TOTAL,
    UPDATES,
    crowd,
    curved,
    downloads,
    f64,
    normal,
    seen,
    step,
)
from torch.testing import assert_close

from fairfl import mechanisms
from fairfl.mechanisms import CFFL, CGSV, DW, ECI, EU, QFFL, RR, FedAvg, validation

SIZES = [1 / 6, 1 / 6, 4 / 6]
SCALED = {"raw": [26, -5, 32, 0, 0, 0], "normalised": [3 + 7.2, -3, 9.6, 0, 0, 0],
          "clipped": [2 + 7.2, -3, 9.6, 0, 0, 0]}  # six times the sum, gamma = 3
near = partial(assert_close, atol=1e-6, rtol=0)


def top(total, counts):
    """For each count, the entries of the total that are largest, the others 0."""
    order = total.abs().argsort(descending=True, stable=True).tolist()
    return torch.stack([f64(*(x if k in order[:q] else 0.0 for k, x in
                              enumerate(total.tolist()))) for q in counts])


# --- dataset-weighted download


def test_dw_by_hand():
    state, (total, reward, log) = step(DW())
    assert_close(total, TOTAL)
    assert state == {} and log["q"].tolist() == [1, 1, 6]
    assert log["weights"].tolist() == pytest.approx(SIZES)
    assert_close(downloads(reward), top(TOTAL, [1, 1, 6]))


def test_dw_of_equal_sizes_is_fedavg_to_the_bit():
    setting = replace(SETTING, sizes=torch.tensor([7, 7, 7]))
    models = normal(3, 6)
    for scaling in ("normalised", "clipped", "raw"):
        after = []
        for mechanism in (DW(scaling), FedAvg(scaling)):
            _, (total, reward, _) = step(mechanism, setting=setting)
            after.append(models.clone())
            reward.add_to(after[-1])
        assert torch.equal(*after)


# --- Euclidean distance


def test_eu_by_hand():
    _, (total, reward, log) = step(EU())
    assert_close(total, TOTAL)
    # From the mean of the raw updates, times six: (-14, 5, -32), (-26, -25, -32),
    # (10, 5, 16); 6 sqrt(381 / 1245) = 3.3, 6 sqrt(381 / 2325) = 2.4
    assert_close(log["distance"], f64(1245.0, 2325, 381).sqrt() / 6)
    assert log["q"].tolist() == [3, 2, 6]
    assert_close(downloads(reward), top(TOTAL, [3, 2, 6]))


@pytest.mark.parametrize("size", [1e-150, 1.0, 1e100])
def test_eu_takes_distances_from_raw_updates_and_their_scale_does_not_matter(size):
    for scaling in ("normalised", "clipped", "raw"):
        _, (_, _, log) = step(EU(scaling), seen(UPDATES * size))
        assert log["q"].tolist() == [3, 2, 6]


def test_eu_of_agents_without_a_distance():
    same = UPDATES[:1].repeat(3, 1)
    assert step(EU(), seen(same))[1].log["q"].tolist() == [6, 6, 6]
    rounding = f64(1, 1 + 1e-15, 1 - 2e-15)[:, None]
    assert step(EU(), seen(same * rounding))[1].log["q"].tolist() == [6, 6, 6]
    # Agents 1 and 2 lie on opposite sides of agent 3, whose update is the mean
    between = f64(0, 2, 1)[:, None].repeat(1, 6)
    assert step(EU(), seen(between))[1].log["q"].tolist() == [0, 0, 6]


# --- round robin


def test_round_robin_by_hand():
    mechanism = RR()
    server, models = torch.zeros(6, dtype=F64), torch.zeros(3, 6, dtype=F64)
    state, staleness, kept = mechanism.init(SETTING), [], []
    for t in (1, 2, 3, 4):
        round = seen(t=t, server=server, models=models)
        state, (total, reward, log) = step(mechanism, round, state)
        assert_close(total, TOTAL)
        before, models, server = models, models.clone(), server + total
        reward.add_to(models)
        assert_close(before + downloads(reward), models)
        staleness.append(log["staleness"].tolist())
        kept.append(log["q"].tolist())
    assert_close(models, torch.stack([4 * TOTAL, 2 * TOTAL, 3 * TOTAL]))
    assert torch.equal(models[0], server)  # exactly
    assert staleness == [[0, 1, 1], [1, 0, 2], [2, 1, 0], [0, 2, 1]]
    assert kept == [[6, 0, 0], [0, 6, 0], [0, 0, 6], [6, 0, 0]]


def test_turns_go_by_names():
    keys = ("10", "2", "1", "b", "a")
    setting = replace(SETTING, keys=keys, sizes=torch.ones(5, dtype=torch.int64))
    updates, turns, state = torch.eye(5, 6, dtype=F64), [], RR().init(setting)
    for t in range(1, 8):
        state, (_, reward, log) = step(RR(), seen(updates, t=t), state, setting)
        turns += [keys[i] for i in reward.kept.nonzero().flatten().tolist()]
        assert log["staleness"].max() <= 4
    assert turns == ["1", "2", "a", "b", "10", "1", "2"]


def test_in_the_last_round_everybody_catches_up():
    models = normal(3, 6)
    round = seen(models=models, server=models[2])
    _, (total, reward, log) = step(RR(last_round=1), round)
    after = models.clone()
    reward.add_to(after)
    assert torch.equal(after, (models[2] + total).repeat(3, 1))
    assert not log["staleness"].any()


# --- q-FFL


@pytest.mark.parametrize("q, numerator, denominator", [
    # F + |d|^2 / eta with F = 1, 2, 4 and |d|^2 = 4, 25, 100, eta = .1
    (1, [26, -10, 32], 41 + 252 + 1004),
    (2, [98, -20, 128], 81 + 1004 + 8016),  # F^2 + 2 F |d|^2 / eta
])
def test_qffl_by_hand(q, numerator, denominator):
    losses = f64(1, 2, 4)
    round = seen(losses=lambda: losses, gamma=17.0)
    _, (total, reward, log) = step(QFFL(q=q), round)
    assert_close(total, f64(*numerator, 0, 0, 0) / denominator)
    assert_close(log["weights"], losses**q / denominator)
    assert torch.equal(log["losses"], losses)
    assert torch.equal(downloads(reward), total.repeat(3, 1))


def test_qffl_is_the_update_of_its_paper():
    updates, losses = normal(3, 6, seed=1), normal(3, seed=2).abs()
    for q in (0.1, 0.5, 5):
        gradients, lipschitz = -updates / 0.1, 1 / 0.1
        delta = (losses**q)[:, None] * gradients
        squares = gradients.norm(dim=1) ** 2
        h = q * losses ** (q - 1) * squares + lipschitz * losses**q
        _, (total, _, _) = step(QFFL(q=q), seen(updates, losses=lambda: losses))
        assert_close(total, -delta.sum(0) / h.sum())


def test_qffl_with_q_0_is_the_mean_whatever_the_sizes_and_losses():
    round = seen(losses=lambda: f64(0, 1e9, 3))
    _, (total, _, log) = step(QFFL(q=0), round)
    assert_close(total, UPDATES.mean(0))
    assert log["weights"].tolist() == pytest.approx([1 / 3] * 3)


def test_qffl_survives_a_large_q_and_a_loss_of_nothing():
    for q in (0.1, 1, 1000):
        for losses in ([0, 0, 0], [0, 2, 4], [1e-30, 1e30, 1]):
            _, (total, _, _) = step(QFFL(q=q), seen(losses=partial(f64, *losses)))
            assert total.isfinite().all()


# --- CFFL

VALUES = f64(0.6, 0.3, 0.1)
ALL_THREE = torch.ones(3, dtype=torch.bool)
THIRDS = torch.full((3,), 1 / 3, dtype=F64)
# sinh(3 x) for x = .6, .3, .1 is 2.942174, 1.026517, .304520;
# c = .8 / 3 + .2 times their shares
C = f64(0.404370, 0.314711, 0.280919)


def measured(*values):
    """A round in which the agents' models have these accuracies."""
    return seen(accuracy=lambda models: f64(*values))


def test_cffl_by_hand():
    state, (total, reward, log) = step(CFFL(), measured(0.6, 0.3, 0.1))
    assert torch.equal(log["value"], VALUES)
    near(log["c"], C)
    assert_close(total, RAW)
    assert log["q"].tolist() == [6, 4, 4]  # 6 * .7783 and 6 * .6947
    assert_close(downloads(reward), top(RAW, [6, 4, 4]))
    assert torch.equal(state["c"], log["c"]) and state["reputable"].all()


def test_cffl_expels_for_ever():
    mechanism = CFFL(threshold=0.9)  # .9 / 3 lies between .3147 and .2809
    state, (total, reward, log) = step(mechanism, measured(0.6, 0.3, 0.1))
    near(log["c"], C * f64(1, 1, 0) / C[:2].sum())
    assert_close(total, f64(1, -2.5, 0, 0, 0, 0))
    assert log["q"].tolist() == [6, 4, 0] and log["weights"].tolist() == [0.5, 0.5, 0]
    assert not reward.row(2).any()
    for _ in range(3):  # from now on all is as if there were two agents
        two, _ = mechanism.reputations(state["c"][:2], ALL_THREE[:2], f64(0.2, 0.3))
        state, (total, reward, log) = step(mechanism, measured(0.2, 0.3, 1.0), state)
        assert log["c"].tolist() == pytest.approx([*two.tolist(), 0])
        assert log["q"][2] == 0 and not reward.row(2).any() and total[2] == 0
    # |R| / 5 keeps the mean of sinh's argument: 5 * 2 / 5 * x for x = 2/3, 1/3
    c, _ = mechanism.reputations(f64(0.5, 0.5), ALL_THREE[:2], VALUES[:2])
    sinh = f64(4 / 3, 2 / 3).sinh()
    assert_close(c, 0.4 + 0.2 * sinh / sinh.sum())


def test_cffl_keeps_two_agents():
    mechanism = CFFL(threshold=0.999)
    c, stays = mechanism.reputations(f64(0.9, 0.06, 0.04), ALL_THREE, VALUES)
    assert stays.tolist() == [True, True, False] and c.sum() == pytest.approx(1)
    tied = f64(0.9, 0.05, 0.05), ALL_THREE, f64(0.8, 0.1, 0.1)
    assert mechanism.reputations(*tied)[1].all()  # no order decides
    equal = CFFL(threshold=1).reputations(THIRDS, ALL_THREE, torch.ones(3))
    assert equal[1].all()  # 1 expels whoever is below the mean


def test_cffl_leave_one_out():
    # Means of the raw updates, first entry: all 26 / 6; without one 24 / 5, 26 / 5, 1
    _, (_, _, log) = step(CFFL(value="leave_one_out"))
    assert log["value"].tolist() == pytest.approx([0, 0, 26 / 6 - 1])
    # argument 3 x with x = (0, 0, 1): all of the 20 % that are new go to agent 3
    assert log["c"].tolist() == pytest.approx([0.8 / 3, 0.8 / 3, 0.8 / 3 + 0.2])
    # Second entry: all -5 / 6; without one -1, 0, -5 / 2
    round = seen(accuracy=lambda models: models[:, 1])
    _, (_, _, log) = step(CFFL(value="leave_one_out"), round)
    assert log["value"].tolist() == pytest.approx([1 / 6, 0, 10 / 6])


def test_cffl_values_each_agents_own_trained_model():
    models = normal(3, 6)
    _, (_, _, log) = step(CFFL(), seen(models=models, server=100 + models[0]))
    assert_close(log["value"], (models + UPDATES)[:, 0])


def test_cffl_compounding_by_hand():
    c, _ = CFFL(compounding=True).reputations(THIRDS, ALL_THREE, VALUES)
    sinh = (5 * (0.8 / 3 + 0.2 * VALUES)).sinh()
    assert_close(c, sinh / sinh.sum())


def test_only_compounding_runs_away():
    """Five agents with the same small differences of accuracy in each round."""
    values, left = torch.linspace(0.88, 0.93, 5, dtype=F64), {}
    for compounding in (False, True):
        mechanism = CFFL(compounding=compounding)
        c, stays = torch.full((5,), 0.2, dtype=F64), torch.ones(5, dtype=torch.bool)
        for _ in range(200):
            c, stays = mechanism.reputations(c, stays, values)
        left[compounding] = int(stays.sum())
    assert left == {False: 5, True: 2}
    assert c.argmax() == 4 and c[3] > 0


def test_cffl_with_a_large_alpha_does_not_overflow():
    c, _ = CFFL(alpha=1e6).reputations(THIRDS, ALL_THREE, VALUES)
    assert c.tolist() == pytest.approx([0.8 / 3 + 0.2, 0.8 / 3, 0.8 / 3])


# --- ECI

# First entries of the means of normalised updates, weights 1, 1, 4: alone 1, 0, .6, in
# pairs .5, .68, .48, all 3.4 / 6.
PHI = f64(0.458889, -0.141111, 0.248889)


def test_eci_by_hand():
    state, (total, reward, log) = step(ECI())
    near(log["phi"], PHI)
    assert_close(total, TOTAL)
    assert log["q"].tolist() == [6, 0, 3]  # 6 * .2489 / .4589 = 3.25
    assert_close(downloads(reward), top(TOTAL, [6, 0, 3]))
    assert torch.equal(state["ci"], log["phi"])


# 6 * .3489 / 1.8589 = 1.13, 6 * .2989 / .8589 = 2.09
@pytest.mark.parametrize("decay, q", [(1.0, [0, 6, 1]), (0.5, [0, 6, 2])])
def test_eci_sums_over_rounds(decay, q):
    before = {"ci": f64(-1, 2, 0.1)}
    state, (_, _, log) = step(ECI(decay=decay), state=before)
    near(state["ci"], decay * before["ci"] + PHI)
    assert log["q"].tolist() == q


def test_eci_values_count_from_the_servers_model():
    setting = replace(SETTING, keys=("1",), sizes=torch.tensor([1]))
    round = seen(UPDATES[:1], server=torch.full((6,), 3.0, dtype=F64),
                 models=torch.zeros(1, 6, dtype=F64),
                 accuracy=lambda models: models[:, 0] ** 2)
    _, (_, _, log) = step(ECI(), round, setting=setting)
    assert log["phi"].tolist() == pytest.approx([4**2 - 3**2])


@pytest.mark.parametrize("accuracy", [lambda models: -models.norm(dim=1),
                                      lambda models: torch.ones(len(models))])
def test_eci_while_no_contribution_is_positive_everybody_gets_everything(accuracy):
    _, (total, reward, log) = step(ECI(), seen(accuracy=accuracy))
    assert log["ci"].max() <= 0
    assert torch.equal(downloads(reward), total.repeat(3, 1))


@pytest.mark.parametrize("n, most", [
    (1, 2), (5, 2**5), (8, 2 + 10 * 7), (30, 2 + 10 * 29),
])
def test_eci_values_are_efficient_exact_and_sampled(n, most):
    setting, updates = crowd(n)
    valued = []

    def accuracy(models):
        valued.extend(models)
        return curved(models)

    _, (total, _, log) = step(ECI(), seen(updates, accuracy=accuracy), setting=setting)
    nobody, everybody = curved(torch.stack([torch.zeros(6, dtype=F64), total]))
    assert abs(log["phi"].sum() - (everybody - nobody)) < 1e-9
    assert len(valued) <= most
    assert len(torch.stack(valued).unique(dim=0)) == len(valued)


def test_eci_samples_near_the_exact_values_anew_in_each_round(monkeypatch):
    setting, updates = crowd(6)

    def phi(permutations, t):
        round = seen(updates, t=t, accuracy=curved)
        mechanism = ECI(permutations=permutations)
        return step(mechanism, round, setting=setting)[1].log["phi"]

    few, again, many = phi(10, 1), phi(10, 2), phi(4000, 1)
    monkeypatch.setattr("fairfl.mechanisms.eci.EXACT", 6)
    exact = phi(10, 1)
    assert (many - exact).abs().max() < 0.01 < (few - exact).abs().max() < 0.1
    assert not torch.equal(few, again)


def test_few_models_exist_at_a_time(monkeypatch):
    monkeypatch.setattr(validation, "HELD", 14)  # two models of six entries, and a bit
    held = []

    def accuracy(models):
        held.append(len(models))
        return models[:, 0]

    _, (_, _, log) = step(ECI(), seen(accuracy=accuracy))
    near(log["phi"], PHI)
    assert held == [2, 2, 2, 2]


# --- what is summed, and what is refused


@pytest.mark.parametrize("kind", [FedAvg, CGSV, DW, EU, RR, ECI])
def test_each_scaling_of_what_is_summed(kind):
    for scaling, expected in SCALED.items():
        _, (total, _, _) = step(kind(scaling=scaling), seen(gamma=3.0))
        assert (6 * total).tolist() == pytest.approx(expected)


def test_eci_values_what_is_summed():
    for scaling, (first, *_) in SCALED.items():
        _, (_, _, log) = step(ECI(scaling=scaling), seen(gamma=3.0))
        assert log["phi"].sum() * 6 == pytest.approx(first)


@pytest.mark.parametrize("make, message", [
    (lambda: DW(scaling="half"), "known are normalised, clipped, raw"),
    (lambda: ECI(decay=1.1), "decay must lie in"),
    (lambda: ECI(permutations=3), "even number"),
    (lambda: CGSV(permutations=2), "even number of at least 4"),
    (lambda: QFFL(q=-1), "q must lie in"),
    (lambda: CFFL(alpha=0), "alpha must be a positive"),
    (lambda: CFFL(threshold=1.1), "threshold must lie in"),
    (lambda: CFFL(value="guess"), "known are accuracy, leave_one_out"),
    (lambda: CGSV(beta=0), "beta must be a positive number"),
    (lambda: CGSV(alpha=1.5), "alpha must lie"),
    (lambda: CGSV(floor=0.0), "floor must be a positive"),
    (lambda: CGSV(epsilon=-1e-9), "epsilon must lie in"),
    (lambda: CGSV(scaling="raw", epsilon=1e-7), "needs scaling='normalised'"),
    (lambda: CGSV(first_weights="random"), "known are sizes, uniform"),
    (lambda: CGSV(mask="row"), "known are vector, layers"),
    (lambda: CGSV(rounding="up"), "known are floor, ceil_below_size"),
    (lambda: CGSV(valuation="guess"), "known are cosine, first_order, sampled, exact"),
    (lambda: mechanisms.build("shapley"), "known are cgsv, fedavg, standalone"),
])
def test_bad_hyperparameters_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
