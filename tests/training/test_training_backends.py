"""The fast ways to train against the plain one, for one round from one state."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from fairfl import models, training, vectors
from fairfl.federation import Federation
from fairfl.mechanisms import CGSV
from fairfl.partition import Agent
from fairfl.randomness import generator, seeded
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining, plain, stacked, threads

F32, F64 = torch.float32, torch.float64
SHAPES = {"digits_cnn": (1, 8, 8), "mnist_cnn": (1, 28, 28), "cifar_cnn": (3, 32, 32)}
SIZES = (
    3,
    9,
    6,
    9,
)  # with batches of 4: one step an epoch to three, the last ones of 3, 1, 2 and 1
WAYS = {"stacked": stacked.train, "threads": threads.train}
SGD = LocalTraining(lr=Schedule(0.1, 0.8), epochs=2, batch_size=4, decay_per="epoch")
ADAM = LocalTraining(
    lr=Schedule(1e-3, 0.8), epochs=2, batch_size=4, decay_per="epoch", optimizer="adam"
)


def network(name, dtype):
    return models.build(
        name,
        0,
        dtype,
        **({"vocabulary": 60, "classes": 3, "maps": 8} if name == "text_cnn" else {}),
    )


def agents(name, dtype, sizes=SIZES):
    draws, made = generator(0, "agents", name), []
    for i, n in enumerate(sizes):
        if name == "text_cnn":
            ends = torch.randint(1, 11, (n, 1), generator=draws)
            x = torch.randint(1, 60, (n, 12), generator=draws) * (
                torch.arange(12) < ends
            )
        else:
            x = torch.randn(n, *SHAPES[name], generator=draws, dtype=dtype)
        made.append(Agent(f"a{i}", x, torch.randint(3, (n,), generator=draws)))
    return made


def start(module, agents):
    """(N, D) models that differ, and buffers."""
    w = vectors.flatten(module)
    noise = torch.randn(
        len(agents), len(w), generator=generator(0, "start"), dtype=F64
    ).to(w.dtype)
    return w + 0.01 * noise, vectors.buffers(module).repeat(len(agents), 1)


def round_of(train, module, agents, local=SGD, t=2, seed=5, **options):
    module = copy.deepcopy(module)  # which training overwrites
    given = start(module, agents)
    before = [tensor.clone() for tensor in given]
    found = train(module, *given, agents, local, t, seed, **options)
    assert all(
        torch.equal(*pair) for pair in zip(given, before, strict=True)
    )  # arguments stay as they are
    return found


def gap(found, expected):
    """Largest difference, in units of the largest entry of the update."""
    return float((found - expected).abs().max() / expected.abs().max())


# ---- the same numbers as the plain way


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "local, tolerance", [(SGD, 1e-13), (ADAM, 1e-8)], ids=["sgd", "adam"]
)
@pytest.mark.parametrize("name", models.MODELS)
def test_a_round_in_double_precision_is_the_plain_round(name, local, tolerance, way):
    module, some = network(name, F64), agents(name, F64)
    expected, found = (
        round_of(train, module, some, local)[0] for train in (plain.train, WAYS[way])
    )
    assert expected.abs().max() > 1e-4
    assert gap(found, expected) < tolerance


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["mnist_cnn", "cifar_cnn", "text_cnn"])
def test_a_round_in_single_precision_is_the_plain_round(name, way):
    module, some = network(name, F32), agents(name, F32)
    for local, tolerance in (
        (SGD, 1e-4),
        (ADAM, 1e-2),
    ):  # Adam divides by gradients that are near zero
        expected, found = (
            round_of(train, module, some, local)[0]
            for train in (plain.train, WAYS[way])
        )
        assert (found - expected).norm() < tolerance * expected.norm()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["mnist_cnn", "text_cnn"])
def test_bfloat16_is_used_and_is_near_the_full_precision(name, way):
    module, some = network(name, F32), agents(name, F32)
    half = LocalTraining(
        lr=SGD.lr, epochs=2, batch_size=4, decay_per="epoch", precision="bfloat16"
    )
    full, found = (round_of(WAYS[way], module, some, local)[0] for local in (SGD, half))
    assert found.dtype == F32
    assert 1e-4 < (found - full).norm() / full.norm() < 0.1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "sizes, changes",
    [
        ((7,), {}),
        ((1, 1), {}),
        ((5, 8, 2), {"batch_size": None}),
        ((5, 4), {"batch_size": 100}),
        ((3, 6), {"epochs": 1}),
        ((3, 9), {"decay_per": "round"}),
    ],
    ids=[
        "one agent",
        "one sample",
        "full batch",
        "large batch",
        "one epoch",
        "decay per round",
    ],
)
def test_other_settings(sizes, changes, way):
    module, some = network("digits_cnn", F64), agents("digits_cnn", F64, sizes)
    fields = {
        "lr": SGD.lr,
        "epochs": 2,
        "batch_size": 4,
        "decay_per": "epoch",
    } | changes
    local = LocalTraining(**fields)
    expected, found = (
        round_of(train, module, some, local)[0] for train in (plain.train, WAYS[way])
    )
    assert gap(found, expected) < 1e-12


class Tied(nn.Module):
    """A frozen layer, a weight that two layers share, and a trainable number."""

    def __init__(self):
        super().__init__()
        self.frozen, self.one, self.two = (
            nn.Linear(64, 8),
            nn.Linear(8, 8),
            nn.Linear(8, 8),
        )
        self.frozen.requires_grad_(False)
        self.two.weight = self.one.weight
        self.scale = nn.Parameter(torch.tensor(1.5))

    def forward(self, x):
        return (
            self.two(torch.tanh(self.one(torch.tanh(self.frozen(x.flatten(1))))))
            * self.scale
        )


class Twice(nn.Module):
    """One layer in two places."""

    def __init__(self):
        super().__init__()
        self.first, self.a = nn.Linear(64, 8), nn.Linear(8, 8)
        self.b, self.last = self.a, nn.Linear(8, 10)

    def forward(self, x):
        x = torch.tanh(self.first(x.flatten(1)))
        return self.last(torch.tanh(self.b(torch.tanh(self.a(x)))))


def tied(kind=Tied):
    with seeded(0, "tied"):
        return kind().double()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("local", [SGD, ADAM], ids=["sgd", "adam"])
@pytest.mark.parametrize("kind", [Tied, Twice])
def test_frozen_and_tied_parameters(kind, local, way):
    module, some = tied(kind), agents("digits_cnn", F64)
    before = copy.deepcopy(module.state_dict())
    expected, found = (
        round_of(train, module, some, local)[0] for train in (plain.train, WAYS[way])
    )
    assert gap(found, expected) < 1e-10
    assert all(torch.equal(module.state_dict()[name], before[name]) for name in before)


@pytest.mark.parametrize("backend", ["auto", *WAYS])
def test_a_layer_in_two_places_trains_round_after_round(backend):
    some = agents("digits_cnn", F64)
    runs = {}
    for train in ("plain", backend):
        fed = Federation(some, tied(Twice), CGSV(), local=SGD, train=train)
        before = [p.shape for p in fed.module.parameters()]
        runs[train] = fed.run(3).last
        assert [p.shape for p in fed.module.parameters()] == before
        if fed.backend != "plain":  # which says that it loads agents' models
            assert torch.equal(vectors.flatten(fed.module), fed.initial)
    torch.testing.assert_close(
        runs[backend].models, runs["plain"].models, rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rule", ["drop", "merge"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_what_becomes_of_the_last_batch(optimizer, rule, way):
    module, some = (
        network("digits_cnn", F64),
        agents("digits_cnn", F64, (9, 3, 7, 8, 1)),
    )
    local = LocalTraining(
        lr=Schedule(1e-2), epochs=2, batch_size=4, optimizer=optimizer, last_batch=rule
    )
    expected, found = (
        round_of(train, module, some, local)[0] for train in (plain.train, WAYS[way])
    )
    assert gap(found, expected) < 1e-8
    kept = round_of(plain.train, module, some, replace(local, last_batch="keep"))[0]
    assert [torch.equal(*pair) for pair in zip(kept, expected, strict=True)] == [
        False,
        True,
        False,
        True,
        True,
    ]  # 8 = 4 + 4; 3 and 1 are single batches


def batch_norm(**options):
    with seeded(0, "bn"):
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(64, 8),
            nn.BatchNorm1d(8, **options),
            nn.Linear(8, 10),
        ).double()


def test_running_statistics_in_threads():
    module, some = batch_norm(), agents("digits_cnn", F64, (4, 8, 12))
    (expected, statistics), (found, others) = (
        round_of(train, module, some) for train in (plain.train, threads.train)
    )
    assert gap(found, expected) < 1e-12 and gap(others, statistics) < 1e-12
    assert not torch.allclose(statistics, start(module, some)[1])


def test_a_hundred_agents():
    module = models.build("digits_cnn", 0)
    some = agents("digits_cnn", F64, [1 + i % 5 for i in range(100)])
    local = LocalTraining(batch_size=2)
    expected, found, others = (
        round_of(w, module, some, local)[0]
        for w in (plain.train, stacked.train, threads.train)
    )
    assert gap(found, expected) < 1e-12 and gap(others, expected) < 1e-12


def test_few_samples_at_a_time_give_the_same(monkeypatch):
    module, some = network("digits_cnn", F64), agents("digits_cnn", F64)
    at_once = round_of(stacked.train, module, some)[0]
    seen = []
    descend = stacked.descend
    monkeypatch.setattr(
        stacked, "descend", lambda *args: seen.append(len(args[2])) or descend(*args)
    )
    monkeypatch.setattr(stacked, "SAMPLES", 8)
    assert gap(round_of(stacked.train, module, some)[0], at_once) < 1e-13
    assert seen == [2, 2]


# ---- what the result must not depend on


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "name, dtype", [("digits_cnn", F64), ("mnist_cnn", F32), ("text_cnn", F32)]
)
def test_permuted_agents_give_permuted_rows_and_the_same_call_the_same_bits(
    name, dtype, way
):
    module, some, order = network(name, dtype), agents(name, dtype), [2, 0, 3, 1]
    models_, buffers = start(module, some)
    one = WAYS[way](module, models_, buffers, some, ADAM, 1, 0)[0]
    other = WAYS[way](
        module, models_[order], buffers[order], [some[i] for i in order], ADAM, 1, 0
    )[0]
    assert torch.equal(one[order], other)
    assert torch.equal(one, WAYS[way](module, models_, buffers, some, ADAM, 1, 0)[0])
    assert not torch.equal(
        one, WAYS[way](module, models_, buffers, some, ADAM, 2, 0)[0]
    )


@pytest.mark.parametrize("name", ["mnist_cnn", "text_cnn"])
def test_the_number_of_threads_changes_nothing(name):
    module, some = network(name, F32), agents(name, F32)
    before, found = torch.get_num_threads(), []
    try:
        for callers, workers in ((1, 1), (1, 3), (2, 2), (2, None)):
            torch.set_num_threads(callers)
            found.append(round_of(threads.train, module, some, workers=workers)[0])
            assert torch.get_num_threads() == callers
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(found[0], other) for other in found[1:])


@pytest.mark.parametrize("way", WAYS)
def test_nothing_global_is_read_or_changed(way):
    module, some, found = network("text_cnn", F32), agents("text_cnn", F32), []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        found.append(round_of(WAYS[way], module, some)[0])
        assert torch.equal(torch.get_rng_state(), before) and torch.is_grad_enabled()
        assert not torch.is_autocast_enabled("cpu")
    assert torch.equal(*found)


class Watch(TorchDispatchMode):
    """Lists what would wait for a GPU or move data to or from it, were the tensors
    there."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name, kwargs = function.__name__.split(".")[0], kwargs or {}
        if (
            name in ("_local_scalar_dense", "nonzero", "masked_select")
            or name == "_to_copy"
            and kwargs.get("device")
        ):
            self.seen.append(name)
        return function(*args, **kwargs)


def test_steps_of_stacked_training_move_nothing_between_devices():
    counts = []
    for epochs in (1, 4):
        local = LocalTraining(epochs=epochs, batch_size=4, optimizer="adam")
        with Watch() as watch:
            round_of(
                stacked.train, network("text_cnn", F32), agents("text_cnn", F32), local
            )
        counts.append(len(watch.seen))
    assert counts[0] == counts[1]  # whatever there is does not grow with the steps


# ---- the choice


def choice(module, some=None, local=SGD, backend="auto"):
    return training.choose(
        module,
        some or agents("digits_cnn", next(module.parameters()).dtype),
        local,
        backend,
    )[0]


class Looks(nn.Module):
    """Does something that depends on the data."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(64, 10).double()

    def forward(self, x):
        x = x.flatten(1)
        return self.fc(x * 2 if x.sum() > 0 else x)


def dropout():
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 10)).double()


@pytest.mark.parametrize(
    "make, expected",
    [
        (lambda: network("digits_cnn", F64), "stacked"),
        (tied, "stacked"),
        (dropout, "plain"),
        (batch_norm, "threads"),
        (
            lambda: batch_norm(track_running_stats=False),
            "threads",
        ),  # no buffers, but samples see each other
        (Looks, "threads"),
    ],
    ids=[
        "digits",
        "tied",
        "dropout",
        "batch norm",
        "batch norm without buffers",
        "data-dependent",
    ],
)
def test_what_is_chosen_on_a_cpu(make, expected):
    with seeded(0, "choice"):
        module = make()
    before, state = vectors.flatten(module), torch.get_rng_state()
    assert choice(module) == expected
    assert torch.equal(vectors.flatten(module), before) and torch.equal(
        torch.get_rng_state(), state
    )


def wide(hidden):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.Linear(hidden, 10))


def test_many_parameters_go_to_threads_and_are_stacked_by_few_agents(monkeypatch):
    assert choice(wide(800)) == "stacked" and choice(wide(900)) == "threads"
    some, seen, right = agents("digits_cnn", F32, (20,) * 6), [], stacked.descend
    monkeypatch.setattr(stacked, "descend", lambda module, models, *rest: (
        seen.append(len(models)), right(module, models, *rest))[1])
    with seeded(0, "wide"):
        module = wide(900)
    found = [round_of(stacked.train, module, some, SGD)]
    assert seen == [3, 3]  # of 67,510 parameters
    monkeypatch.setattr(stacked, "PARAMETERS", 1 << 30)
    found.append(round_of(stacked.train, module, some, SGD))
    assert seen[2:] == [6]
    torch.testing.assert_close(found[0][0], found[1][0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["mnist_cnn", "cifar_cnn", "text_cnn"])
def test_larger_networks_and_sentences_go_to_threads(name):
    some = agents(name, F32, (40, 50))
    assert choice(network(name, F32), some, LocalTraining(batch_size=32)) == "threads"
    for backend in ("plain", "stacked", "threads"):
        assert choice(network(name, F32), some, backend=backend) == backend


@pytest.mark.parametrize(
    "make, backend, message",
    [
        (
            dropout,
            "threads",
            "draws from torch's global generator .* 'threads' .* train='plain'",
        ),
        (dropout, "stacked", "draws from torch's global generator"),
        (batch_norm, "stacked", "cannot be stacked"),
        (Looks, "stacked", "cannot be stacked"),
        (
            tied,
            "vmap",
            "unknown backend 'vmap'; known are auto, plain, stacked, threads",
        ),
    ],
)
def test_what_would_not_be_the_same_is_refused(make, backend, message):
    with pytest.raises(ValueError, match=message):
        choice(make(), backend=backend)


def test_buffers_are_refused_by_the_function_too():
    with pytest.raises(ValueError, match="buffers cannot be stacked"):
        round_of(stacked.train, batch_norm(), agents("digits_cnn", F64))


def test_a_federation_names_its_backend_and_takes_a_function():
    module, some = network("digits_cnn", F64), agents("digits_cnn", F64)
    runs = {}
    for train in ("auto", "plain", "stacked", "threads", plain.train):
        fed = Federation(some, copy.deepcopy(module), CGSV(), local=SGD, train=train)
        runs[fed.backend] = next(fed.rounds(1)).models
    assert set(runs) == {"stacked", "plain", "threads", "custom"}
    assert torch.equal(runs["custom"], runs["plain"])
    for name in ("stacked", "threads"):
        torch.testing.assert_close(runs[name], runs["plain"], rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="train='plain'"):
        Federation(some, dropout(), CGSV(), train="threads")
