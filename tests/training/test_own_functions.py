"""Loss, accuracy, optimiser and augmentation of one's own."""

import copy
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fairfl import attacks, models, probes, vectors
from fairfl.federation import Federation
from fairfl.mechanisms import CFFL, CGSV, ECI, QFFL, FedAvg, Standalone
from fairfl.partition import Agent
from fairfl.randomness import generator, seeded
from fairfl.runs import recommended
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining, plain, stacked, threads

F64 = torch.float64
BCE = partial(F.binary_cross_entropy_with_logits, reduction="none")
SQUARED = partial(F.mse_loss, reduction="none")
ADAMW = partial(torch.optim.AdamW, weight_decay=0.1)


def network(outputs=2):
    with seeded(0, "own", outputs):
        return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, outputs)).double()


def some(labels, sizes=(5, 9, 6)):
    """Agents whose labels are a function of the samples (n, 6)."""
    draws = generator(0, "own")
    xs = [torch.randn(n, 6, generator=draws, dtype=F64) for n in sizes]
    return [Agent(f"a{i}", x, labels(x)) for i, x in enumerate(xs)]


def real(x):
    return torch.stack([x.sum(1), x[:, 0] - 2 * x[:, 1]], 1)


def several(x):
    return (x[:, :3] > 0).double()


def classes(x):
    return (x[:, 0] > 0).long()


def local(**fields):
    return LocalTraining(**{"lr": Schedule(0.1), "batch_size": 4} | fields)


def build(agents, module, mechanism=None, **options):
    return Federation(agents, module, mechanism or CGSV(), **options)


def flip(x, generator):
    """Changes the sign of about half of the samples."""
    signs = torch.randint(2, (len(x), 1), generator=generator) * 2 - 1
    return x * signs.to(x)


# ---- what is computed


@pytest.mark.parametrize("loss", [F.mse_loss, SQUARED], ids=["number", "entries"])
def test_a_regression_written_out(loss):
    with seeded(0, "linear"):
        module = nn.Linear(6, 2, dtype=F64)
    agents = some(real)
    test = some(real, (7,))[0][1:3]
    fed = build(
        agents,
        module,
        Standalone(),
        local=local(loss=loss, batch_size=None),
        test=test,
    )
    history = fed.run(1, [probes.own_loss, probes.test_results])
    w, b = module.weight.detach(), module.bias.detach()
    for i, agent in enumerate(agents):
        error = 2 * (agent.x @ w.T + b - agent.y) / agent.y.numel()
        slope = torch.cat([(error.T @ agent.x).flatten(), error.sum(0)])
        expected = vectors.flatten(module) - 0.1 * slope
        torch.testing.assert_close(history.last.models[i], expected)
        weight, bias = expected[:12].view(2, 6), expected[12:]
        for name, x, y in (("own_loss", *agent[1:3]), ("test_loss", *test)):
            found = ((x @ weight.T + bias - y) ** 2).mean()
            torch.testing.assert_close(history[name][-1, i], found)
    assert "test_accuracy" not in history.names
    slope = probes.server_gradient(fed, history.last)["server_gradient"]
    x, y = (torch.cat([agent[part] for agent in agents]) for part in (1, 2))
    own = copy.deepcopy(module)
    vectors.load(own, history.last.server)
    F.mse_loss(own(x), y).backward()
    expected = torch.cat([p.grad.flatten() for p in own.parameters()]).norm()
    assert slope.item() == pytest.approx(expected.item())


def test_several_labels_a_sample_with_an_accuracy_of_ones_own():
    def accuracy(outputs, y):
        return (outputs > 0) == y.bool()

    agents, test = some(several), some(several, (50,))[0][1:3]
    fed = build(
        agents,
        network(3),
        CFFL(),
        local=local(loss=BCE, accuracy=accuracy, epochs=5, lr=0.5),
        test=test,
        validation=test,
    )
    assert fed.backend == "stacked"
    history = fed.run(10, [probes.test_results, probes.validation_accuracy])
    own = copy.deepcopy(fed.module)
    vectors.load(own, history.last.models[0])
    outputs = own(test[0]).detach()
    right = ((outputs > 0) == (test[1] > 0.5)).double().mean()
    assert history["test_accuracy"][-1, 0].item() == pytest.approx(right.item())
    expected = F.binary_cross_entropy_with_logits(outputs, test[1])
    assert history["test_loss"][-1, 0].item() == pytest.approx(expected.item())
    assert history["test_loss"][-1].mean() < history["test_loss"][0].mean()


def test_cross_entropy_given_as_a_function_is_the_default():
    """Losses and accuracy, too; and a classifier keeps its accuracy."""
    agents, test = some(classes), some(classes, (70,))[0][1:3]
    loss = partial(F.cross_entropy, reduction="none")
    every = (probes.test_results, probes.own_loss, probes.server_gradient)
    runs = [
        build(agents, network(), local=local(loss=given), test=test).run(3, every)
        for given in (None, loss, F.cross_entropy)
    ]
    for run in runs[1:]:
        for name in ("test_accuracy", "test_loss", "own_loss", "server_gradient"):
            torch.testing.assert_close(run[name], runs[0][name], rtol=0, atol=1e-12)


@pytest.mark.parametrize("train", ["plain", "threads"])
def test_adamw_is_a_loop_written_out(train):
    agents, module = some(real), network()
    settings = local(
        loss=F.mse_loss, optimizer=ADAMW, lr=Schedule(0.05, 0.5), epochs=2
    )
    fed = build(agents, module, Standalone(), local=settings, train=train, seed=3)
    found = list(fed.rounds(2))[-1].models
    for i, agent in enumerate(agents):
        own = copy.deepcopy(module)
        for t in (1, 2):
            optimizer = torch.optim.AdamW(
                own.parameters(), lr=0.05 * 0.5 ** (t - 1), weight_decay=0.1
            )
            draws = generator(3, "batches", agent.key, t)
            for _, rows in settings.batches(len(agent.y), draws):
                optimizer.zero_grad()
                F.mse_loss(own(agent.x[rows]), agent.y[rows]).backward()
                optimizer.step()
        # a model is the one before plus the update, which rounds
        torch.testing.assert_close(
            found[i], vectors.flatten(own).detach(), rtol=0, atol=1e-12
        )
    assert torch.equal(fed.initial, vectors.flatten(module))


@pytest.mark.parametrize("train", ["plain", "threads"])
def test_groups_of_an_optimiser_keep_their_ratio_to_the_learning_rate(train):
    def slower(parameters, lr):
        first, *others = parameters
        groups = [{"params": others}, {"params": [first], "lr": 0.25 * lr}]
        return torch.optim.SGD(groups, lr=lr)

    settings = local(
        optimizer=slower, lr=Schedule(0.5, 0.5), decay_per="epoch", epochs=2
    )
    agents, module = some(classes), network()
    fed = build(agents, module, Standalone(), local=settings, train=train)
    found = list(fed.rounds(2))[-1].models
    for i, agent in enumerate(agents):
        own = copy.deepcopy(module)
        for t in (1, 2):
            draws = generator(0, "batches", agent.key, t)
            for epoch, rows in settings.batches(len(agent.y), draws):
                rate = 0.5 * 0.5 ** (2 * (t - 1) + epoch)
                loss = F.cross_entropy(own(agent.x[rows]), agent.y[rows])
                slopes = torch.autograd.grad(loss, list(own.parameters()))
                for j, (p, g) in enumerate(zip(own.parameters(), slopes, strict=True)):
                    p.data.sub_(g, alpha=rate * (0.25 if j == 0 else 1))
        torch.testing.assert_close(
            found[i], vectors.flatten(own).detach(), rtol=0, atol=1e-12
        )


# ---- augmentation


@pytest.mark.parametrize("train", ["plain", "threads"])
def test_augmentation_is_drawn_by_agent_and_round(train):
    agents, seen = some(classes), {}

    def watched(x, draws):
        key = next(a.key for a in agents if any(torch.equal(x[0], r) for r in a.x))
        seen.setdefault(key, []).append(torch.randint(2**62, (), generator=draws))
        return flip(x, draws)

    options = {"local": local(augment=watched), "train": train}
    first = list(build(agents, network(), Standalone(), **options).rounds(2))[-1]
    steps = {agent.key: 2 * -(-len(agent.y) // 4) for agent in agents}
    drawn = {key: seen[key][-n:] for key, n in steps.items()}  # not those of the trial
    numbers = [int(number) for numbers in drawn.values() for number in numbers]
    assert len(set(numbers)) == len(numbers)  # others for each agent, round, step
    for key, given in drawn.items():
        draws = generator(0, "augment", key, 1)
        assert given[0] == torch.randint(2**62, (), generator=draws)
    order = [2, 0, 1]
    fed = build([agents[i] for i in order], network(), Standalone(), **options)
    assert torch.equal(list(fed.rounds(2))[-1].models, first.models[order])


def test_augmentation_changes_training_and_nothing_else():
    agents, test = some(classes), some(classes, (70,))[0][1:3]
    before = [agent.x.clone() for agent in agents]

    def in_place(x, generator):
        return x.mul_(torch.randint(2, (len(x), 1), generator=generator) * 2 - 1)

    runs = {}
    for name, augment in (("none", None), ("flip", flip), ("in place", in_place)):
        fed = build(agents, network(), local=local(augment=augment), test=test)
        runs[name] = fed.run(2, [probes.log, probes.test_results, probes.own_loss])
    assert torch.equal(runs["flip"].last.models, runs["in place"].last.models)
    assert not torch.allclose(runs["flip"].last.models, runs["none"].last.models)
    assert all(torch.equal(a.x, x) for a, x in zip(agents, before, strict=True))
    models_, none = runs["flip"].last.models, torch.empty(3, 0, dtype=F64)
    assert torch.equal(runs["flip"]["own_loss"][-1], fed.own_losses(models_, none))


def test_augmented_sentences_may_hold_words_that_no_sample_holds():
    """Threads train a smaller network on the words that an agent has."""
    module = models.build("text_cnn", 0, F64, vocabulary=60, classes=3, maps=2)
    draws = generator(0, "words")
    agents = [
        Agent(k, torch.randint(1, 20, (6, 8), generator=draws), torch.arange(6) % 3)
        for k in "ab"
    ]
    options = {"local": local(augment=lambda x, generator: x + 30)}
    one, other = (
        list(build(agents, module, train=train, **options).rounds(1))[-1].models
        for train in ("plain", "threads")
    )
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


# ---- back ends

REGRESSION = local(loss=SQUARED, epochs=2)
CASES = {  # labels, outputs, settings, the back end that is chosen, those that refuse
    "entries": (real, 2, REGRESSION, "stacked", ()),
    "adam": (real, 2, replace(REGRESSION, optimizer="adam", lr=0.01), "stacked", ()),
    "several": (several, 3, local(loss=BCE), "stacked", ()),
    "number": (real, 2, local(loss=F.mse_loss), "threads", ("stacked",)),
    "adamw": (real, 2, replace(REGRESSION, optimizer=ADAMW), "threads", ("stacked",)),
    "augment": (classes, 2, local(augment=flip), "threads", ("stacked",)),
}


@pytest.mark.parametrize("case", CASES)
def test_all_back_ends_give_the_same_or_refuse(case):
    labels, outputs, settings, chosen, refusing = CASES[case]
    agents, module = some(labels), network(outputs)
    assert build(agents, module, local=settings).backend == chosen
    expected = next(build(agents, module, local=settings, train="plain").rounds(1))
    assert expected.updates.abs().max() > 1e-4
    for train in ("stacked", "threads"):
        if train in refusing:
            with pytest.raises(ValueError, match="cannot be stacked.*'threads' or"):
                build(agents, module, local=settings, train=train)
            continue
        found = next(build(agents, module, local=settings, train=train).rounds(1))
        torch.testing.assert_close(
            found.updates, expected.updates, rtol=0, atol=1e-9, msg=train
        )


@pytest.mark.parametrize("case", ["number", "adamw", "augment"])
def test_what_cannot_be_stacked_is_refused_by_the_function_too(case):
    labels, outputs, settings, *_ = CASES[case]
    agents, module = some(labels), network(outputs)
    given = vectors.flatten(module).repeat(3, 1), torch.empty(3, 0, dtype=F64)
    with pytest.raises(ValueError, match="cannot be stacked|one number for all"):
        stacked.train(module, *given, agents, settings, 1, 0)


def test_a_loss_in_which_samples_see_each_other_is_not_stacked():
    def centred(outputs, y):
        return (outputs - outputs.mean(0) - y) ** 2

    fed = build(some(real), network(), local=local(loss=centred))
    assert fed.backend == "threads"


@pytest.mark.parametrize("what", ["loss", "augment", "optimizer"])
def test_draws_from_the_global_generator_are_seeded_and_plain(what):
    class Noisy(torch.optim.SGD):
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    p.data.add_(torch.randn_like(p), alpha=1e-3)
            return super().step(closure)

    functions = {
        "loss": lambda z, y: SQUARED(z + torch.randn_like(z), y),
        "augment": lambda x, generator: x + torch.randn_like(x),
        "optimizer": Noisy,
    }
    settings = replace(REGRESSION, **{what: functions[what]})
    agents, state = some(real), torch.get_rng_state()
    fed = build(agents, network(), Standalone(), local=settings)
    assert fed.backend == "plain" and torch.equal(state, torch.get_rng_state())
    one = list(fed.rounds(2))[-1].models
    torch.manual_seed(1)
    other = build(agents[::-1], network(), Standalone(), local=settings)
    assert torch.equal(list(other.rounds(2))[-1].models.flip(0), one)
    with pytest.raises(ValueError, match="global generator .* 'threads'"):
        build(agents, network(), local=settings, train="threads")


# ---- what is refused


def named(agents, i, y):
    return [a._replace(y=y(a.y)) if j == i else a for j, a in enumerate(agents)]


def spoiled(y):
    y = y.clone()
    y[2] = torch.nan
    return y


@pytest.mark.parametrize(
    "loss, y, message",
    [
        (SQUARED, lambda y: y[:, :1].long(), "loss does not take .*Using a target"),
        (lambda z, y: z[:1] - y[:1], None, r"an entry a sample .*made .*\(1, 2\)"),
        (lambda z, y: (z[:, :1] - y[:, 0]) ** 2, None, r"made .*\(2, 2\)"),
        (lambda z, y: float(z.detach().sum()), None, "made a float"),
        (lambda z, y: SQUARED(z, y) / 0, None, "of the first and last sample is .*inf"),
        (lambda z, y: SQUARED(z, y) * torch.nan, None, "and last sample is .*nan"),
        (lambda z, y: ((z > 0) == (y > 0)).double(), None, "has no gradient"),
        (SQUARED, spoiled, "labels hold NaN"),
    ],
)
def test_losses_that_do_not_fit_name_the_agent(loss, y, message):
    agents = some(real)
    where = "'a1'" if y else "'a0'"
    agents = named(agents, 1, y) if y else agents
    with pytest.raises(ValueError, match=f"agent {where}: (the )?.*{message}"):
        build(agents, network(), local=local(loss=loss))


def test_a_network_of_several_outputs_and_an_accuracy_beyond_one():
    class Pair(nn.Linear):
        def forward(self, x):
            return super().forward(x), x

    with pytest.raises(ValueError, match="agent 'a0': .*one tensor.*made a tuple"):
        build(some(real), Pair(6, 2, dtype=F64), local=REGRESSION)
    with pytest.raises(ValueError, match=r"agent 'a0': the accuracy must lie in \[0"):
        build(
            some(real),
            network(),
            local=replace(REGRESSION, accuracy=lambda z, y: z.abs() + 2),
        )


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"augment": lambda x, g: x[1:]}, "agent 'a0': augment must give a tensor"),
        (
            {"augment": lambda x, g: x * np.random.rand()},
            "agent 'a0': augment must draw from its generator",
        ),
        ({"augment": lambda x, g: x[:, 1:]}, "agent 'a0': a step of training fails"),
        ({"optimizer": torch.optim.LBFGS}, "agent 'a0': a step of .*closure"),
        ({"optimizer": lambda p: None}, "agent 'a0': a step of .*lr"),
    ],
)
def test_functions_that_do_not_work_name_the_agent(changes, message):
    with pytest.raises(ValueError, match=message):
        build(some(classes), network(), local=local(**changes))


@pytest.mark.parametrize("field", ["loss", "accuracy", "augment"])
def test_texts_are_no_functions(field):
    with pytest.raises(ValueError, match=f"{field} must be a function, not 'mse'"):
        LocalTraining(**{field: "mse"})


def test_what_needs_classes_says_so():
    agents = some(real)
    pair = agents[0][1:3]
    for mechanism in (CFFL(), ECI()):
        with pytest.raises(ValueError, match=r"needs an accuracy.*accuracy=\.\.\."):
            build(agents, network(), mechanism, local=REGRESSION, validation=pair)
    fed = build(agents, network(), local=REGRESSION, test=pair, validation=pair)
    snapshot = next(fed.rounds(1))
    for name in ("test_accuracy", "trained_test_accuracy", "validation_accuracy"):
        with pytest.raises(ValueError, match=f"probe {name} needs an accuracy"):
            getattr(probes, name)(fed, snapshot)
    assert fed.evaluate(snapshot.models, *pair)[1].isnan().all()
    for labels, outputs, settings in (
        (real, 2, REGRESSION),
        (several, 3, local(loss=BCE)),
    ):
        with pytest.raises(ValueError, match="agent 'a1' cannot change classes"):
            build(
                some(labels),
                network(outputs),
                local=settings,
                attacks={"a1": attacks.Labels()},
            )


def test_q_ffl_takes_a_loss_that_is_not_negative_only():
    agents = some(real)
    found = build(agents, network(), QFFL(q=1.0), local=REGRESSION).run(2)
    assert found.last.models.isfinite().all() and found["losses"].min() > 0
    below = replace(REGRESSION, loss=lambda z, y: SQUARED(z, y) - 100)
    with pytest.raises(ValueError, match="must not be negative"):
        build(agents, network(), QFFL(), local=below).run(1)


@pytest.mark.parametrize("field", ["loss", "accuracy", "augment", "optimizer"])
def test_no_record_holds_a_function(field):
    usual = recommended("digits")
    assert not {"loss", "accuracy", "augment"} & set(usual.to_dict()["local"])
    with pytest.raises(ValueError, match=f"local.{field} must be plain data"):
        recommended("digits", local=LocalTraining(**{field: F.mse_loss}))


def test_a_loop_of_ones_own_is_measured_by_the_loss():
    agents = some(real)
    fed = build(agents, network(), FedAvg(), local=REGRESSION, train=plain.train)
    assert fed.backend == "custom"
    history = fed.run(3, [probes.own_loss, probes.union_loss, probes.server_gradient])
    assert history["own_loss"].isfinite().all()
    threaded = build(agents, network(), FedAvg(), local=REGRESSION, train=threads.train)
    torch.testing.assert_close(threaded.run(3).last.models, history.last.models)
