"""A Dataset or DataLoader in the place of tensors."""

import pytest
import torch
from torch import nn
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
)

from fairfl import datasets, models, partition, probes
from fairfl.federation import Federation
from fairfl.mechanisms import CGSV
from fairfl.partition import Agent
from fairfl.randomness import generator
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining

F64 = torch.float64
LOCAL = LocalTraining(lr=Schedule(0.1), batch_size=16)


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


@pytest.fixture(scope="module")
def agents(digits):
    return partition.power_law(digits, agents=3, size=60, seed=0)


class Pairs(Dataset):
    """Computes what it gives: numpy samples and plain numbers as labels."""

    def __init__(self, x, y):
        self.x, self.y = x.numpy(), y.tolist()

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


def build(agents, local=LOCAL, **options):
    module = models.build("digits_cnn", 0)
    return Federation(agents, module, CGSV(), local=local, **options)


def run(agents, **options):
    fed = build(agents, **options)
    return fed, fed.run(3, [probes.log, probes.own_loss])


FORMS = {
    "tensors": lambda x, y: TensorDataset(x, y),
    "computed": Pairs,
    "part": lambda x, y: Subset(
        TensorDataset(torch.cat([x, x]), torch.cat([y, y])), range(len(y))
    ),
    "loader": lambda x, y: DataLoader(Pairs(x, y), batch_size=16, shuffle=True),
    "in order": lambda x, y: DataLoader(TensorDataset(x, y), batch_size=16),
    "workers": lambda x, y: DataLoader(
        TensorDataset(x, y), batch_size=16, shuffle=True, num_workers=2
    ),
    "collated": lambda x, y: DataLoader(
        TensorDataset(x.flatten(1), y),
        batch_size=16,
        collate_fn=lambda rows: (
            torch.stack([row[0].view(1, 8, 8) for row in rows]),
            torch.stack([row[1] for row in rows]),
        ),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_data_set_gives_what_its_tensors_give(agents, digits, form):
    state = torch.get_rng_state()
    test = digits.test_x, digits.test_y
    expected, one = run(agents, test=test)
    given = [Agent(a.key, FORMS[form](a.x, a.y)) for a in agents]
    fed, other = run(given, test=FORMS[form](*test))
    assert fed.backend == expected.backend == "stacked"
    assert torch.equal(other.last.models, one.last.models)
    assert torch.equal(other["own_loss"], one["own_loss"])
    assert torch.equal(fed.test[0], test[0]) and fed.setting.keys == ("1", "2", "3")
    assert torch.equal(torch.get_rng_state(), state)


def test_tuples_and_a_last_batch_that_is_dropped(agents):
    local = LocalTraining(lr=Schedule(0.1), batch_size=16, last_batch="drop")
    expected = run(agents, local=local)[1]
    loaders = [
        (int(a.key), DataLoader(Pairs(a.x, a.y), batch_size=16, drop_last=True))
        for a in agents
    ]
    assert torch.equal(run(loaders, local=local)[1].last.models, expected.last.models)
    with pytest.raises(ValueError, match="agent 1: the DataLoader .* would drop"):
        build(loaders)


def test_a_regression_out_of_a_data_set():
    draws = generator(0, "regression")
    x = torch.randn(20, 3, generator=draws, dtype=F64)
    local = LocalTraining(
        batch_size=8, loss=lambda z, y: (z[:, 0] - y) ** 2, lr=Schedule(0.05)
    )
    made = []
    for agent in (Agent("a", x, x.sum(1)), Agent("a", Pairs(x, x.sum(1)))):
        torch.manual_seed(0)
        module = nn.Linear(3, 1, dtype=F64)
        made.append(Federation([agent], module, CGSV(), local=local).run(2).last.models)
    assert torch.equal(*made)


# ---- what is refused


class NoLength(Dataset):
    def __getitem__(self, i):
        return torch.zeros(1, 8, 8), 0


class Stream(IterableDataset):
    def __len__(self):
        return 3

    def __iter__(self):
        return iter([(torch.zeros(1, 8, 8), 0)] * 3)


class Augmented(Pairs):
    def __getitem__(self, i):
        x, y = super().__getitem__(i)
        return x + torch.rand(()).item(), y


class Ragged(Pairs):
    def __getitem__(self, i):
        return self.x[i].reshape(-1)[: 60 + i % 2], self.y[i]


class Triples(Pairs):
    def __getitem__(self, i):
        return *super().__getitem__(i), i


class Words(Pairs):
    def __getitem__(self, i):
        return "a word", self.y[i]


class Broken(Pairs):
    def __getitem__(self, i):
        if i == 4:
            raise OSError("no such file: 4.png")
        return super().__getitem__(i)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda x, y: NoLength(), "the NoLength must be one with __len__"),
        (lambda x, y: Stream(), "the Stream must be one with __len__ and __getitem__"),
        (lambda x, y: TensorDataset(x[:0], y[:0]), "holds no samples"),
        (lambda x, y: DataLoader(Pairs(x[:0], y[:0])), "holds no samples"),
        (Augmented, r"the Augmented gives another sample .*\(augment=\.\.\.\)"),
        (Ragged, "the Ragged cannot be read into one batch: "),
        (Broken, "the Broken cannot be read into one batch: no such file: 4.png"),
        (Triples, r"the Triples must give pairs \(x, y\)"),
        (lambda x, y: TensorDataset(x), r"the TensorDataset must give pairs"),
        (Words, "samples must be one tensor or numpy array, not a"),
        (
            lambda x, y: DataLoader(Pairs(x, y), batch_size=8),
            r"the DataLoader makes batches of 8 .*LocalTraining\(batch_size=16",
        ),
        (
            lambda x, y: DataLoader(
                Pairs(x, y), 16, sampler=WeightedRandomSampler([1.0] * len(y), len(y))
            ),
            "the DataLoader has a sampler of its own",
        ),
        (
            lambda x, y: DataLoader(
                Pairs(x, y), 16, sampler=RandomSampler(y, num_samples=2 * len(y))
            ),
            "the DataLoader has a sampler of its own",
        ),
        (
            lambda x, y: DataLoader(Pairs(x, y), batch_sampler=[[0, 1], [2]]),
            "the DataLoader has a sampler of its own",
        ),
        (
            lambda x, y: DataLoader(Pairs(x, y), batch_size=None),
            "the DataLoader has a sampler of its own or makes no batches",
        ),
    ],
)
def test_data_sets_that_do_not_fit_name_the_agent(agents, make, message):
    given = [*agents[:1], Agent("b", make(*agents[1][1:3]))]
    with pytest.raises(ValueError, match=f"agent 'b':? {message}"):
        build(given)


def test_labels_beside_a_data_set_and_none_at_all(agents):
    a = agents[0]
    for labels in ((a.y,), (None, a.y)):
        with pytest.raises(ValueError, match="agent '1': the labels are those of the"):
            build([Agent("1", TensorDataset(a.x, a.y), *labels)])
    with pytest.raises(ValueError, match="agent '1': labels must be one tensor"):
        build([Agent("1", a.x)])
    with pytest.raises(ValueError, match="agent '1' needs labels in a tensor"):
        partition.class_counts([Agent("1", TensorDataset(a.x, a.y))], 10)
