"""What each mechanism is for, on digits: a linear classifier, few samples, rounds."""

import math

import pytest
import torch
from torch import nn

from fairfl import datasets, partition, probes
from fairfl.federation import Federation
from fairfl.mechanisms import CFFL, CGSV, DW, ECI, EU, QFFL, RR, FedAvg
from fairfl.randomness import seeded
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining

pytestmark = pytest.mark.slow

SEEDS = range(5)
WRONG = 2  # the place of the agent whose labels are all wrong


@pytest.fixture(scope="module")
def digits():
    data = datasets.load("digits")
    return (data.x[120:], data.y[120:]), (data.x[:120], data.y[:120])


def linear(seed):
    with seeded(seed, "linear"):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).double()


def federation(agents, mechanism, validation=None, seed=0, lr=0.3, **local):
    local = LocalTraining(lr=Schedule(lr), **{"epochs": 2, "batch_size": 16} | local)
    return Federation(agents, linear(seed), mechanism, validation=validation, seed=seed,
                      local=local)


@pytest.mark.parametrize("mechanism, value", [
    (ECI(), "ci"), (CFFL(), "c"), (EU(), "q"), (CGSV(), "r"),
], ids=["eci", "cffl", "eu", "cgsv"])
def test_an_agent_with_wrong_labels_gets_the_least(digits, mechanism, value):
    pool, validation = digits
    for seed in SEEDS:
        agents = partition.uniform(pool, 5, 100, seed)
        agents = partition.label_noise(agents, {str(WRONG + 1): 1.0}, 10, seed)
        fed = federation(agents, mechanism, validation, seed, lr=0.5, epochs=4)
        history = fed.run(4)
        value_of, q = history[value][-1], history["q"][-1]
        others = [i for i in range(5) if i != WRONG]
        assert value_of[WRONG] < value_of[others].min() and q[WRONG] <= q[others].min()


def test_qffl_makes_losses_more_equal(digits):
    """In the same round, and also where both have the same mean loss: q > 0 learns more
    slowly, and before anything is learned all losses are equal."""
    pool, _ = digits
    same_round = same_mean = 0
    for seed in SEEDS:
        agents = partition.classes(pool, 5, 60, seed)
        options = {"seed": seed, "lr": 1.0, "epochs": 1, "batch_size": None}
        plain, fair = (federation(agents, QFFL(q=q), **options).run(50)["losses"]
                       for q in (0, 2))
        mean = fair[-1].mean()
        assert plain[-1].mean() < mean  # q > 0 is the slower
        early = plain[(plain.mean(1) - mean).abs().argmin()]
        same_round += bool(fair[-1].var() < plain[-1].var())
        same_mean += bool(fair[-1].var() < early.var())
    assert same_round >= 4 and same_mean >= 4


def test_dw_of_equal_shards_is_fedavg_to_the_bit(digits):
    agents = partition.uniform(digits[0], 4, 30, 0)
    one, other = (federation(agents, m).run(3).last for m in (DW(), FedAvg()))
    assert torch.equal(one.models, other.models)


def test_cgsv_with_infinite_altruism_rewards_all_and_otherwise_the_best_fully(digits):
    agents = partition.power_law(digits[0], 4, 30, 0)
    generous = federation(agents, CGSV(beta=math.inf)).run(4)
    assert (generous["q"] == 650).all()
    assert torch.equal(generous.last.models, generous.last.server.repeat(4, 1))
    history = federation(agents, CGSV(beta=1.0)).run(4)
    for r, q in zip(history["r"], history["q"], strict=True):
        assert q[r.argmax()] == 650 and (q < 650).any()


def test_round_robin_hands_out_the_servers_model(digits):
    pool, _ = digits
    fed = federation(partition.uniform(pool, 5, 12, 0), RR())
    for snapshot in fed.rounds(12):
        turn = (snapshot.t - 1) % 5
        assert torch.equal(snapshot.models[turn], snapshot.server)
        staleness = snapshot.step.log["staleness"]
        assert staleness[turn] == 0 and staleness.max() <= 4
    together = federation(fed.agents, RR(last_round=12)).run(12).last
    assert torch.equal(together.models, together.server.repeat(5, 1))
    other_order = federation(fed.agents[::-1], RR()).run(12).last
    torch.testing.assert_close(other_order.models.flip(0), snapshot.models)


@pytest.mark.parametrize("mechanism", [ECI(), CFFL()], ids=["eci", "cffl"])
def test_without_a_validation_set_they_are_refused(digits, mechanism):
    with pytest.raises(ValueError, match="needs a validation set"):
        federation(partition.uniform(digits[0], 2, 12, 0), mechanism)


def test_qffl_weighs_by_the_losses_before_training(digits):
    fed = federation(partition.classes(digits[0], 3, 40, 0), QFFL(q=1))
    history = fed.run(3, (probes.log, probes.own_loss))
    torch.testing.assert_close(history["losses"][1:], history["own_loss"][:-1])
