"""The price list, for the chapter "What came after": how good the model is that an
agent takes home, by what it is paid in and which fraction of it.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import fairfl
from book.reproduction import recording
from fairfl import datasets, models, runs, vectors
from fairfl.datasets import Data
from fairfl.downloads import sparsify
from fairfl.federation import Federation
from fairfl.history import Snapshot
from fairfl.mechanisms import Mechanism, Standalone
from fairfl.partition import Agent
from fairfl.randomness import generator
from fairfl.runs.recommendations import starting
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining

AGENTS, ROUNDS, SEEDS = 10, 60, (0, 1, 2, 3, 4)
PARTITIONS = ("uni", "cla")
FRACTIONS = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
TRAINED = (0.25, 0.5, 0.75, 1.0)  # widths at which a slimmable network is trained
LOCAL = LocalTraining(lr=Schedule(0.2, 0.977), batch_size=16)


class Slimmable(nn.Module):
    """The digits' network at several widths: each layer with the first part of its
    units, the outputs with all. (n, 1, 8, 8) -> (n, widths, classes)."""

    def __init__(self, widths: tuple[float, ...], seed: int) -> None:
        super().__init__()
        self.network, self.widths = models.build("digits_cnn", seed), widths

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.at(width, x) for width in self.widths], 1)

    def at(self, width: float, x: Tensor) -> Tensor:
        """The logits of the network of this width, (n, classes)."""
        net = self.network
        first, second, last = (_many(width, layer.bias.numel()) for layer in
                               (net.conv1, net.conv2, net.fc1))
        x = F.relu(F.conv2d(
            x, net.conv1.weight[:first], net.conv1.bias[:first], padding=1))
        x = F.conv2d(x, net.conv2.weight[:second, :first], net.conv2.bias[:second],
                     padding=1)
        x = F.relu(F.max_pool2d(x, 2)).flatten(1)
        x = F.relu(F.linear(x, net.fc1.weight[:last, : x.shape[1]],
                            net.fc1.bias[:last]))
        return F.linear(x, net.fc2.weight[:, :last], net.fc2.bias)


def at_all_widths(outputs: Tensor, y: Tensor) -> Tensor:
    """The sum of the cross-entropies of all widths, (n, widths, classes), (n,) ->
    (n,)."""
    each = F.cross_entropy(outputs.movedim(1, 2), y[:, None].expand(
        outputs.shape[:2]), reduction="none")
    return each.sum(1)


class Course:
    """A run of federated averaging and others of the same agents: what all currencies
    are made of."""

    def __init__(self, data: Data, partition: str, seed: int,
                 rounds: int = ROUNDS) -> None:
        settings = starting(
            "digits", partition, AGENTS, mechanism="fedavg", local=LOCAL,
            mechanism_options={"scaling": "raw"}, rounds=rounds, seed=seed)
        self.fed, self.seed, self.rounds = runs.federation(settings, data), seed, rounds
        snapshots = list(self.fed.rounds(rounds))
        self.updates = torch.stack([s.uploads for s in snapshots])  # (T, N, D)
        self.servers = torch.stack([self.fed.initial] + [s.server for s in snapshots])
        network = models.build("digits_cnn", seed)
        order = torch.randperm(AGENTS, generator=self.draws("agents")).tolist()
        some = [self.fed.agents[i] for i in order]
        self.coalitions = {  # by how many agents there are
            k: self.train(some[:k], network, LOCAL).server
            for k in {_many(fraction, AGENTS) for fraction in FRACTIONS}}
        self.alone = self.train(self.fed.agents, network, LOCAL, Standalone()).models
        self.slim = self.train(self.fed.agents, Slimmable(TRAINED, seed),
                               replace(LOCAL, loss=at_all_widths)).server

    def train(self, agents: list[Agent], network: nn.Module, local: LocalTraining,
              mechanism: Mechanism | None = None) -> Snapshot:
        """The end of a run of these agents; None: federated averaging."""
        fed = Federation(agents, network, mechanism or self.fed.mechanism, local=local,
                         seed=self.seed)
        *_, last = fed.rounds(self.rounds)
        return last

    @property
    def whole(self) -> Tensor:
        """All that was learned, w_T - w_0, (D,)."""
        return self.servers[-1] - self.servers[0]

    def draws(self, currency: str) -> torch.Generator:
        return generator(self.seed, "price", currency)

    def test(self, found: Tensor) -> float:
        """Mean accuracy of these models, (D,) or (K, D), in percent."""
        rows = found.reshape(-1, len(self.whole))
        return 100 * float(self.fed.evaluate(rows, *self.fed.test)[1].mean())

    def test_width(self, model: Tensor, width: float) -> float:
        """The same of one model cut to this width."""
        network, (x, y) = Slimmable((width,), self.seed), self.fed.test
        vectors.load(network, model)
        with torch.no_grad():
            return 100 * float((network.at(width, x).argmax(1) == y).double().mean())


def _many(fraction: float, of: int) -> int:
    """So large a part of so many, rounded up."""
    return math.ceil(fraction * of - 1e-9)


def _largest(vector: Tensor, fraction: float) -> Tensor:
    return sparsify(vector, torch.tensor([fraction], dtype=torch.float64)).row(0)


def largest(course: Course, fraction: float) -> float:
    """The largest entries of all that was learned."""
    return course.test(course.servers[0] + _largest(course.whole, fraction))


def each_round(course: Course, fraction: float) -> float:
    """The largest entries of the sum of each round, as in eq. (5)."""
    sums = course.servers.diff(dim=0)
    return course.test(course.servers[0]
                       + torch.stack([_largest(u, fraction) for u in sums]).sum(0))


def at_random(course: Course, fraction: float) -> float:
    """As many entries, drawn at random."""
    order = torch.randperm(len(course.whole), generator=course.draws("entries"))
    found = torch.zeros_like(course.whole)
    some = order[: round(fraction * len(order))]
    found[some] = course.whole[some]
    return course.test(course.servers[0] + found)


def stale(course: Course, fraction: float) -> float:
    """The server's model of an earlier round."""
    return course.test(course.servers[_many(fraction, course.rounds)])


def some_updates(course: Course, fraction: float) -> float:
    """The sum over the rounds of the mean of some agents' updates, others in each."""
    draws, many = course.draws("updates"), _many(fraction, AGENTS)
    total = torch.zeros_like(course.whole)
    for updates in course.updates:
        total += updates[torch.randperm(AGENTS, generator=draws)[:many]].mean(0)
    return course.test(course.servers[0] + total)


def smaller(course: Course, fraction: float) -> float:
    """What so many of the agents reach without the others."""
    return course.test(course.coalitions[_many(fraction, AGENTS)])


def shorter(course: Course, fraction: float) -> float:
    """A part of the way from the first model to the last."""
    return course.test(course.servers[0] + fraction * course.whole)


def from_own(course: Course, fraction: float) -> float:
    """A part of the way from the model that an agent has trained alone; mean over the
    agents."""
    return course.test(course.alone + fraction * (course.servers[-1] - course.alone))


def noisy(course: Course, fraction: float) -> float:
    """The last model with noise, so that the fraction of the squared length of what was
    learned and noise together is the former's."""
    noise = torch.randn(len(course.whole), generator=course.draws("noise"),
                        dtype=torch.float64)
    length = math.sqrt(1 / fraction - 1) * course.whole.norm()
    return course.test(course.servers[-1] + length * noise / noise.norm())


def cut(course: Course, fraction: float) -> float:
    """The last model cut to this width."""
    return course.test_width(course.servers[-1], fraction)


def slimmable(course: Course, fraction: float) -> float:
    """A network trained at several widths, cut to this one."""
    return course.test_width(course.slim, fraction)


CURRENCIES = {
    "largest entries": largest, "largest entries, each round": each_round,
    "random entries": at_random, "an older model": stale,
    "some updates a round": some_updates, "fewer agents": smaller,
    "part of the way": shorter, "part of the way from its own": from_own,
    "noise": noisy, "width": cut, "width, trained for it": slimmable,
}


def measure(data: Data, partition: str, seed: int) -> dict[str, list[float]]:
    """The accuracies at the fractions by currency, in percent; under "alone" what the
    agents reach alone."""
    course = Course(data, partition, seed)
    found = {name: [round(pay(course, fraction), 1) for fraction in FRACTIONS]
             for name, pay in CURRENCIES.items()}
    return {**found, "alone": [round(course.test(course.alone), 1)]}


def choices() -> Iterator[tuple[str, int]]:
    """Partition and seed of each run."""
    return product(PARTITIONS, SEEDS)


def record(progress: bool = False) -> dict:
    """Under "runs", by "partition/seed/currency", what `measure` gives."""
    data, found = datasets.load("digits"), {}
    for partition, seed in recording.bar(choices(), progress):
        for currency, accuracy in measure(data, partition, seed).items():
            found[f"{partition}/{seed}/{currency}"] = accuracy
    return {"versions": {"fairfl": fairfl.__version__}, "data": data.sha256,
            "agents": AGENTS, "rounds": ROUNDS, "trained": TRAINED, "seeds": SEEDS,
            "fractions": FRACTIONS, "currencies": list(CURRENCIES), "runs": found}


command = recording.command(
    "price", "What a fraction of the pay buys, by currency.",
    lambda: record(progress=True))
