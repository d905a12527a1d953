"""The loop: what it computes, that it depends on nothing it should not, and what it
refuses."""

import math
import random

import numpy as np
import pytest
import torch
from torch import nn

from fairfl import datasets, federation, models, partition, probes, vectors
from fairfl.federation import Federation, UpdateError
from fairfl.history import History
from fairfl.mechanisms import CGSV, FedAvg, Standalone
from fairfl.partition import Agent
from fairfl.randomness import generator, seeded
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining

F64 = torch.float64
LOCAL = LocalTraining(lr=Schedule(0.1, 0.98), batch_size=16)
ALL = (
    probes.log,
    probes.download,
    probes.server_distance,
    probes.union_loss,
    probes.own_loss,
    probes.test_accuracy,
)


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


@pytest.fixture(scope="module")
def agents(digits):
    return partition.power_law(digits, agents=4, size=60, seed=0)


def build(agents, mechanism=None, digits=None, **changes):
    if digits is not None:
        changes["test"] = (digits.test_x, digits.test_y)
    return Federation(
        agents,
        models.build("digits_cnn", seed=0),
        mechanism or CGSV(),
        **{"local": LOCAL} | changes,
    )


def last(fed, n, start=None):
    return list(fed.rounds(n, start))[-1]


def linear(samples=4, features=2, classes=2):
    """A small linear classifier and agents for it."""
    with seeded(0, "linear"):
        module = nn.Linear(features, classes, dtype=F64)
    draws = generator(0, "linear data")
    return module, [
        Agent(
            str(i),
            torch.randn(samples + i, features, generator=draws, dtype=F64),
            torch.randint(classes, (samples + i,), generator=draws),
        )
        for i in range(1, 4)
    ]


# ---- what it computes


def test_two_rounds_written_out():
    module, agents = linear()
    fed = Federation(
        agents,
        module,
        CGSV(alpha=0.8, beta=1.5),
        local=LocalTraining(lr=Schedule(0.2, 0.5), batch_size=None),
        gamma=Schedule(0.3, 0.9),
    )
    w = torch.cat([module.weight.detach().flatten(), module.bias.detach()])
    server, own = w.clone(), [w.clone() for _ in agents]
    sizes = torch.tensor([5.0, 6.0, 7.0], dtype=F64)
    weights, average = sizes / sizes.sum(), torch.zeros(3, dtype=F64)
    for snapshot in fed.rounds(2):
        t = snapshot.t
        updates = []
        for model, agent in zip(own, agents, strict=True):
            leaf = model.clone().requires_grad_()
            logits = agent.x @ leaf[:4].reshape(2, 2).T + leaf[4:]
            (gradient,) = torch.autograd.grad(
                nn.functional.cross_entropy(logits, agent.y), leaf
            )
            updates.append(-0.2 * 0.5 ** (t - 1) * gradient)
        u = torch.stack([0.3 * 0.9 ** (t - 1) * d / d.norm() for d in updates])
        total = weights @ u
        psi = torch.stack([v @ total / (v.norm() * total.norm()) for v in u])
        average = (0.8 * average + 0.2 * psi).clamp(min=1e-3)
        weights = average = average / average.sum()
        quality = (1.5 * average).tanh() / (1.5 * average).tanh().max()
        for i in range(3):
            q = math.floor(6 * quality[i])
            keep = total.abs().argsort(descending=True)[:q]
            own[i][keep] += total[keep]
        server += total
        torch.testing.assert_close(snapshot.step.log["psi"], psi)
        torch.testing.assert_close(snapshot.step.log["r"], average)
        torch.testing.assert_close(snapshot.server, server)
        torch.testing.assert_close(snapshot.models, torch.stack(own))


def test_fedavg_keeps_all_models_with_the_server(agents):
    for scaling in ("normalised", "clipped", "raw"):
        snapshot = last(build(agents, FedAvg(scaling=scaling)), 3)
        for model in snapshot.models:
            assert torch.equal(model, snapshot.server)


def test_standalone_is_training_alone(agents):
    together = last(build(agents, Standalone()), 3)
    alone = last(build(agents[2:3], Standalone()), 3)
    torch.testing.assert_close(
        together.models[2], alone.models[0], rtol=0, atol=1e-13
    )  # sums in another order
    assert torch.equal(together.server, together.models[0] * 0 + build(agents).initial)


def test_what_an_agent_misses_is_what_its_mask_drops(agents):
    snapshot = last(build(agents), 1)
    step = snapshot.step
    gaps = (snapshot.models - snapshot.server).norm(dim=1)
    for i, (q, gap) in enumerate(zip(step.log["q"].tolist(), gaps, strict=True)):
        dropped = step.aggregate.abs().sort().values[: 18_346 - q]
        torch.testing.assert_close(gap, dropped.norm())
        assert (step.reward.row(i) != 0).sum() <= q
    assert step.log["q"].max() == 18_346 and step.log["q"].min() < 18_346
    assert gaps[step.log["r"].argmax()] == 0 < gaps[step.log["r"].argmin()]


def test_infinite_altruism_is_equality(agents):
    snapshot = last(build(agents, CGSV(beta=math.inf)), 3)
    for model in snapshot.models:
        assert torch.equal(model, snapshot.server)


# ---- corner cases of the mechanism


class Given:
    """Local training that returns the same updates each round."""

    def __init__(self, *rows):
        self.updates = torch.tensor(rows, dtype=F64)

    def __call__(self, module, models, buffers, agents, local, t, seed):
        return self.updates.clone(), buffers


def with_updates(*rows, mechanism=None):
    module, _ = linear()
    x, y = torch.ones(1, 2, dtype=F64), torch.tensor([0])
    agents = [Agent(str(i), x, y) for i in range(1, len(rows) + 1)]
    return Federation(
        agents, module, mechanism or CGSV(), train=Given(*rows), gamma=Schedule(1.0)
    )


def test_one_agent_gets_all_of_its_own():
    snapshot = last(with_updates([3.0, 0, 0, 4, 0, 0]), 5)
    assert snapshot.step.log["r"].tolist() == [1.0]
    assert torch.equal(snapshot.models[0], snapshot.server)


def test_identical_agents_get_the_same():
    snapshot = last(with_updates(*[[3.0, 1, 2, 4, 0, 0]] * 3), 5)
    torch.testing.assert_close(
        snapshot.step.log["r"], torch.full((3,), 1 / 3, dtype=F64)
    )
    assert snapshot.step.log["q"].tolist() == [6, 6, 6]


def test_a_zero_update_is_worth_nothing_and_costs_the_others_nothing():
    snapshot = last(
        with_updates([1.0, 2, 0, 0, 0, 0], [0.0] * 6, [2.0, 1, 0, 0, 0, 0]), 1
    )
    psi, r = snapshot.step.log["psi"], snapshot.step.log["r"]
    assert psi[1] == 0 and psi[0] == pytest.approx(float(psi[2])) and psi[0] > 0.9
    assert r[1] == pytest.approx(
        1e-3 / (1e-3 + 0.05 * float(psi.sum()))
    )  # the floor under .95 * 0 + .05 * 0
    assert snapshot.server.isfinite().all()


@pytest.mark.parametrize(
    "rows",
    [([0.0] * 6, [0.0] * 6), ([1.0, 2, 0, 0, 0, 0], [-1.0, -2, 0, 0, 0, 0])],
    ids=["all zero", "cancelling"],
)
def test_nothing_to_aggregate_changes_nothing(rows):
    fed = with_updates(*rows)
    first, second = fed.rounds(2)
    assert torch.equal(second.server, fed.initial) and torch.equal(
        second.models[1], fed.initial
    )
    assert second.step.log["psi"].tolist() == [0, 0]
    assert second.step.log["r"].tolist() == [0.5, 0.5]


def test_after_cancelling_the_average_still_starts_at_zero():
    fed = with_updates([1.0, 2, 0, 0, 0, 0], [-1.0, -2, 0, 0, 0, 0])
    cancelled = last(fed, 1)
    fed.train = Given([1.0, 0, 0, 0, 0, 0], [0.0, 1, 0, 0, 0, 0])
    assert next(fed.rounds(1, cancelled)).step.log["r"].tolist() == pytest.approx(
        [0.5, 0.5]
    )
    fed.train = Given([1.0, 0, 0, 0, 0, 0], [1.0, 1, 0, 0, 0, 0])
    after = next(fed.rounds(1, cancelled)).step.log
    torch.testing.assert_close(after["r"], after["psi"] / after["psi"].sum())


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_an_update_that_is_not_finite_names_agent_and_round_and_loses_nothing(bad):
    fed = with_updates([1.0, 0, 0, 0, 0, 0], [0.0, 1, 0, 0, 0, 0])
    history = fed.run(2)
    fed.train = Given([1.0, 0, 0, 0, 0, 0], [bad, 1, 0, 0, 0, 0])
    with pytest.raises(
        UpdateError, match="update of agent '2' in round 3 holds NaN or infinite"
    ) as caught:
        fed.run(4, history=history)
    assert (caught.value.agent, caught.value.round) == ("2", 3)
    assert caught.value.history is history and history.rounds("r").tolist() == [1, 2]


def test_large_entries_that_are_finite_are_taken():
    fed = with_updates([1e150, 1e150, 0, 0, 0, 0], [0.0, 0, 1, 0, 0, 0])
    assert last(fed, 1).step.log["psi"].tolist() == pytest.approx([0.5**0.5] * 2)


# ---- what the result must not depend on


def test_permuting_the_agents_permutes_five_rounds(agents, digits):
    order = [2, 0, 3, 1]
    one = build(agents, digits=digits).run(5, ALL)
    other = build([agents[i] for i in order], digits=digits).run(5, ALL)
    assert (one.last.models[order] - other.last.models).abs().max() < 1e-9
    assert (one.last.server - other.last.server).abs().max() < 1e-9
    for name in ("psi", "r", "download_cosine", "own_loss", "test_accuracy"):
        torch.testing.assert_close(one[name][:, order], other[name], rtol=0, atol=1e-9)
    assert torch.equal(one["q"][:, order], other["q"])


def same(one, other):
    return one.names == other.names and all(
        torch.equal(one[name], other[name])
        for name in one.names
        if not name.startswith("seconds")
    )


def test_the_same_seed_gives_the_same_history_and_another_does_not(agents, digits):
    one, other, third = (
        build(agents, digits=digits, seed=seed).run(3, ALL) for seed in (7, 7, 8)
    )
    assert same(one, other)
    assert not torch.equal(one["psi"], third["psi"])


def test_evaluation_does_not_disturb_training(agents, digits):
    always = build(agents, digits=digits).run(3, ALL)
    reversed_order = build(agents, digits=digits).run(3, ALL[::-1])
    sometimes = build(agents, digits=digits).run(
        3, [probes.every(2, probe) for probe in ALL]
    )
    never = last(build(agents), 3)
    assert sometimes.rounds("test_accuracy").tolist() == [1, 2]
    for history in (always, reversed_order, sometimes):
        assert torch.equal(history.last.models, never.models)
        assert torch.equal(history.last.server, never.server)


def test_global_generators_are_neither_read_nor_changed(agents):
    draws = []
    for seed in (1, 2):
        torch.manual_seed(seed), np.random.seed(seed), random.seed(seed)
        before = (
            torch.get_rng_state(),
            np.random.get_state()[1].copy(),
            random.getstate(),
        )
        draws.append(last(build(agents), 2))
        assert torch.equal(before[0], torch.get_rng_state())
        assert (before[1] == np.random.get_state()[1]).all() and before[
            2
        ] == random.getstate()
    assert torch.equal(draws[0].models, draws[1].models)


def test_the_number_of_threads_does_not_change_the_draws(agents):
    threads, seen = torch.get_num_threads(), []
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            seen.append(last(build(agents), 2))
    finally:
        torch.set_num_threads(threads)
    torch.testing.assert_close(seen[0].models, seen[1].models, rtol=0, atol=1e-10)


def test_going_on_is_the_same_as_not_stopping(agents, digits):
    whole = build(agents, digits=digits).run(4, ALL)
    history = build(agents, digits=digits).run(2, ALL)
    middle = history.last.models.clone()
    start = history.last
    resumed = build(agents, digits=digits).run(2, ALL, history=history)
    assert same(whole, resumed) and torch.equal(whole.last.models, resumed.last.models)
    assert torch.equal(start.models, middle)  # the snapshot stays as it was


def test_an_interrupted_run_keeps_its_rounds_and_goes_on(agents, digits):
    def interrupt(federation, snapshot):
        if snapshot.t == 3:
            raise KeyboardInterrupt
        return {}

    history = History(tuple(agent.key for agent in agents))
    with pytest.raises(KeyboardInterrupt):
        build(agents, digits=digits).run(4, (*ALL, interrupt), history=history)
    assert history.rounds("r").tolist() == [1, 2]
    build(agents, digits=digits).run(2, ALL, history=history)
    assert same(history, build(agents, digits=digits).run(4, ALL))


def test_what_is_called_after_a_round_finds_it_recorded(agents, digits, capsys):
    seen = []
    fed = build(agents, digits=digits)
    history = fed.run(
        2, ALL, after=lambda history: seen.append((history.last.t, len(history["r"])))
    )
    assert seen == [(1, 1), (2, 2)] and capsys.readouterr().err == ""
    fed.run(1, ALL, history=history, progress=True)
    said = capsys.readouterr().err
    assert (
        "3/3" in said
        and f"accuracy {100 * history['test_accuracy'][-1].mean():.1f} %" in said
    )


def test_local_training_must_return_one_update_an_agent():
    fed = with_updates([1.0, 0, 0, 0, 0, 0], [0.0, 1, 0, 0, 0, 0])
    fed.train = Given([1.0, 0, 0, 0, 0, 0])
    with pytest.raises(
        ValueError, match=r"updates of shape \(1, 6\) for models of shape \(2, 6\)"
    ):
        next(fed.rounds(1))


def test_snapshots_share_no_memory(agents):
    fed = build(agents)
    one, two = fed.rounds(2)
    two.models.zero_(), two.server.zero_()
    assert (
        one.models.abs().sum() > 0
        and one.server.abs().sum() > 0
        and fed.initial.abs().sum() > 0
    )
    copies = fed.start()
    copies.models[0] = 0
    assert copies.models[1].abs().sum() > 0 and copies.server.abs().sum() > 0


def test_the_users_module_is_left_alone(agents):
    module = models.build("digits_cnn", seed=0)
    before = vectors.flatten(module)
    last(Federation(agents, module, CGSV(), local=LOCAL), 1)
    assert torch.equal(vectors.flatten(module), before)


def test_dropout_draws_from_the_runs_seed(agents):
    with seeded(0, "dropout"):
        module = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 10)
        ).double()
    one, other, third = (
        last(Federation(order, module, CGSV(), local=LOCAL, seed=seed), 2)
        for order, seed in ((agents, 0), (agents[::-1], 0), (agents, 1))
    )
    assert (one.models - other.models.flip(0)).abs().max() < 1e-9
    assert not torch.allclose(one.models, third.models)


# ---- buffers


def batch_norm():
    with seeded(0, "bn"):
        return nn.Sequential(
            nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 10)
        ).double()


def test_running_statistics_are_refused_unless_the_user_says_how(agents):
    with pytest.raises(
        ValueError, match=r"2\.running_mean.*buffers='local' or 'shared'"
    ):
        Federation(agents, batch_norm(), CGSV(), local=LOCAL)


def test_local_and_shared_statistics(agents):
    local, shared = (
        last(Federation(agents, batch_norm(), CGSV(), local=LOCAL, buffers=how), 1)
        for how in ("local", "shared")
    )
    assert torch.equal(local.models, shared.models)  # the first round trains alike
    assert not torch.allclose(local.buffers[0], local.buffers[1])
    for row in shared.buffers:
        torch.testing.assert_close(row, local.buffers.mean(0))


# ---- what it refuses


def test_mechanisms_that_need_a_validation_set_are_refused_before_round_1(agents):
    class Needy(FedAvg):
        needs = ("accuracy",)

    with pytest.raises(ValueError, match="Needy needs a validation set"):
        build(agents, Needy())
    seen = []

    class Asks(Needy):
        def apply(self, state, round, setting):
            seen.append((round.accuracy(round.models), round.losses()))
            return super().apply(state, round, setting)

    x, y = agents[3].x[:20], agents[3].y[:20]
    fed = build(agents, Asks(), validation=(x, y))
    last(fed, 1)
    accuracy, losses = seen[0]
    expected = fed.evaluate(fed.start().models, x, y)[1]
    assert torch.equal(accuracy, expected) and losses.shape == (4,)


def broken(agents, **changes):
    return [*agents[:2], agents[2]._replace(**changes)]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda a: [], "at least one agent"),
        (lambda a: [a[0], a[0]], "'1' occurs more than once"),
        (lambda a: broken(a, x=a[2].x[:0], y=a[2].y[:0]), "agent '3' holds no samples"),
        (lambda a: broken(a, y=a[2].y[:-1]), "agent '3': .* samples do not fit labels"),
        (
            lambda a: broken(a, x=a[2].x.float()),
            "agent '3': samples are torch.float32, the network is torch.float64",
        ),
        (
            lambda a: broken(a, x=a[2].x[:, :, :4]),
            r"agent '3': the network does not take samples of shape \(1, 4, 8\)",
        ),
        (
            lambda a: broken(a, y=a[2].y + 1),
            "agent '3': labels must be int64 from 0 to 9",
        ),
        (lambda a: broken(a, x=a[2].x / 0), "agent '3': the samples hold NaN"),
    ],
)
def test_agents_that_do_not_fit_are_named(agents, make, message):
    with pytest.raises(ValueError, match=message):
        build(make(agents))


def test_a_precision_that_would_change_nothing_is_refused(agents):
    with pytest.raises(
        ValueError, match="precision='bfloat16' needs a network in float32"
    ):
        build(agents, local=LocalTraining(precision="bfloat16"))


def test_a_test_set_that_does_not_fit_is_named(agents, digits):
    with pytest.raises(ValueError, match="test: samples are torch.float32"):
        build(agents, test=(digits.test_x.float(), digits.test_y))
    with pytest.raises(ValueError, match="needs a test set"):
        build(agents).run(1, [probes.test_accuracy])


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Schedule(0.0), "first must be a positive, finite number"),
        (lambda: Schedule(0.5, math.inf), "decay must be a positive, finite"),
        (
            lambda: LocalTraining(batch_size=0),
            "batch_size must be a whole number of at least 1",
        ),
        (
            lambda: LocalTraining(epochs=0),
            "epochs must be a whole number of at least 1",
        ),
        (lambda: LocalTraining(decay_per="step"), "known are round, epoch"),
        (lambda: probes.every(0, probes.log), "k must be a whole number of at least 1"),
    ],
)
def test_hyperparameters_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_history_of_other_agents_is_refused(agents):
    history = build(agents).run(1)
    with pytest.raises(ValueError, match="history is of agents"):
        build(agents[:2]).run(1, history=history)


def test_evaluation_by_hand(agents):
    fed = build(agents)
    agent = agents[3]
    loss, accuracy = fed.evaluate(fed.initial[None], agent.x, agent.y)
    logits = models.build("digits_cnn", seed=0)(agent.x)
    assert loss.item() == pytest.approx(
        nn.functional.cross_entropy(logits, agent.y).item()
    )
    assert accuracy.item() == pytest.approx(
        (logits.argmax(1) == agent.y).double().mean().item()
    )


def test_update_error_is_a_value_error():
    assert issubclass(federation.UpdateError, ValueError)


def test_a_run_keeps_what_the_next_round_needs(agents, monkeypatch):
    fed, begun = build(agents), []
    following = Federation._next

    def noted(self, last):
        begun.append((last.t, last.before is None, last.updates is None))
        return following(self, last)

    monkeypatch.setattr(Federation, "_next", noted)
    history = fed.run(3)
    assert begun == [(t, True, True) for t in range(3)]
    last = history.last
    assert last.updates.any() and last.step is not None and last.before is not None
    fed.run(1, history=history)
    # whoever goes on from a snapshot finds it as it was
    assert last.updates.any() and history.last.t == 4
    bare = last.bare()
    assert torch.equal(bare.models, last.models) and bare.uploads is None
