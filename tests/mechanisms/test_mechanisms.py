"""One step of CGSV, FedAvg and Standalone, worked out by hand."""

import math
from dataclasses import replace

import pytest
import torch
from hand import SETTING, TOTAL, UPDATES, downloads, f64, seen, step
from torch.testing import assert_close

from fairfl import cgsv, mechanisms, presets
from fairfl.mechanisms import CGSV, FedAvg, Standalone
from fairfl.training import LocalTraining

PSI = f64(3.4, 1, 4.6) / math.sqrt(22.8)
R = f64(3.4, 1, 4.6) / 9
# The first three entries of the normalised updates; the others are 0
U = torch.stack([f64(1, 0, 0), f64(0, -1, 0), f64(0.6, 0, 0.8)])
THIRD = torch.full((3,), 1 / 3, dtype=torch.float64)


def test_the_papers_text_by_hand():
    state, (total, reward, log) = step(presets.load("paper").mechanism(beta=1.0))
    assert_close(total, TOTAL)
    assert_close(log["weights"], f64(1, 1, 4) / 6)
    assert_close(log["psi"], PSI)
    assert_close(log["r"], R)
    # tanh(.3778) / tanh(.5111) = .7664, tanh(.1111) / tanh(.5111) = .2351
    assert log["q"].tolist() == [4, 1, 6]  # floors of 6 times that
    kept = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]])
    assert_close(downloads(reward), TOTAL * kept)
    assert torch.equal(state["weights"], log["r"])


def test_the_second_round_weighs_by_r_and_remembers():
    mechanism = CGSV(alpha=0.9)
    state, _ = step(mechanism)
    _, (total, _, log) = step(mechanism, state=state)
    assert_close(total[:3], R @ U)
    psi = U @ (R @ U) / (R @ U).norm()
    average = 0.9 * R + 0.1 * psi
    assert_close(log["r"], average / average.sum())


def test_the_published_code_by_hand():
    _, (total, reward, log) = step(presets.load("published_code").mechanism(beta=1.0))
    assert_close(total, TOTAL, rtol=1e-6, atol=1e-9)
    assert_close(log["r"], R, rtol=1e-6, atol=0)
    # Block of four: min(ceil(4 * (.7664, .2351, 1)), 3) = 3, 1, 3. Block of two: at
    # least one, and both entries of it are 0, a tie, so both are kept.
    assert log["q"].tolist() == [5, 3, 5]
    kept = torch.tensor([[1, 1, 1, 0, 1, 1], [1, 0, 0, 0, 1, 1], [1, 1, 1, 0, 1, 1]])
    assert_close(downloads(reward), total * kept)


def test_the_published_code_does_not_bring_tiny_updates_to_length_gamma():
    round = seen(UPDATES * 1e-9)
    paper = step(presets.load("paper").mechanism(), round)[1].aggregate
    code = step(presets.load("published_code").mechanism(), round)[1].aggregate
    assert_close(paper, TOTAL)
    assert code.norm() < 0.1 * paper.norm()


def test_presets_differ_where_they_should_and_take_changes():
    paper, code = presets.load("paper"), presets.load("published_code")
    assert paper.mechanism(beta=2).beta == 2
    assert paper.local.batch_size is None and isinstance(paper.local, LocalTraining)
    assert (code.local.epochs, code.local.decay_per) == (3, "epoch")
    assert paper.gamma(1) == code.gamma(100) == 0.5
    with pytest.raises(ValueError, match="known are paper, published_code"):
        presets.load("official")


def test_gamma_scales_the_step_and_nothing_else():
    _, one = step(CGSV())
    _, three = step(CGSV(), seen(gamma=3.0))
    assert_close(three.aggregate, 3 * one.aggregate)
    for name in ("psi", "r", "q"):
        assert_close(three.log[name], one.log[name])


def test_uniform_first_weights():
    _, (total, _, log) = step(CGSV(first_weights="uniform"))
    assert_close(total, f64(1.6, -1, 0.8, 0, 0, 0) / 3)
    assert log["weights"].tolist() == pytest.approx([1 / 3] * 3)


def test_without_a_floor_a_negative_agent_gets_a_negative_weight_and_nothing():
    against = torch.zeros_like(UPDATES)
    against[:, :3] = torch.tensor([[-1, 0, 0], [1, 1, 0], [1, 0, 1]])
    _, (_, reward, log) = step(CGSV(floor=None), seen(against))
    assert log["psi"][0] < 0 and log["r"][0] < 0 and log["q"][0] == 0
    assert not reward.row(0).any()
    assert step(CGSV(), seen(against))[1].log["r"].min() > 0


def test_with_nothing_to_value_the_weights_stay():
    state, (total, reward, log) = step(CGSV(), seen(torch.zeros_like(UPDATES)))
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


def test_mechanisms_by_name():
    assert mechanisms.build("cgsv", beta=2.0) == CGSV(beta=2.0)
    with pytest.raises(TypeError, match="gamma"):
        mechanisms.build("cgsv", gamma=1)


@pytest.mark.parametrize("valuation, atol", [
    ("exact", 1e-12), ("first_order", 0.06), ("sampled", 0.01),
])
def test_other_valuations_take_the_place_of_the_cosine(valuation, atol):
    r = f64(0.5, 0.2, 0.3)
    mechanism = CGSV(valuation=valuation, alpha=0.5, permutations=4000)
    _, (_, _, log) = step(mechanism, state={"weights": r, "average": r})
    phi = cgsv.exact(cgsv.gram(U, r))  # the weights of the last round are inside u_S
    assert_close(log["phi"], phi, rtol=0, atol=atol)
    average = 0.5 * r + 0.5 * log["phi"]
    assert_close(log["r"], average / average.sum())
    assert (log["phi"] - log["psi"]).abs().max() > 0.1


def test_sampled_values_differ_between_rounds_and_not_between_orders():
    mechanism = CGSV(valuation="sampled", permutations=4)

    def phi(t, order):
        keys = tuple(SETTING.keys[i] for i in order)
        setting = replace(SETTING, keys=keys, sizes=SETTING.sizes[order])
        return step(mechanism, seen(UPDATES[order], t), setting=setting)[1].log["phi"]

    assert_close(phi(1, [2, 0, 1]), phi(1, [0, 1, 2])[[2, 0, 1]])
    assert not torch.equal(phi(1, [0, 1, 2]), phi(2, [0, 1, 2]))


@pytest.mark.parametrize("valuation", ["exact", "first_order", "sampled"])
def test_updates_that_cancel_have_no_value_whatever_the_valuation(valuation):
    cancel = f64(1, -1, 0)[:, None].repeat(1, 6)
    state = {"weights": THIRD, "average": torch.zeros_like(THIRD)}
    new, (_, _, log) = step(CGSV(valuation=valuation), seen(cancel), state)
    assert not log["phi"].any() and torch.equal(new["weights"], THIRD)


def test_too_many_agents_for_the_exact_value_are_refused_before_the_first_round():
    crowd = replace(SETTING, keys=tuple(map(str, range(31))), sizes=torch.ones(31))
    with pytest.raises(ValueError, match="31 agents"):
        CGSV(valuation="exact").init(crowd)
