"""What a federation takes, what it refuses, and the sentence it says."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from fairfl import attacks, models, probes, vectors
from fairfl.federation import Federation
from fairfl.mechanisms import CGSV, RR, FedAvg
from fairfl.partition import Agent
from fairfl.randomness import generator, seeded
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining, plain

F64 = torch.float64
LOCAL = LocalTraining(lr=Schedule(0.1), batch_size=4)
WAYS = ("plain", "stacked", "threads")


def module(*layers, seed=0):
    with seeded(seed, "inputs"):
        return nn.Sequential(*(layer() for layer in layers)).double()


def linear():
    return module(lambda: nn.Linear(6, 3))


def some(sizes=(5, 6, 7), shape=(6,), classes=3):
    draws = generator(0, "samples")
    return [
        Agent(
            str(i),
            torch.randn(n, *shape, generator=draws, dtype=F64),
            torch.randint(classes, (n,), generator=draws),
        )
        for i, n in enumerate(sizes, start=1)
    ]


def build(agents=None, network=None, **options):
    agents = some() if agents is None else agents
    return Federation(
        agents,
        network or linear(),
        options.pop("mechanism", CGSV()),
        **{"local": LOCAL} | options,
    )


def last(federation, n=2):
    return list(federation.rounds(n))[-1]


# ---- agents and sets


def test_numpy_samples_whole_number_keys_and_plain_tuples_simply_work():
    expected = last(build())
    numbers = [
        (i, agent.x.numpy(), agent.y.numpy().astype(np.int32))
        for i, agent in enumerate(some(), start=1)
    ]
    x, y = some()[0][1:3]
    fed = build(
        numbers,
        test=(x.numpy(), y.numpy().astype(np.uint8)),
        attacks={np.int64(2): attacks.Attack()},
    )
    assert fed.setting.keys == ("1", "2", "3")
    history = fed.run(2, [probes.test_accuracy])
    assert torch.equal(history.last.models, expected.models)
    assert set(history.last.downloads) == {"2"}
    assert last(build(numbers, mechanism=RR()), 3).t == 3


def test_what_numpy_holds_is_copied():
    x = np.ascontiguousarray(some()[0].x.numpy()[::-1])[::-1]  # strides below zero
    x.setflags(write=False)
    fed = build([Agent(1, x, some()[0].y)])
    fed.agents[0].x.zero_()
    assert np.abs(x).sum() > 0


class Words(nn.Module):
    """Says what it was given in many shapes."""

    def __init__(self, answer):
        super().__init__()
        self.fc, self.answer = nn.Linear(6, 4, dtype=F64), answer

    def forward(self, x):
        return self.answer(self.fc(x))


def data(agent):
    return TensorDataset(agent.x, agent.y)


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda a: [a[0], data(a[1])],
            r"agents\[1\] must be Agent\(key, x, y\).*Agent\(key, data\) with a "
            "Dataset or DataLoader, not a TensorDataset",
        ),
        (lambda a: DataLoader(data(a[0])), r"agents\[0\] must be Agent.*not a list"),
        (lambda a: a[0], r"agents\[0\] must be Agent.*not a str"),
        (
            lambda a: [a[0], Agent("2", DataLoader(data(a[1])), a[1].y)],
            "agent '2': the labels are those of the DataLoader",
        ),
        (
            lambda a: [a[0], Agent("2", a[1].x, [0, 1, 2])],
            "agent '2': labels must be one tensor or numpy array, not a list",
        ),
        (
            lambda a: [Agent(1.5, *a[0][1:3])],
            r"agents\[0\]: a key must be text, not 1.5",
        ),
        (
            lambda a: [Agent(1, *a[0][1:3]), Agent("1", *a[1][1:3])],
            "'1' occurs more than once",
        ),
    ],
)
def test_agents_that_are_something_else(make, message):
    with pytest.raises(ValueError, match=message):
        build(make(some()))


@pytest.mark.parametrize("name", ["test", "validation"])
def test_sets_that_are_something_else(name):
    with pytest.raises(
        ValueError, match=rf"{name} must be a pair \(x, y\), not a Linear"
    ):
        build(**{name: nn.Linear(2, 2)})
    with pytest.raises(
        ValueError, match=f"{name}: samples must be one tensor.* not a list"
    ):
        build(**{name: ([1.0], some()[0].y)})


# ---- outputs


@pytest.mark.parametrize(
    "answer, came",
    [
        (lambda z: (z, z), "a tuple"),
        (lambda z: {"logits": z}, "a dict"),
        (lambda z: SimpleNamespace(logits=z), "a SimpleNamespace with logits in it"),
        (lambda z: z[:, :1], r"a tensor of shape \(2, 1\)"),
        (lambda z: z[:, 0], r"a tensor of shape \(2,\)"),
        (lambda z: z[:, :, None], r"a tensor of shape \(2, 4, 1\)"),
        (lambda z: z.view(-1, 2), r"a tensor of shape \(4, 2\)"),
    ],
)
def test_outputs_that_are_no_logits(answer, came):
    message = (
        rf"agent '1': the network must map n samples to logits .*made {came}.* train="
    )
    with pytest.raises(ValueError, match=message):
        build(network=Words(answer))


@pytest.mark.parametrize(
    "y, message",
    [
        (lambda y: y.double(), r"not torch.float64 of shape \(5,\); for regression"),
        (lambda y: y[:, None], r"not torch.int64 of shape \(5, 1\); for regression"),
        (
            lambda y: nn.functional.one_hot(y, 3),
            r"shape \(5, 3\).*several labels a sample",
        ),
        (lambda y: y - 1, "one a sample, not from -1 to"),
    ],
)
def test_labels_that_are_no_classes(y, message):
    agents = some()
    agents[0] = agents[0]._replace(y=y(torch.tensor([0, 1, 2, 1, 0])))
    with pytest.raises(
        ValueError, match=f"agent '1': labels must be int64 .*{message}"
    ):
        build(agents)


def regression(module, models, buffers, agents, local, t, seed):
    """A step of gradient descent on the mean squared error."""
    updates = torch.empty_like(models)
    for i, agent in enumerate(agents):
        vectors.load(module, models[i])
        loss = nn.functional.mse_loss(module(agent.x)[:, 0], agent.y)
        slopes = torch.autograd.grad(loss, list(module.parameters()))
        updates[i] = -local.rate(t) * torch.cat([slope.reshape(-1) for slope in slopes])
    return updates, buffers


def test_regression_works_with_a_training_loop_of_ones_own():
    agents = [agent._replace(y=agent.x.sum(1)) for agent in some((20, 30))]
    fed = build(agents, module(lambda: nn.Linear(6, 1)), train=regression, gamma=0.3)
    assert fed.backend == "custom"

    def error(federation, snapshot):
        x, y = agents[0].x, agents[0].y
        return {
            "error": ((x @ snapshot.server[:6] + snapshot.server[6] - y) ** 2).mean()
        }

    history = fed.run(20, [probes.log, error])
    assert history["error"][-1] < 0.3 * history["error"][0]
    for probe in (probes.own_loss, probes.union_loss, probes.server_gradient):
        with pytest.raises(
            ValueError, match="are those of a classifier, take a probe of"
        ):
            probe(fed, history.last)


def test_labels_out_of_range_are_refused_whoever_trains():
    agents = some()
    agents[1] = agents[1]._replace(y=agents[1].y + 1)
    with pytest.raises(ValueError, match="agent '2': labels must be int64 from 0 to 2"):
        build(agents, train=plain.train)


# ---- shapes and words


def pooling():
    return module(
        lambda: nn.Conv2d(1, 4, 3, padding=1),
        lambda: nn.AdaptiveAvgPool2d(2),
        nn.Flatten,
        lambda: nn.Linear(16, 3),
    )


def test_agents_with_samples_of_different_shapes():
    agents = [some((5,), (1, 8, 8))[0], some((5, 6), (1, 6, 6))[1]]
    fed = build(agents, pooling())
    assert fed.backend == "threads"
    assert build(agents[:1], pooling()).backend == "stacked"
    expected = last(build(agents, pooling(), train="plain"))
    torch.testing.assert_close(last(fed).models, expected.models, rtol=0, atol=1e-12)
    assert probes.own_loss(fed, last(fed))["own_loss"].shape == (2,)
    with pytest.raises(ValueError, match=r"one shape, not \(1, 6, 6\) and \(1, 8, 8\)"):
        probes.union_loss(fed, last(fed))
    with pytest.raises(ValueError, match="cannot be stacked.*differ in shape"):
        build(agents, pooling(), train="stacked")


def test_every_agents_shape_is_tried():
    agents = [*some((5, 5)), some((5, 5, 5), (7,))[2]]
    with pytest.raises(
        ValueError, match=r"agent '3': .*not take samples of shape \(7,\)"
    ):
        build(agents)


@pytest.mark.parametrize("word", [-1, 20])
@pytest.mark.parametrize("place", ["agent", "test"])
def test_words_out_of_the_vocabulary(word, place):
    network = models.build("text_cnn", 0, vocabulary=20, classes=3, maps=2)
    draws = generator(0, "words")
    agents = [
        Agent(
            str(i), torch.randint(1, 20, (9, 5), generator=draws), torch.arange(9) % 3
        )
        for i in (1, 2, 3)
    ]
    test = agents[0].x.clone(), agents[0].y
    build(agents, network, test=test)
    (agents[1].x if place == "agent" else test[0])[4, 3] = word
    name = "agent '2'" if place == "agent" else "test"
    with pytest.raises(
        ValueError, match=f"{name}: .* numbers from .*{word}.*out of range"
    ):
        build(agents, network, test=test)


# ---- what a network may do


class Moves(nn.Module):
    """Writes into its input, or computes the same beside it."""

    def __init__(self, inplace):
        super().__init__()
        with seeded(0, "moves"):
            self.fc = nn.Linear(6, 3, dtype=F64)
        self.inplace = inplace

    def forward(self, x):
        if self.inplace:
            x -= 0.5
        else:
            x = x - 0.5
        return self.fc(torch.nn.functional.relu(x, inplace=self.inplace))


@pytest.mark.parametrize("train", ["auto", *WAYS])
def test_the_callers_data_never_change(train):
    """A network that writes into its input gets copies, wherever it sees them."""
    agents, test = some(), some((70,))[0][1:3]
    before = [agent.x.clone() for agent in agents], test[0].clone()
    runs = []
    for inplace in (True, False):
        fed = build(agents, Moves(inplace), test=test, validation=test, train=train)
        every = [
            probes.test_results,
            probes.validation_accuracy,
            probes.own_loss,
            probes.union_loss,
            probes.server_gradient,
        ]
        runs.append(fed.run(3, every))
    assert all(
        torch.equal(agent.x, x) for agent, x in zip(agents, before[0], strict=True)
    )
    assert torch.equal(test[0], before[1])
    for name in ("test_loss", "own_loss", "union_loss", "server_gradient"):
        assert torch.equal(runs[0][name], runs[1][name])


def test_samples_that_see_each_other_in_evaluation_are_refused_for_that_reason():
    network = module(
        lambda: nn.Linear(6, 4),
        lambda: nn.BatchNorm1d(4, track_running_stats=False),
        lambda: nn.Linear(4, 3),
    )
    with pytest.raises(
        ValueError, match="depends on those beside it .BatchNorm without"
    ):
        build(network=network)


def norm():
    return module(
        lambda: nn.Linear(6, 4), lambda: nn.BatchNorm1d(4), lambda: nn.Linear(4, 3)
    )


@pytest.mark.parametrize("train", ["auto", "plain", "threads"])
def test_a_last_batch_of_one_sample_is_refused_before_round_1(train):
    sizes = (8, 9, 7)
    with pytest.raises(
        ValueError,
        match="agent '2': of 9 samples in batches of 4 one is "
        "left over.*last_batch='merge'",
    ):
        build(some(sizes), norm(), buffers="local", train=train)
    for rule in ("drop", "merge"):
        local = LocalTraining(batch_size=4, last_batch=rule)
        last(build(some(sizes), norm(), buffers="local", train=train, local=local))
    with pytest.raises(ValueError, match="agent '2': of 1 samples .*value"):
        build(some((4, 1)), norm(), buffers="local", train=train)


class Unused(nn.Module):
    """A layer that nothing goes through, and a parameter without entries."""

    def __init__(self):
        super().__init__()
        with seeded(0, "unused"):
            self.fc, self.spare = nn.Linear(6, 3, dtype=F64), nn.Linear(2, 2, dtype=F64)
        self.empty = nn.Parameter(torch.empty(0, 4, dtype=F64))

    def forward(self, x):
        return self.fc(x)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("train", WAYS)
def test_a_layer_without_use_and_one_without_entries(train, optimizer):
    local = LocalTraining(lr=0.1, batch_size=4, optimizer=optimizer)
    fed = build(
        network=Unused(), mechanism=CGSV(mask="layers"), train=train, local=local
    )
    snapshot = last(fed)
    assert (snapshot.updates[:, 21:] == 0).all() and (snapshot.updates != 0).any()
    slope = probes.server_gradient(fed, snapshot)["server_gradient"]
    leaf = snapshot.server[:21].clone().requires_grad_()
    x, y = (torch.cat([agent[part] for agent in fed.agents]) for part in (1, 2))
    logits = x @ leaf[:18].view(3, 6).T + leaf[18:]
    nn.functional.cross_entropy(logits, y).backward()
    assert slope.item() == pytest.approx(leaf.grad.norm().item())


# ---- numbers and modes


def test_numbers_for_schedules_are_constants_and_plain():
    one = last(build(local=LocalTraining(lr=0.05, batch_size=4), gamma=0.5))
    local = LocalTraining(lr=Schedule(0.05), batch_size=4)
    other = last(build(local=local, gamma=Schedule(0.5)))
    assert torch.equal(one.models, other.models)
    assert LocalTraining(lr=0.05) == LocalTraining(lr=Schedule(0.05))
    for number in (np.float32(0.5), np.float64(0.5), 1, np.int64(1)):
        schedule = LocalTraining(lr=Schedule(number, number)).lr
        assert type(schedule.first) is type(schedule.decay) is float
    numbers = LocalTraining(epochs=np.int64(2), batch_size=np.int64(3))
    assert type(numbers.epochs) is type(numbers.batch_size) is int
    for bad in ("0.5", None, -1, float("nan"), True):
        with pytest.raises(ValueError, match="gamma"):
            build(gamma=bad)
        with pytest.raises(ValueError, match="lr"):
            LocalTraining(lr=bad)


def test_a_seed_of_numpys_draws_the_same_and_none_is_refused_at_once():
    assert torch.equal(last(build(seed=np.int64(3))).models, last(build(seed=3)).models)
    with pytest.raises(TypeError, match="seed must be an int, not 1.5"):
        build(seed=1.5)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("train", WAYS)
def test_a_run_within_inference_mode_or_no_grad(mode, train):
    def everything():
        agents = [agent._replace(x=agent.x * 1) for agent in some()]
        fed = build(agents, linear(), train=train, test=(agents[0].x * 1, agents[0].y))
        seen = (probes.log, probes.test_results, probes.server_gradient)
        return fed, fed.run(2, seen)

    _, expected = everything()
    with mode():
        fed, found = everything()
    fed.run(1, history=found)
    expected = build(train=train).run(1, history=expected)
    assert torch.equal(found.last.models, expected.last.models)
    assert torch.equal(found["server_gradient"], expected["server_gradient"])


@pytest.mark.parametrize("train", WAYS)
def test_a_network_in_bfloat16(train):
    half = torch.bfloat16
    agents = [agent._replace(x=agent.x.to(half)) for agent in some((9, 12))]
    test = agents[0].x, agents[0].y
    network = module(lambda: nn.Linear(6, 8), nn.Tanh, lambda: nn.Linear(8, 3)).to(half)
    for mechanism in (FedAvg(), CGSV()):
        fed = build(agents, network, mechanism=mechanism, train=train, test=test)
        seen = (
            probes.log,
            probes.test_results,
            probes.server_gradient,
            probes.cosines,
            probes.server_distance,
            probes.download,
            probes.own_loss,
        )
        history = fed.run(2, seen)
        assert history.last.models.dtype == half
        assert (
            history["test_loss"].isfinite().all() and (history.last.updates != 0).any()
        )
    with pytest.raises(
        ValueError, match="precision='bfloat16' needs a network in float32"
    ):
        build(agents, network, local=LocalTraining(precision="bfloat16"))
