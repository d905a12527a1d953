"""The federations that the engine is timed on: data, network, and the settings that the
experiments use.

MNIST and SST are read where they lie below the data root, and replaced by random
numbers of the same shapes where not:
it makes no difference to the time.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from book.reproduction.bench import reference
from fairfl import datasets, models, partition
from fairfl.datasets import Data
from fairfl.federation import Federation
from fairfl.mechanisms import CGSV
from fairfl.partition import Agent
from fairfl.randomness import generator, seeded
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining


class Subject(NamedTuple):
    """A federation before it is built."""

    data: str  # where the samples come from
    agents: list[Agent]
    test: tuple[Tensor, Tensor]
    network: nn.Module
    literal: nn.Module  # the same function with the same flat vector, see `reference`
    local: LocalTraining
    gamma: Schedule
    seed: int

    def federation(self, train="auto", device: str = "cpu") -> Federation:
        return Federation(self.agents, self.network, CGSV(), local=self.local,
                          gamma=self.gamma, test=self.test, seed=self.seed, train=train,
                          device=device)


def mnist(agents: int, root: Path | None, seed: int, quick: bool) -> Subject:
    """600 images an agent, POW; one epoch of batches of 32."""
    data = _load("mnist", root, seed, quick)
    return Subject(
        data.name, partition.partition("pow", data, agents, 20 if quick else 600, seed),
        (data.test_x, data.test_y),
        models.build("mnist_cnn", seed), reference.MnistCNN(),
        LocalTraining(Schedule(0.15, 0.977), 1, 32),
        Schedule(0.5, 0.98), seed)


def digits(agents: int, root: Path | None, seed: int, quick: bool,
           dtype: torch.dtype = torch.float64) -> Subject:
    """All 1,200 images in equal shards, float64 as in the book unless told otherwise;
    one epoch of batches of 16."""
    data = datasets.load("digits")
    data = data._replace(x=data.x.to(dtype), test_x=data.test_x.to(dtype))
    return Subject(
        data.name,
        partition.partition("uni", data, agents, (200 if quick else 1200) // agents,
                            seed),
        (data.test_x, data.test_y),
        models.build("digits_cnn", seed, dtype), reference.DigitsCNN().to(dtype),
        LocalTraining(Schedule(0.1, 0.98), 1, 16), Schedule(0.5, 0.98), seed)


def sst(agents: int, root: Path | None, seed: int, quick: bool,
        epochs: int = 1) -> Subject:
    """All sentences, POW; Adam on batches of 256."""
    data = _load("sst", root, seed, quick)
    words, classes = len(data.vocabulary), data.classes
    return Subject(
        data.name, partition.partition("pow", data, agents, None, seed),
        (data.test_x, data.test_y),
        models.build("text_cnn", seed, vocabulary=words, classes=classes),
        reference.TextCNN(words, classes),
        LocalTraining(Schedule(1e-3, 0.977), epochs, 256, optimizer="adam"),
        Schedule(2.0, 0.9), seed)


def perceptron(agents: int, seed: int, quick: bool) -> Subject:
    """A network of a million parameters, 5,000 if quick, on a few random numbers:
    of memory it is the parameters that count."""
    draw, hidden = generator(seed, "bench", "perceptron"), 50 if quick else 970

    def numbers(n: int) -> tuple[Tensor, Tensor]:
        return torch.randn(n, 64, generator=draw), torch.randint(10, (n,),
                                                                 generator=draw)

    with seeded(seed, "bench", "perceptron"):
        network = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(),
                                nn.Linear(hidden, hidden), nn.ReLU(),
                                nn.Linear(hidden, 10))
    return Subject("random numbers",
                   [Agent(str(i), *numbers(32)) for i in range(agents)], numbers(10),
                   network, network, LocalTraining(Schedule(0.1), 1, 16), Schedule(0.5),
                   seed)


def _load(name: str, root: Path | None, seed: int, quick: bool) -> Data:
    if not quick:
        try:
            return datasets.load(name, root, download=False)
        except datasets.DataError:
            pass
    return {"mnist": _images, "sst": _sentences}[name](generator(seed, "bench", name),
                                                       100 if quick else 1)


def _images(draw: torch.Generator, fewer: int) -> Data:
    sets = []
    for n in (60_000 // fewer, 10_000 // fewer):
        sets += [torch.randn(n, 1, 28, 28, generator=draw),
                 torch.randint(10, (n,), generator=draw)]
    return Data("random numbers in the shape of mnist", *sets, 10, "", False)


def _sentences(draw: torch.Generator, fewer: int, words: int = 16_582,
               longest: int = 56, average: int = 19) -> Data:
    """Words as rare as in a language: the k-th most frequent one has a share in
    proportion to 1 / k."""
    sets, words = [], words // fewer
    for n in (8544 // fewer, 2210 // fewer):
        x = (words ** torch.rand(n, longest, generator=draw)).long()
        lengths = torch.randint(2, 2 * average, (n, 1), generator=draw)
        sets += [torch.where(torch.arange(longest) < lengths, x, 0),
                 torch.randint(5, (n,), generator=draw)]
    return Data("random numbers in the shape of sst", *sets, 5, "", False,
                vocabulary=tuple(str(word) for word in range(words + 1)))
