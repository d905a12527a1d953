"""One step of each mechanism on vectors of six entries, worked out by hand."""

import math
from dataclasses import replace

import pytest
import torch

from fairfl import cgsv, mechanisms, presets
from fairfl.mechanisms import CGSV, FedAvg, Standalone
from fairfl.mechanisms.base import Round, Setting
from fairfl.training import LocalTraining

F64 = torch.float64
SETTING = Setting(keys=("1", "2", "3"), dimension=6, sizes=torch.tensor([1, 1, 4]), classes=torch.tensor([1, 1, 2]),
                  blocks=(slice(0, 4), slice(4, 6)))
# Of lengths 2, 5 and 10; normalised to e1, -e2 and .6 e1 + .8 e3.
UPDATES = torch.tensor([[2, 0, 0, 0, 0, 0], [0, -5, 0, 0, 0, 0], [6, 0, 8, 0, 0, 0]], dtype=F64)
# u_N = (e1 - e2 + 4 (.6 e1 + .8 e3)) / 6, and |u_N| = sqrt(22.8) / 6
TOTAL = torch.tensor([3.4, -1, 3.2, 0, 0, 0], dtype=F64) / 6
PSI = torch.tensor([3.4, 1, 4.6], dtype=F64) / math.sqrt(22.8)


def step(mechanism, updates=UPDATES, gamma=1.0, state=None):
    server = torch.zeros(6, dtype=F64)
    seen = Round(t=1, lr=0.1, gamma=gamma, updates=updates, models=server.repeat(len(updates), 1), server=server,
                 losses=lambda: None, accuracy=lambda models: None)
    return mechanism.apply(mechanism.init(SETTING) if state is None else state, seen, SETTING)


def downloads(reward):
    return torch.stack([reward.row(i) for i in range(3)])


def test_the_papers_text_by_hand():
    state, (total, reward, log) = step(presets.load("paper").mechanism(beta=1.0))
    torch.testing.assert_close(total, TOTAL)
    torch.testing.assert_close(log["weights"], torch.tensor([1, 1, 4], dtype=F64) / 6)
    torch.testing.assert_close(log["psi"], PSI)
    torch.testing.assert_close(log["r"], torch.tensor([3.4, 1, 4.6], dtype=F64) / 9)
    # tanh(.3778) / tanh(.5111) = .7664, tanh(.1111) / tanh(.5111) = .2351; floors of 6 times that
    assert log["q"].tolist() == [4, 1, 6]
    expected = TOTAL * torch.tensor([[1, 1, 1, 1, 0, 0], [1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]])
    torch.testing.assert_close(downloads(reward), expected)
    assert torch.equal(state["weights"], log["r"])


def test_the_second_round_weighs_by_r_and_remembers():
    mechanism = CGSV(alpha=0.9)
    state, _ = step(mechanism)
    _, (total, _, log) = step(mechanism, state=state)
    r = torch.tensor([3.4, 1, 4.6], dtype=F64) / 9
    u = torch.tensor([[1, 0, 0], [0, -1, 0], [0.6, 0, 0.8]], dtype=F64)
    torch.testing.assert_close(total[:3], r @ u)
    psi = u @ (r @ u) / (r @ u).norm()
    average = 0.9 * r + 0.1 * psi
    torch.testing.assert_close(log["r"], average / average.sum())


def test_the_published_code_by_hand():
    _, (total, reward, log) = step(presets.load("published_code").mechanism(beta=1.0))
    torch.testing.assert_close(total, TOTAL, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(log["r"], torch.tensor([3.4, 1, 4.6], dtype=F64) / 9, rtol=1e-6, atol=0)
    # Block of four: min(ceil(4 * (.7664, .2351, 1)), 3) = 3, 1, 3. Block of two: at least one, and both entries of
    # it are 0, a tie, so both are kept.
    assert log["q"].tolist() == [5, 3, 5]
    expected = total * torch.tensor([[1, 1, 1, 0, 1, 1], [1, 0, 0, 0, 1, 1], [1, 1, 1, 0, 1, 1]])
    torch.testing.assert_close(downloads(reward), expected)


def test_the_published_code_does_not_bring_tiny_updates_to_length_gamma():
    tiny = UPDATES * 1e-9
    paper, code = (step(presets.load(name).mechanism(), tiny)[1].aggregate for name in ("paper", "published_code"))
    torch.testing.assert_close(paper, TOTAL)
    assert code.norm() < 0.1 * paper.norm()


def test_presets_differ_where_they_should_and_take_changes():
    paper, code = presets.load("paper"), presets.load("published_code")
    assert paper.mechanism(beta=2).beta == 2
    assert (paper.local.batch_size, code.local.epochs, code.local.decay_per) == (None, 3, "epoch")
    assert isinstance(paper.local, LocalTraining) and paper.gamma(1) == code.gamma(100) == 0.5
    with pytest.raises(ValueError, match="known are paper, published_code"):
        presets.load("official")


def test_each_scaling_by_hand():
    def aggregate(scaling):
        return step(FedAvg(scaling=scaling), gamma=3.0)[1].aggregate.tolist()

    assert aggregate("raw") == pytest.approx([26 / 6, -5 / 6, 32 / 6, 0, 0, 0])
    assert aggregate("normalised") == pytest.approx([(3 + 7.2) / 6, -3 / 6, 9.6 / 6, 0, 0, 0])
    assert aggregate("clipped") == pytest.approx([(2 + 7.2) / 6, -3 / 6, 9.6 / 6, 0, 0, 0])


def test_gamma_scales_the_step_and_nothing_else():
    _, one = step(CGSV())
    _, three = step(CGSV(), gamma=3.0)
    torch.testing.assert_close(three.aggregate, 3 * one.aggregate)
    for name in ("psi", "r", "q"):
        torch.testing.assert_close(three.log[name], one.log[name])


def test_uniform_first_weights():
    _, (total, _, log) = step(CGSV(first_weights="uniform"))
    torch.testing.assert_close(total, torch.tensor([1.6, -1, 0.8, 0, 0, 0], dtype=F64) / 3)
    assert log["weights"].tolist() == pytest.approx([1 / 3] * 3)


def test_without_a_floor_a_negative_agent_gets_a_negative_weight_and_nothing_to_download():
    against = torch.tensor([[-1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0], [1, 0, 1, 0, 0, 0]], dtype=F64)
    _, (_, reward, log) = step(CGSV(floor=None), against)
    assert log["psi"][0] < 0 and log["r"][0] < 0 and log["q"][0] == 0
    assert not reward.row(0).any()
    assert step(CGSV(), against)[1].log["r"].min() > 0


def test_with_nothing_to_value_the_weights_stay():
    state, (total, reward, log) = step(CGSV(), torch.zeros_like(UPDATES))
    assert not total.any() and not downloads(reward).any()
    assert log["psi"].tolist() == [0, 0, 0]
    assert log["r"].tolist() == pytest.approx([1 / 6, 1 / 6, 4 / 6])
    assert not state["average"].any()


def test_fedavg_gives_all_to_all_and_standalone_to_each_its_own():
    _, (total, reward, _) = step(FedAvg())
    assert torch.equal(downloads(reward), total.repeat(3, 1))
    _, (total, reward, log) = step(Standalone())
    assert not total.any() and log == {}
    assert torch.equal(downloads(reward), UPDATES)


def test_states_are_not_changed_in_place():
    mechanism = CGSV()
    state = mechanism.init(SETTING)
    before = {name: value.clone() for name, value in state.items()}
    step(mechanism, state=state)
    assert all(torch.equal(state[name], before[name]) for name in state)


def test_mechanisms_by_name():
    assert mechanisms.build("cgsv", beta=2.0) == CGSV(beta=2.0)
    with pytest.raises(TypeError, match="gamma"):
        mechanisms.build("cgsv", gamma=1)


@pytest.mark.parametrize("valuation", ["exact", "first_order", "sampled"])
def test_other_valuations_take_the_place_of_the_cosine(valuation):
    state = {"weights": torch.tensor([0.5, 0.2, 0.3], dtype=F64), "average": torch.tensor([0.5, 0.2, 0.3], dtype=F64)}
    _, (_, _, log) = step(CGSV(valuation=valuation, alpha=0.5, permutations=4000), state=state)
    u = torch.tensor([[1, 0, 0], [0, -1, 0], [0.6, 0, 0.8]], dtype=F64)
    phi = cgsv.exact(cgsv.gram(u, state["weights"]))  # the weights of the last round stand inside u_S
    near = {"exact": 1e-12, "first_order": 0.06, "sampled": 0.01}[valuation]
    torch.testing.assert_close(log["phi"], phi, rtol=0, atol=near)
    average = 0.5 * state["average"] + 0.5 * log["phi"]
    torch.testing.assert_close(log["r"], average / average.sum())
    assert (log["phi"] - log["psi"]).abs().max() > 0.1


def test_sampled_values_differ_between_rounds_and_not_between_orders():
    mechanism = CGSV(valuation="sampled", permutations=4)
    server = torch.zeros(6, dtype=F64)

    def phi(t, order):
        setting = replace(SETTING, keys=tuple(SETTING.keys[i] for i in order), sizes=SETTING.sizes[order])
        seen = Round(t=t, lr=0.1, gamma=1.0, updates=UPDATES[order], models=server.repeat(3, 1), server=server,
                     losses=lambda: None, accuracy=lambda models: None)
        return mechanism.apply(mechanism.init(setting), seen, setting)[1].log["phi"]

    torch.testing.assert_close(phi(1, [2, 0, 1]), phi(1, [0, 1, 2])[[2, 0, 1]])
    assert not torch.equal(phi(1, [0, 1, 2]), phi(2, [0, 1, 2]))


def test_updates_that_cancel_have_no_value_whatever_the_valuation():
    cancel = torch.tensor([[1.0, 0], [-1, 0], [0, 0]], dtype=F64).repeat(1, 3)
    for valuation in ("exact", "first_order", "sampled"):
        state = {"weights": torch.full((3,), 1 / 3, dtype=F64), "average": torch.zeros(3, dtype=F64)}
        new, (_, _, log) = step(CGSV(valuation=valuation), cancel, state=state)
        assert not log["phi"].any() and torch.equal(new["weights"], state["weights"])


def test_too_many_agents_for_the_exact_value_are_refused_before_the_first_round():
    crowd = replace(SETTING, keys=tuple(map(str, range(31))), sizes=torch.ones(31))
    with pytest.raises(ValueError, match="31 agents"):
        CGSV(valuation="exact").init(crowd)
