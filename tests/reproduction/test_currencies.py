"""What the server may pay with in the place of many entries, worked out by hand."""

from dataclasses import replace

import pytest
import torch

from book.reproduction.currencies import Count, Energy, Stale, fewest
from fairfl.mechanisms import CGSV, presence
from fairfl.mechanisms.base import Round, Setting

F64 = torch.float64
U = torch.tensor([3.0, -4, 0, 0, 12], dtype=F64)  # of length 13
SETTING = Setting.of(["a", "b"], 5, [3, 1])  # so that a weighs more at first


def f64(*numbers):
    return torch.tensor(numbers, dtype=F64)


def rows(reward):
    return torch.stack([reward.row(i) for i in range(len(reward.kept))])


def test_a_power_leaves_the_best_its_all_and_takes_from_the_others():
    quality = f64(1, 0.9, 0.5, 0)
    assert Count().pay(U, quality, SETTING).kept.tolist() == [5, 4, 2, 0]
    assert Count(power=2).pay(U, quality, SETTING).kept.tolist() == [5, 4, 1, 0]
    assert Count(power=4).pay(U, quality, SETTING).kept.tolist() == [5, 3, 0, 0]
    assert Count(power=0.5).pay(U, quality, SETTING).kept.tolist() == [5, 4, 3, 0]
    with pytest.raises(ValueError, match="power"):
        Count(power=0)


def test_the_fewest_entries_with_a_part_of_the_length():
    # |(12)| = 12, |(-4, 12)| = 12.65, |(3, -4, 12)| = 13, of 13
    parts = f64(0, 0.01, 12 / 13, 0.93, 160**0.5 / 13, 0.98, 1)
    assert fewest(U, parts).tolist() == [0, 1, 1, 2, 2, 3, 3]
    assert fewest(0 * U, f64(0, 0.5, 1)).tolist() == [0, 0, 0]


def test_energy_pays_lengths_and_not_numbers_of_entries():
    reward = Energy().pay(U, f64(1, 0.95, 0.9, 0), SETTING)
    assert rows(reward).tolist() == [[3, -4, 0, 0, 12], [0, -4, 0, 0, 12],
                                     [0, 0, 0, 0, 12], [0, 0, 0, 0, 0]]
    # .9^2 = .81 of the length is the largest entry, too; .99^8 = .92 as well
    assert Energy(power=2).pay(U, f64(1, 0.9), SETTING).kept.tolist() == [3, 1]
    assert Energy(power=8).pay(U, f64(1, 0.99), SETTING).kept.tolist() == [3, 1]
    layers = Energy(mask="layers").pay(
        U, f64(1, 0.7), replace(SETTING, blocks=(slice(0, 2), slice(2, 5))))
    assert rows(layers).tolist() == [[3, -4, 0, 0, 12], [0, -4, 0, 0, 12]]


def federation(mechanism, rounds):
    """Two agents; b goes a's way and twice as far another. Models and steps of all
    rounds, the server's models, the last state."""
    state = mechanism.init(SETTING)
    server, models = torch.zeros(5, dtype=F64), torch.zeros(2, 5, dtype=F64)
    seen, servers = [], [server]
    for t in range(1, rounds + 1):
        updates = torch.zeros(2, 5, dtype=F64)
        updates[0, 0], updates[1, 0], updates[1, t % 4 + 1] = t, 1.0, 2.0
        round = Round(t, 0.1, 1.0, updates, models, server)
        state, step = mechanism.apply(state, round, SETTING)
        models = models.clone()
        step.reward.add_to(models)
        server = server + step.aggregate
        servers.append(server)
        seen.append((models, step))
    return seen, servers, state


@pytest.mark.parametrize("power", [1, 2])
def test_who_earns_less_gets_an_older_model(power):
    seen, servers, state = federation(Stale(power=power), 9)
    ages = []
    for t, (models, step) in enumerate(seen, 1):
        r = step.log["r"]
        quality = torch.tanh(r) / torch.tanh(r).max()
        for i in range(2):
            age = int(t * float(quality[i]) ** power + 1e-9)
            assert step.log["age"][i] == age
            assert torch.equal(models[i], servers[age])
        ages.append(step.log["age"].tolist())
    assert [age[0] for age in ages] == list(range(1, 10))  # the best has the newest
    assert all(age[1] < t for t, age in enumerate(ages, 1))
    assert state["past"].shape == (9, 5)
    assert torch.equal(state["past"], torch.stack(servers[:-1]))


def test_a_stale_download_is_what_it_adds_and_only_the_newest_is_shared():
    seen, servers, _ = federation(Stale(power=2), 4)
    (before, _), (_, step) = seen[-2:]
    found = torch.stack([step.reward.row(i) for i in range(2)])
    ages = step.log["age"].tolist()
    expected = torch.stack([servers[age] for age in ages]) - before
    assert torch.allclose(found, expected)
    assert [step.reward.kind(i) for i in range(2)] == ["model", "vector"]
    assert step.reward.kept.tolist() == step.log["q"].tolist() == [5, 5]


@pytest.mark.parametrize("mechanism", [Count(), Count(power=4), Energy(), Stale()])
def test_values_sum_and_coefficients_are_those_of_cgsv(mechanism):
    _, ours, state = federation(mechanism, 5)
    _, theirs, expected = federation(CGSV(), 5)
    assert torch.allclose(ours[1], theirs[1])
    assert torch.allclose(state["weights"], expected["weights"])
    assert mechanism.init(SETTING).keys() >= CGSV().init(SETTING).keys()


@pytest.mark.parametrize("mechanism", [Count(), Energy(), Stale()])
def test_one_agent_and_updates_of_zero(mechanism):
    alone, still = Setting.of(["a"], 5), torch.zeros(1, 5, dtype=F64)
    round = Round(1, 0.1, 13.0, U[None], still, still[0])
    _, step = mechanism.apply(mechanism.init(alone), round, alone)
    assert torch.allclose(step.reward.row(0), U)
    nothing = replace(round, updates=still)
    _, step = mechanism.apply(mechanism.init(alone), nothing, alone)
    assert not step.aggregate.any() and not step.reward.row(0).any()


def test_the_absent_keep_their_model_and_the_servers_past_goes_on():
    state = Stale().init(SETTING)
    server = torch.ones(5, dtype=F64)
    round = Round(1, 0.1, 1.0, U[None], server[None], server,
                  present=torch.tensor([False, True]))
    state, step = presence.step(Stale(), state, round, SETTING)
    models = server.repeat(2, 1)
    step.reward.add_to(models)
    assert torch.equal(models[0], server)
    assert torch.equal(models[1], server + step.aggregate)
    assert torch.equal(state["past"], server[None])
