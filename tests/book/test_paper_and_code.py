"""The chapter "The paper and its code": its library parts, and each effect that it
shows."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from fairfl import datasets, presets, runs, vectors
from fairfl.downloads import sparsify
from fairfl.federation import Federation
from fairfl.mechanisms import CGSV
from fairfl.partition import Agent
from fairfl.randomness import generator, seeded
from fairfl.runs.settings import Settings
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining, left_over, plain, stacked, threads

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


def federation(digits, sizes, local, seed=0, dtype=torch.float64, mechanism=None,
               gamma=None):
    order = torch.randperm(len(digits.y), generator=torch.Generator().manual_seed(seed))
    parts = order[: sum(sizes)].split(list(sizes))
    agents = [Agent(f"{i}", digits.x[part].to(dtype), digits.y[part])
              for i, part in enumerate(parts)]
    with seeded(seed, "network"):
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Tanh(),
                                nn.Linear(32, 10)).to(dtype)
    return Federation(agents, network, mechanism or CGSV(beta=1.0), local=local,
                      gamma=gamma or Schedule(1.0, 0.95),
                      test=(digits.test_x.to(dtype), digits.test_y), seed=seed,
                      train=stacked.train)


@pytest.mark.parametrize("samples, batch, expected", [
    (1, 32, 1), (31, 32, 31), (32, 32, 32), (33, 32, 1),
    (600, 32, 24), (865, 32, 1), (7, 1, 1), (7, None, 7),
])
def test_left_over_by_hand(samples, batch, expected):
    assert left_over(samples, batch) == expected
    local = LocalTraining(batch_size=batch)
    *_, last = local.batches(samples, generator(0, "test"))
    assert len(last[1]) == expected


@pytest.mark.parametrize("samples, batch", [(0, 32), (5, 0)])
def test_left_over_refuses_numbers_below_one(samples, batch):
    with pytest.raises(ValueError, match="must be a whole number of at least 1"):
        left_over(samples, batch)


def test_the_last_batch_is_the_last_of_each_epoch_and_the_draws_are_the_same():
    every, last = (LocalTraining(epochs=3, batch_size=4, last_batch=rule)
                   for rule in ("keep", "only"))
    batches = list(every.batches(10, generator(0, "test")))
    expected = [batches[2], batches[5], batches[8]]  # 4 + 4 + 2 samples an epoch
    found = list(last.batches(10, generator(0, "test")))
    assert [epoch for epoch, _ in found] == [0, 1, 2]
    for (_, a), (_, b) in zip(found, expected, strict=True):
        assert torch.equal(a, b) and len(a) == 2


def test_training_on_the_last_batch_is_a_loop_with_its_step_outside(digits):
    """The twin: go through the batches of an epoch, and step when the loop over them
    has ended."""
    local = LocalTraining(lr=Schedule(0.3, 0.5), epochs=2, batch_size=8,
                          decay_per="epoch", last_batch="only")
    fed = federation(digits, (21, 16, 5), local)
    start = fed.start()
    args = (start.models, start.buffers, fed.agents, local, 2, 0)
    for backend in (plain, stacked, threads):
        found = backend.train(fed.module, *args)[0]
        for i, agent in enumerate(fed.agents):
            vectors.load(fed.module, start.models[i])
            # epochs 2 and 3 of the whole run
            draws, step = generator(0, "batches", agent.key, 2), 2
            for _ in range(2):
                for indices in torch.randperm(len(agent.y), generator=draws).split(8):
                    batch = indices
                loss = nn.functional.cross_entropy(
                    fed.module(agent.x[batch]), agent.y[batch],
                )
                gradients = torch.autograd.grad(loss, list(fed.module.parameters()))
                with torch.no_grad():
                    for w, g in zip(fed.module.parameters(), gradients, strict=True):
                        w -= 0.3 * 0.5**step * g
                step += 1
            torch.testing.assert_close(found[i],
                                       vectors.flatten(fed.module) - start.models[i])


def test_a_record_holds_training_on_the_last_batch():
    local = presets.load("earlier_published_code").local
    settings = replace(runs.recommended("digits", "pow", 5), local=local)
    assert Settings.from_dict(settings.to_dict()) == settings
    assert settings.to_dict()["local"]["last_batch"] == "only"


def test_differences_of_presets():
    assert presets.differences("paper", "paper") == {}
    found = presets.differences("paper", "published_code")
    assert found["mask"] == ("vector", "layers")
    assert found["law"] == ("power", "arithmetic")
    assert found["decay_per"] == ("round", "epoch")
    assert found["lr"][1] == Schedule(1e-3, 0.955)
    assert not {"alpha", "floor", "first_weights", "gamma", "beta"} & set(found)
    assert presets.differences("published_code", "earlier_published_code") == {
        "decay_per": ("epoch", "round"), "last_batch": ("keep", "only")
    }
    with pytest.raises(ValueError, match="unknown preset 'text'"):
        presets.differences("paper", "text")


def test_what_is_left_over_decides_where_only_the_last_batch_counts(digits):
    """Sizes rise, remainders fall. With a step on each batch the largest agent beats
    the smallest, else not."""
    gaps = {}
    for rule in ("keep", "only"):
        found, local = [], LocalTraining(lr=Schedule(0.1, 0.977), epochs=3,
                                         batch_size=32, last_batch=rule)
        for seed in range(3):
            fed = federation(digits, (96, 144, 200, 260, 322), local, seed)
            psi = torch.stack([snapshot.step.log["psi"]
                               for snapshot in fed.rounds(10)]).mean(0)
            found.append(float(psi[-1] - psi[0]))
        gaps[rule] = torch.tensor(found)
    assert gaps["keep"].min() > 0.03
    assert gaps["only"].mean() < -0.1 and (gaps["only"] < 0).all()


def test_alike_agents_drift_apart_where_training_rests_not_with_decay_per_round(digits):
    code = presets.load("published_code")
    for seed, dtype in ((2, torch.float32), (1, torch.float64)):
        fed = federation(digits, (64,) * 3, code.local, seed, dtype,
                         code.mechanism(beta=1.0), code.gamma)
        steps, gaps, cosines = [], [], []
        for snapshot in fed.rounds(110):
            r, updates = snapshot.step.log["r"], snapshot.updates.double()
            steps.append(float(snapshot.step.aggregate.double().norm()))
            gaps.append(float(r.max() - r.min()))
            unit = updates / updates.norm(dim=1, keepdim=True).clamp(min=1e-300)
            cosines.append(float((unit.sum(0).square().sum() - unit.square().sum())
                                 / 6))
        assert steps[39] > 0.3
        assert steps[-1] < 0.01
        assert gaps[39] < 0.1
        assert gaps[-1] > 0.2
        assert cosines[39] > 0.2 and (dtype == torch.float32 or cosines[-1] < -0.1)
    slower = replace(code.local, decay_per="round")
    fed = federation(digits, (64,) * 3, slower, 1, torch.float32,
                     code.mechanism(beta=1.0), code.gamma)
    *_, last = fed.rounds(110)
    assert last.step.log["r"].max() - last.step.log["r"].min() < 0.1
    assert last.step.aggregate.norm() > 0.3


def test_single_precision_loses_the_update_between_rounds_40_and_100(digits):
    code = presets.load("published_code")
    single, double = (federation(digits, (64,) * 3, code.local, 0, dtype)
                      for dtype in (torch.float32, torch.float64))
    start = federation(digits, (64,) * 3, LocalTraining(lr=Schedule(0.2), epochs=3), 0,
                       torch.float32)
    *_, start = start.rounds(5)
    cosine = {}
    for t in (1, 40, 100):
        found = []
        for fed in (single, double):
            models = start.models.to(fed.initial.dtype)
            updates, _ = fed.train(fed.module, models, models.new_empty(3, 0),
                                   fed.agents, code.local, t, 0)
            found.append(updates.double())
        cosine[t] = float(torch.cosine_similarity(*found, dim=1).mean())
    assert cosine[1] > 0.999 and cosine[40] > 0.98 and cosine[100] < 0.2


def test_the_mask_by_layers_by_hand():
    u = torch.tensor([3.0, 2.5, 2.0, 1.5, 1.0, 0.5, 0.4, 0.3], dtype=torch.float64)
    share = torch.tensor([1.0, 0.5], dtype=torch.float64)
    layers = [slice(0, 6), slice(6, 8)]
    text = sparsify(u, share)
    code = sparsify(u, share, layers, "ceil_below_size", keep_ties=True)
    assert text.row(1).tolist() == [3, 2.5, 2, 1.5, 0, 0, 0, 0]
    assert code.row(0).tolist() == [3, 2.5, 2, 1.5, 1, 0, 0.4, 0]
    assert code.row(1).tolist() == [3, 2.5, 2, 0, 0, 0, 0.4, 0]
    # as many entries, less of the length
    assert text.row(1).norm() > code.row(1).norm()


def test_training_matters_more_than_the_details_of_the_mechanism(digits):
    code = presets.load("published_code")
    local = LocalTraining(lr=Schedule(0.4, 0.977), batch_size=32)
    gamma = Schedule(1.0, 0.95)
    cases = {
        "base": (CGSV(beta=1.0), local, gamma),
        "details": (code.mechanism(beta=1.0), local, gamma),
        "uniform": (CGSV(beta=1.0, first_weights="uniform"), local, gamma),
        "last batch": (CGSV(beta=1.0), replace(local, last_batch="only"), gamma),
        "constant": (CGSV(beta=1.0), local, Schedule(1.0)),
    }
    r, accuracy = {}, {}
    for name, (mechanism, training, schedule) in cases.items():
        fed = federation(digits, (14, 45, 89, 144, 208), training, 0,
                         mechanism=mechanism, gamma=schedule)
        *_, last = fed.rounds(15)
        r[name], accuracy[name] = last.step.log["r"], 100 * float(
            fed.evaluate(last.server[None], *fed.test)[1]
        )
    shift = {name: float((x - r["base"]).abs().sum()) for name, x in r.items()}
    assert 0 < shift["details"] < 0.04 and 0 < shift["uniform"] < 0.04
    assert min(shift["last batch"], shift["constant"]) > 0.05
    assert max(accuracy["last batch"], accuracy["constant"]) < accuracy["base"] - 1
    assert abs(accuracy["details"] - accuracy["base"]) < 1
