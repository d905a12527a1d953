"""The baselines on vectors of six entries, worked out by hand, and what must hold for every mechanism."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch

from fairfl import mechanisms
from fairfl.mechanisms import CFFL, CGSV, DW, ECI, EU, QFFL, RR, FedAvg, validation
from fairfl.mechanisms.base import Round, Setting

F64 = torch.float64
SETTING = Setting(keys=("1", "2", "3"), dimension=6, sizes=torch.tensor([1, 1, 4]), classes=torch.tensor([1, 1, 2]),
                  blocks=(slice(0, 4), slice(4, 6)))
# Of lengths 2, 5 and 10; normalised to e1, -e2 and .6 e1 + .8 e3.
UPDATES = torch.tensor([[2, 0, 0, 0, 0, 0], [0, -5, 0, 0, 0, 0], [6, 0, 8, 0, 0, 0]], dtype=F64)
TOTAL = torch.tensor([3.4, -1, 3.2, 0, 0, 0], dtype=F64) / 6  # of the normalised ones, weighted by size
RAW = torch.tensor([26, -5, 32, 0, 0, 0], dtype=F64) / 6
SIZES = [1 / 6, 1 / 6, 4 / 6]


def losses_of(n):
    return torch.arange(1, n + 1, dtype=F64)


def seen(updates=UPDATES, t=1, gamma=1.0, losses=None, accuracy=lambda models: models[:, 0], models=None, server=None):
    """A round; unless told otherwise, all models are 0 and the "accuracy" of a model is its first entry."""
    n, d = updates.shape
    server = torch.zeros(d, dtype=updates.dtype) if server is None else server
    return Round(t=t, lr=0.1, gamma=gamma, updates=updates, models=server.repeat(n, 1) if models is None else models,
                 server=server, losses=losses or (lambda: losses_of(n)), accuracy=accuracy)


def step(mechanism, round=None, state=None, setting=SETTING):
    return mechanism.apply(mechanism.init(setting) if state is None else state, round or seen(), setting)


def downloads(reward):
    return torch.stack([reward.row(i) for i in range(len(reward.kept))])


def top(total, counts):
    """The first rows of the largest entries, for totals whose entries are ordered by hand."""
    order = total.abs().argsort(descending=True, stable=True).tolist()
    return torch.stack([torch.tensor([x if k in order[:q] else 0 for k, x in enumerate(total.tolist())], dtype=F64)
                        for q in counts])


# --- dataset-weighted download


def test_dw_by_hand():
    state, (total, reward, log) = step(DW())
    torch.testing.assert_close(total, TOTAL)
    assert state == {} and log["q"].tolist() == [1, 1, 6] and log["weights"].tolist() == pytest.approx(SIZES)
    torch.testing.assert_close(downloads(reward), TOTAL * torch.tensor([[1, 0, 0, 0, 0, 0]] * 2 + [[1] * 6]))


def test_dw_of_equal_sizes_is_fedavg_to_the_bit():
    setting = replace(SETTING, sizes=torch.tensor([7, 7, 7]))
    models = torch.randn(3, 6, dtype=F64, generator=torch.Generator().manual_seed(0))
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
    torch.testing.assert_close(total, TOTAL)
    # Differences from the mean of the raw updates, times six: (-14, 5, -32), (-26, -25, -32), (10, 5, 16).
    torch.testing.assert_close(log["distance"], torch.tensor([1245.0, 2325, 381], dtype=F64).sqrt() / 6)
    assert log["q"].tolist() == [3, 2, 6]  # 6 sqrt(381 / 1245) = 3.3, 6 sqrt(381 / 2325) = 2.4
    torch.testing.assert_close(downloads(reward), top(TOTAL, [3, 2, 6]))


def test_eu_takes_distances_from_raw_updates_and_their_scale_does_not_matter():
    for scaling in ("normalised", "clipped", "raw"):
        for size in (1e-140, 1.0, 1e100):
            assert step(EU(scaling), seen(UPDATES * size))[1].log["q"].tolist() == [3, 2, 6]


def test_eu_of_agents_without_a_distance():
    same = UPDATES[:1].repeat(3, 1)
    assert step(EU(), seen(same))[1].log["q"].tolist() == [6, 6, 6]
    nearly = same * torch.tensor([[1.0], [1 + 1e-15], [1 - 2e-15]], dtype=F64)  # distances that are rounding
    assert step(EU(), seen(nearly))[1].log["q"].tolist() == [6, 6, 6]
    # Agents 1 and 2 lie on opposite sides of agent 3, so the mean is agent 3's update: it alone has distance 0.
    between = torch.tensor([[0.0] * 6, [2.0] * 6, [1.0] * 6], dtype=F64)
    assert step(EU(), seen(between))[1].log["q"].tolist() == [0, 0, 6]


# --- round robin


def test_round_robin_by_hand():
    mechanism = RR()
    server, models = torch.zeros(6, dtype=F64), torch.zeros(3, 6, dtype=F64)
    state, staleness, kept = mechanism.init(SETTING), [], []
    for t in (1, 2, 3, 4):
        state, (total, reward, log) = step(mechanism, seen(t=t, server=server, models=models), state)
        torch.testing.assert_close(total, TOTAL)
        before, models, server = models, models.clone(), server + total
        reward.add_to(models)
        torch.testing.assert_close(before + downloads(reward), models)
        staleness.append(log["staleness"].tolist())
        kept.append(log["q"].tolist())
    torch.testing.assert_close(models, torch.stack([4 * TOTAL, 2 * TOTAL, 3 * TOTAL]))
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
    models = torch.randn(3, 6, dtype=F64, generator=torch.Generator().manual_seed(0))
    _, (total, reward, log) = step(RR(last_round=1), seen(models=models, server=models[2]))
    after = models.clone()
    reward.add_to(after)
    assert torch.equal(after, (models[2] + total).repeat(3, 1)) and not log["staleness"].any()


# --- q-FFL


@pytest.mark.parametrize("q, numerator, denominator", [
    (1, [26, -10, 32], 41 + 252 + 1004),  # F + |d|^2 / eta with F = 1, 2, 4 and |d|^2 = 4, 25, 100, eta = .1
    (2, [98, -20, 128], 81 + 1004 + 8016),  # F^2 + 2 F |d|^2 / eta
])
def test_qffl_by_hand(q, numerator, denominator):
    losses = torch.tensor([1.0, 2, 4], dtype=F64)
    _, (total, reward, log) = step(QFFL(q=q), seen(losses=lambda: losses, gamma=17.0))
    expected = torch.tensor([*numerator, 0, 0, 0], dtype=F64) / denominator
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(log["weights"], losses**q / denominator)
    assert torch.equal(log["losses"], losses) and torch.equal(downloads(reward), total.repeat(3, 1))


def test_qffl_is_the_update_of_its_paper():
    draws = torch.Generator().manual_seed(1)
    updates, losses = torch.randn(3, 6, generator=draws, dtype=F64), torch.rand(3, generator=draws, dtype=F64)
    for q in (0.1, 0.5, 5):
        gradients, lipschitz = -updates / 0.1, 1 / 0.1
        delta = (losses**q)[:, None] * gradients
        h = q * losses ** (q - 1) * gradients.norm(dim=1) ** 2 + lipschitz * losses**q
        total = step(QFFL(q=q), seen(updates, losses=lambda: losses))[1].aggregate
        torch.testing.assert_close(total, -delta.sum(0) / h.sum())


def test_qffl_with_q_0_is_the_mean_whatever_the_sizes_and_losses():
    _, (total, _, log) = step(QFFL(q=0), seen(losses=lambda: torch.tensor([0.0, 1e9, 3], dtype=F64)))
    torch.testing.assert_close(total, UPDATES.mean(0))
    assert log["weights"].tolist() == pytest.approx([1 / 3] * 3)


def test_qffl_survives_a_large_q_and_a_loss_of_nothing():
    for q in (0.1, 1, 1000):
        for losses in ([0.0, 0, 0], [0.0, 2, 4], [1e-30, 1e30, 1]):
            given = partial(torch.tensor, losses, dtype=F64)
            assert step(QFFL(q=q), seen(losses=given))[1].aggregate.isfinite().all()


# --- CFFL

VALUES, ALL_THREE = torch.tensor([0.6, 0.3, 0.1], dtype=F64), torch.ones(3, dtype=torch.bool)
# sinh(3 x) for x = .6, .3, .1 is 2.942174, 1.026517, .304520; c = .8 / 3 + .2 times their shares
C = torch.tensor([0.404370, 0.314711, 0.280919], dtype=F64)


def accuracies(*values):
    return lambda models: torch.tensor(values, dtype=F64)


def test_cffl_by_hand():
    state, (total, reward, log) = step(CFFL(), seen(accuracy=accuracies(0.6, 0.3, 0.1)))
    assert torch.equal(log["value"], VALUES)
    torch.testing.assert_close(log["c"], C, atol=1e-6, rtol=0)
    torch.testing.assert_close(total, RAW)
    assert log["q"].tolist() == [6, 4, 4]  # 6 * .7783 and 6 * .6947
    torch.testing.assert_close(downloads(reward), top(RAW, [6, 4, 4]))
    assert torch.equal(state["c"], log["c"]) and state["reputable"].all()


def test_cffl_expels_for_ever():
    mechanism = CFFL(threshold=0.9)  # .9 / 3 lies between .3147 and .2809
    state, (total, reward, log) = step(mechanism, seen(accuracy=accuracies(0.6, 0.3, 0.1)))
    torch.testing.assert_close(log["c"], C * torch.tensor([1, 1, 0]) / C[:2].sum(), atol=1e-6, rtol=0)
    torch.testing.assert_close(total, torch.tensor([1, -2.5, 0, 0, 0, 0], dtype=F64))
    assert log["q"].tolist() == [6, 4, 0] and log["weights"].tolist() == [0.5, 0.5, 0]
    assert not reward.row(2).any()
    for _ in range(3):  # from now on all is as if there were two agents
        two = mechanism.reputations(state["c"][:2], ALL_THREE[:2], torch.tensor([0.2, 0.3], dtype=F64))[0]
        state, (total, reward, log) = step(mechanism, seen(accuracy=accuracies(0.2, 0.3, 1.0)), state)
        assert log["c"].tolist() == pytest.approx([*two.tolist(), 0]) and log["q"][2] == 0
        assert not reward.row(2).any() and total[2] == 0
    # |R| / 5 keeps the mean of sinh's argument where it was: 5 * 2 / 5 * x for x = 2/3, 1/3
    c, _ = mechanism.reputations(torch.tensor([0.5, 0.5], dtype=F64), ALL_THREE[:2], VALUES[:2])
    shares = [math.sinh(4 / 3), math.sinh(2 / 3)]
    assert c.tolist() == pytest.approx([0.4 + 0.2 * share / sum(shares) for share in shares])


def test_cffl_keeps_two_agents():
    mechanism = CFFL(threshold=0.999)
    c, stays = mechanism.reputations(torch.tensor([0.9, 0.06, 0.04], dtype=F64), ALL_THREE, VALUES)
    assert stays.tolist() == [True, True, False] and c.sum() == pytest.approx(1)
    tied = torch.tensor([0.9, 0.05, 0.05], dtype=F64), ALL_THREE
    assert mechanism.reputations(*tied, torch.tensor([0.8, 0.1, 0.1], dtype=F64))[1].all()  # no order decides


def test_cffl_leave_one_out():
    # Means of the raw updates, first entry: all 26 / 6; without agents 1, 2, 3: 24 / 5, 26 / 5 and 1.
    _, (_, _, log) = step(CFFL(value="leave_one_out"))
    assert log["value"].tolist() == pytest.approx([0, 0, 26 / 6 - 1])
    # argument 3 x with x = (0, 0, 1): all of the 20 % that are new go to agent 3
    assert log["c"].tolist() == pytest.approx([0.8 / 3, 0.8 / 3, 0.8 / 3 + 0.2])
    _, (_, _, log) = step(CFFL(value="leave_one_out"), seen(accuracy=lambda models: models[:, 1]))
    # Second entry: all -5 / 6; without agent 1 -1, without agent 2 0, without agent 3 -5 / 2.
    assert log["value"].tolist() == pytest.approx([1 / 6, 0, 10 / 6])


def test_cffl_values_each_agents_own_trained_model():
    models = torch.randn(3, 6, dtype=F64, generator=torch.Generator().manual_seed(0))
    _, (_, _, log) = step(CFFL(), seen(models=models, server=100 + models[0]))
    torch.testing.assert_close(log["value"], (models + UPDATES)[:, 0])


def test_cffl_compounding_by_hand():
    c, _ = CFFL(compounding=True).reputations(torch.full((3,), 1 / 3, dtype=F64), ALL_THREE, VALUES)
    sinh = [math.sinh(5 * (0.8 / 3 + 0.2 * x)) for x in (0.6, 0.3, 0.1)]
    assert c.tolist() == pytest.approx([s / sum(sinh) for s in sinh])


def test_only_compounding_runs_away():
    """Five agents with the same small differences of accuracy in each round."""
    left = {}
    for compounding in (False, True):
        c, stays = torch.full((5,), 0.2, dtype=F64), torch.ones(5, dtype=torch.bool)
        for _ in range(200):
            c, stays = CFFL(compounding=compounding).reputations(c, stays, torch.linspace(0.88, 0.93, 5, dtype=F64))
        left[compounding] = int(stays.sum())
    assert left == {False: 5, True: 2}
    assert c.argmax() == 4 and c[3] > 0


def test_cffl_with_a_large_alpha_does_not_overflow():
    c, _ = CFFL(alpha=1e6).reputations(torch.full((3,), 1 / 3, dtype=F64), ALL_THREE, VALUES)
    assert c.tolist() == pytest.approx([0.8 / 3 + 0.2, 0.8 / 3, 0.8 / 3])


# --- ECI

# First entries of the means of normalised updates, weights 1, 1, 4: alone 1, 0, .6, in pairs .5, .68, .48, all 3.4 / 6.
PHI = torch.tensor([0.458889, -0.141111, 0.248889], dtype=F64)


def test_eci_by_hand():
    state, (total, reward, log) = step(ECI())
    torch.testing.assert_close(log["phi"], PHI, atol=1e-6, rtol=0)
    torch.testing.assert_close(total, TOTAL)
    assert log["q"].tolist() == [6, 0, 3]  # 6 * .2489 / .4589 = 3.25
    torch.testing.assert_close(downloads(reward), top(TOTAL, [6, 0, 3]))
    assert torch.equal(state["ci"], log["phi"])


def test_eci_sums_over_rounds():
    before = {"ci": torch.tensor([-1.0, 2, 0.1], dtype=F64)}
    for decay, q in ((1.0, [0, 6, 1]), (0.5, [0, 6, 2])):  # 6 * .3489 / 1.8589 = 1.13, 6 * .2989 / .8589 = 2.09
        state, (_, _, log) = step(ECI(decay=decay), state=before)
        torch.testing.assert_close(state["ci"], decay * before["ci"] + PHI, atol=1e-6, rtol=0)
        assert log["q"].tolist() == q


def test_eci_values_count_from_the_servers_model():
    setting = replace(SETTING, keys=("1",), sizes=torch.tensor([1]))
    round = seen(UPDATES[:1], server=torch.full((6,), 3.0, dtype=F64), models=torch.zeros(1, 6, dtype=F64),
                 accuracy=lambda models: models[:, 0] ** 2)
    assert step(ECI(), round, setting=setting)[1].log["phi"].tolist() == pytest.approx([4**2 - 3**2])


def test_eci_while_no_contribution_is_positive_everybody_gets_everything():
    for accuracy in (lambda models: -models.norm(dim=1), lambda models: torch.ones(len(models))):
        _, (total, reward, log) = step(ECI(), seen(accuracy=accuracy))
        assert log["ci"].max() <= 0 and torch.equal(downloads(reward), total.repeat(3, 1))


def crowd(n, dimension=6, dtype=F64):
    setting = Setting(keys=tuple(map(str, range(1, n + 1))), dimension=dimension, sizes=torch.arange(1, n + 1),
                      classes=torch.ones(n, dtype=torch.int64), blocks=(slice(0, dimension),))
    return setting, torch.randn(n, dimension, dtype=dtype, generator=torch.Generator().manual_seed(n))


def curved(models):
    return (models.double() @ torch.linspace(-1, 1, models.shape[1], dtype=F64)).sigmoid()


@pytest.mark.parametrize("n, most", [(1, 2), (5, 2**5), (8, 2 + 10 * 7), (30, 2 + 10 * 29)])
def test_eci_values_are_efficient_exact_and_sampled(n, most):
    setting, updates = crowd(n)
    valued = []

    def accuracy(models):
        valued.extend(models)
        return curved(models)

    _, (total, _, log) = step(ECI(), seen(updates, accuracy=accuracy), setting=setting)
    nobody, everybody = curved(torch.stack([torch.zeros(6, dtype=F64), total]))
    assert abs(log["phi"].sum() - (everybody - nobody)) < 1e-9
    assert len(valued) <= most and len(torch.stack(valued).unique(dim=0)) == len(valued)


def test_eci_samples_near_the_exact_values_anew_in_each_round(monkeypatch):
    setting, updates = crowd(6)
    few, again, many = (step(ECI(permutations=k), seen(updates, t=t, accuracy=curved), setting=setting)[1].log["phi"]
                        for k, t in ((10, 1), (10, 2), (4000, 1)))
    monkeypatch.setattr("fairfl.mechanisms.eci.EXACT", 6)
    phi = step(ECI(), seen(updates, accuracy=curved), setting=setting)[1].log["phi"]
    assert (many - phi).abs().max() < 0.01 < (few - phi).abs().max() < 0.1
    assert not torch.equal(few, again)


def test_few_models_exist_at_a_time(monkeypatch):
    monkeypatch.setattr(validation, "HELD", 14)  # two models of six entries, and a bit
    held = []

    def accuracy(models):
        held.append(len(models))
        return models[:, 0]

    _, (_, _, log) = step(ECI(), seen(accuracy=accuracy))
    torch.testing.assert_close(log["phi"], PHI, atol=1e-6, rtol=0)
    assert held == [2, 2, 2, 2]


# --- every mechanism

ALL = {
    "cgsv": CGSV(), "fedavg": FedAvg(), "standalone": mechanisms.Standalone(), "dw": DW(), "eu": EU(), "rr": RR(),
    "qffl": QFFL(q=0.5), "cffl": CFFL(threshold=0.8), "cffl loo": CFFL(value="leave_one_out"),
    "cffl compounding": CFFL(compounding=True), "eci": ECI(), "eci decay": ECI(decay=0.9),
    "guarded": mechanisms.Guarded(), "guarded by all": mechanisms.Guarded(others=True, news=True, crowding=8.0),
}
every = pytest.mark.parametrize("mechanism", ALL.values(), ids=ALL)


def test_all_mechanisms_are_tried():
    assert {type(mechanism) for mechanism in ALL.values()} == set(mechanisms.MECHANISMS.values())
    for name in mechanisms.MECHANISMS:
        assert type(mechanisms.build(name)) is type(ALL[name])


def three_rounds(mechanism, setting, updates, order=None):
    """Aggregates, downloads and last log of three rounds, with the agents in another order."""
    order = torch.arange(len(updates)) if order is None else torch.tensor(order)
    setting = replace(setting, keys=tuple(setting.keys[i] for i in order), sizes=setting.sizes[order])
    state, found = mechanism.init(setting), []
    for t in (1, 2, 3):
        rows = updates[order].roll(t, dims=1)
        state, (total, reward, log) = mechanism.apply(
            state, seen(rows, t=t, accuracy=curved, losses=lambda: losses_of(len(order))[order]), setting)
        found.append((total, downloads(reward), reward.kept))
    return found, log, state


@every
@pytest.mark.parametrize("n", [4, 7])
def test_the_order_of_the_agents_does_not_matter(mechanism, n):
    setting, updates = crowd(n)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(3)).tolist()
    plain, plain_log, _ = three_rounds(mechanism, setting, updates)
    moved, log, _ = three_rounds(mechanism, setting, updates, order)
    for (total, sent, kept), (total_, sent_, kept_) in zip(plain, moved, strict=True):
        torch.testing.assert_close(total_, total)
        torch.testing.assert_close(sent_, sent[order])
        assert torch.equal(kept_, kept[order])
    for name, value in plain_log.items():
        torch.testing.assert_close(log[name], value[order])


@every
def test_one_agent_gets_its_own_update_back(mechanism):
    setting, updates = crowd(1)
    found, log, _ = three_rounds(mechanism, setting, updates)
    for t, (total, sent, kept) in enumerate(found, start=1):
        row = updates[0].roll(t)
        assert kept.tolist() == [6] and sent.isfinite().all()
        torch.testing.assert_close(sent[0] / sent[0].norm(), row / row.norm())
        if type(mechanism) is not mechanisms.Standalone:
            torch.testing.assert_close(total, sent[0])
    assert all(value.isfinite().all() for value in log.values())


@every
def test_updates_of_zero_move_nothing(mechanism):
    found, log, state = three_rounds(mechanism, SETTING, torch.zeros(3, 6, dtype=F64))
    for total, sent, _ in found:
        assert not total.any() and not sent.any()
    assert all(value.isfinite().all() for value in log.values())
    assert all(torch.as_tensor(value).double().isfinite().all() for value in state.values())


@every
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_a_step_is_pure_and_its_state_plain(mechanism, dtype):
    setting, updates = crowd(4, dtype=dtype)
    state = mechanism.init(setting)
    for t in (1, 2):
        before = {name: torch.as_tensor(value).clone() for name, value in state.items()}
        round = seen(updates.clone(), t=t, accuracy=curved)
        new, (total, reward, log) = mechanism.apply(state, round, setting)
        again, same = mechanism.apply(state, round, setting)
        assert torch.equal(round.updates, updates) and not round.server.any() and not round.models.any()
        assert all(torch.equal(torch.as_tensor(state[name]), before[name]) for name in before)
        assert new.keys() == state.keys() == again.keys() and torch.equal(total, same.aggregate)
        assert all(torch.equal(torch.as_tensor(new[name]), torch.as_tensor(again[name])) for name in new)
        assert all(isinstance(value, torch.Tensor | float | int) for value in new.values())
        assert total.dtype == dtype and reward.row(0).dtype == dtype
        assert all(value.shape == (4,) for value in log.values()) and reward.kept.shape == (4,)
        state = new


@every
def test_a_download_is_added_as_its_rows_say(mechanism):
    setting, updates = crowd(4)
    models = torch.randn(4, 6, dtype=F64, generator=torch.Generator().manual_seed(9))
    _, (_, reward, _) = step(mechanism, seen(updates, models=models, accuracy=curved), setting=setting)
    after = models.clone()
    reward.add_to(after)
    torch.testing.assert_close(after, models + downloads(reward))


@pytest.mark.parametrize("kind", [FedAvg, CGSV, DW, EU, RR, ECI])
def test_each_scaling_of_what_is_summed(kind):
    totals = {scaling: step(kind(scaling=scaling), seen(gamma=3.0))[1].aggregate * 6
              for scaling in ("raw", "normalised", "clipped")}
    assert totals["raw"].tolist() == pytest.approx([26, -5, 32, 0, 0, 0])
    assert totals["normalised"].tolist() == pytest.approx([3 + 7.2, -3, 9.6, 0, 0, 0])
    assert totals["clipped"].tolist() == pytest.approx([2 + 7.2, -3, 9.6, 0, 0, 0])


@pytest.mark.parametrize("scaling, first", [("raw", 26), ("normalised", 3 + 7.2), ("clipped", 2 + 7.2)])
def test_eci_values_what_is_summed(scaling, first):
    assert step(ECI(scaling=scaling), seen(gamma=3.0))[1].log["phi"].sum() * 6 == pytest.approx(first)


@pytest.mark.parametrize("make, message", [
    *((partial(kind, scaling="half"), "known are normalised, clipped, raw")
      for kind in (CGSV, FedAvg, DW, RR, EU, ECI)),
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
