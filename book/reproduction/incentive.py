"""What an agent takes home for what it brings, on digits, for the chapter "Is it an
incentive?": agent 1 brings more and more samples, or more and more wrong labels, and
the others stay as they are; and who would be better off alone.

All 1,797 images are dealt anew for each seed, so that an interval over seeds holds the
luck of the test set, too. Accuracies are kept as numbers of right answers.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor, nn

import fairfl
from book.reproduction import currencies, recording
from fairfl import datasets, mechanisms, partition, vectors
from fairfl.federation import Federation
from fairfl.history import Snapshot
from fairfl.mechanisms import CGSV, FedAvg, Mechanism
from fairfl.partition import Agent
from fairfl.partition.held_out import Pair
from fairfl.randomness import generator, seeded
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining

SEEDS, ROUNDS = tuple(range(12)), 20
TEST, VALIDATION = 897, 100  # of the images; 800 are left for the agents
LEVELS = (10, 20, 40, 80, 160, 320)  # samples of agent 1
OTHERS = (40,) * 4
ROOMS = (320, 120, 120, 120, 120)  # the images that each draws its first ones from
WRONG = (0.0, 0.2, 0.4, 0.6, 0.8)  # of the labels of agent 1, with 80 samples
LOCAL = LocalTraining(lr=Schedule(1.0), epochs=5, batch_size=None)

MECHANISMS: dict[str, Callable[[int], Mechanism]] = {  # by name, for a seed
    "Standalone": lambda seed: mechanisms.Standalone(),
    "FedAvg": lambda seed: FedAvg(),
    "FedAvg raw": lambda seed: FedAvg(scaling="raw"),
    "CGSV": lambda seed: CGSV(),
    "CGSV beta 0": lambda seed: CGSV(beta=1e-6),
    "CGSV beta 10": lambda seed: CGSV(beta=10.0),
    "CGSV beta inf": lambda seed: CGSV(beta=math.inf),
    "CFFL": lambda seed: mechanisms.CFFL(),
    "DW": lambda seed: mechanisms.DW(),
    "Lin": lambda seed: mechanisms.Lin(seed=seed),
    "Lin beta 5": lambda seed: mechanisms.Lin(beta=5.0, seed=seed),
    "IAFL": lambda seed: mechanisms.IAFL(seed=seed),
}
CURRENCIES: dict[str, tuple[type[CGSV], tuple[float, ...]]] = {  # and their powers
    "count": (currencies.Count, (2, 4, 8, 16)),  # 1 is CGSV
    "energy": (currencies.Energy, (0.125, 0.25, 0.5, 1, 2)),
    "stale": (currencies.Stale, (0.5, 1, 2, 4, 8))}
for _name, (_kind, _powers) in CURRENCIES.items():
    for _power in _powers:
        MECHANISMS[f"{_name} {_power:g}"] = partial(
            lambda seed, kind, power: kind(power=power), kind=_kind, power=_power)


class Dealt(NamedTuple):
    """All images, for one seed."""

    pool: Pair  # in random order
    test: Pair
    validation: Pair


@lru_cache
def deal(seed: int) -> Dealt:
    """Pool, test and validation set, with as much of each class as chance would give
    on average."""
    data = datasets.load("digits")
    x = torch.cat([data.x, data.test_x]).flatten(1)
    y = torch.cat([data.y, data.test_y])
    rest, test = partition.hold_out(data._replace(x=x, y=y), TEST, seed)
    rest, validation = partition.hold_out(rest, VALIDATION, seed)
    order = torch.randperm(len(rest.y), generator=generator(seed, "incentive"))
    return Dealt((rest.x[order], rest.y[order]), test, validation)


def agents(seed: int, sizes: Sequence[int], rooms: Sequence[int] = ROOMS
           ) -> list[Agent]:
    """Agents "1", "2", ... with so many samples; who brings more keeps what it had, and
    takes none of another's."""
    x, y = deal(seed).pool
    starts = accumulate(rooms, initial=0)
    return [Agent(str(i), x[start : start + n], y[start : start + n])
            for i, (start, n) in enumerate(zip(starts, sizes, strict=False), 1)]


def federation(seed: int, held: list[Agent], mechanism: str) -> Federation:
    """Digits, a network 64-32-10; five full-batch steps a round whatever an agent's
    number of samples, so that who brings more does not train more."""
    with seeded(seed, "network"):
        network = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    dealt = deal(seed)
    return Federation(held, network.double(), MECHANISMS[mechanism](seed), seed=seed,
                      local=LOCAL, gamma=Schedule(1.0, decay=0.95), train=full_batch,
                      test=dealt.test, validation=dealt.validation)


@torch.inference_mode()
def full_batch(module: nn.Module, models: Tensor, buffers: Tensor,
               held: Sequence[Agent], local: LocalTraining, t: int, seed: int
               ) -> tuple[Tensor, Tensor]:
    """`training.plain.train` for this network and full batches, with the gradient
    written out: the same numbers but for rounding, several times as fast."""
    layout, updates = vectors.layout(module), models.clone()
    for row, agent in zip(updates, held, strict=True):
        x, wanted = agent.x, nn.functional.one_hot(agent.y, len(row[layout.slices[3]]))
        w1, b1, w2, b2 = (row[part].view(shape) for part, shape in
                          zip(layout.slices, layout.shapes, strict=True))
        for epoch in range(local.epochs):
            step = local.rate(t, epoch) / len(x)
            hidden = torch.addmm(b1, x, w1.T).tanh_()
            slope = torch.addmm(b2, hidden, w2.T).softmax(1).sub_(wanted)
            back = (slope @ w2).mul_(1 - hidden.square())
            w2.addmm_(slope.T, hidden, alpha=-step)
            b2.sub_(slope.sum(0), alpha=step)
            w1.addmm_(back.T, x, alpha=-step)
            b1.sub_(back.sum(0), alpha=step)
    return updates - models, buffers.clone()


def end(fed: Federation) -> tuple[Snapshot, Tensor]:
    """The last round, and the mean of q / D over all rounds, (N,); 1 where a mechanism
    logs none."""
    dimension, shares = fed.layout.dimension, []
    for snapshot in fed.rounds(ROUNDS):
        q = snapshot.step.log.get("q", torch.full((len(fed.agents),), dimension))
        shares.append(q / dimension)
    return snapshot, torch.stack(shares).mean(0)


def right(fed: Federation, models: Tensor) -> list[int]:
    """How many of the test images each model, (N, D), tells right."""
    assert fed.test is not None
    accuracy = fed.evaluate(models, *fed.test)[1]
    return [round(TEST * float(one)) for one in accuracy]


def measure(seed: int, held: list[Agent], mechanism: str) -> dict[str, list]:
    """Right answers of all agents, and agent 1's mean q / D and its r at the end."""
    fed = federation(seed, held, mechanism)
    last, shares = end(fed)
    r = last.step.log.get("r")
    return {"right": right(fed, last.models), "q": round(float(shares[0]), 3),
            "r": None if r is None else round(float(r[0]), 4)}


def with_samples(seed: int, n: int) -> list[Agent]:
    """Agent 1 brings n samples, the others 40 each."""
    return agents(seed, (n, *OTHERS))


def with_wrong_labels(seed: int, part: float) -> list[Agent]:
    """Agent 1 brings 80 samples, this part of their labels wrong, the others 40."""
    return partition.label_noise(agents(seed, (80, *OTHERS)), {"1": part}, 10, seed)


CASES: dict[str, Callable[[int], list[Agent]]] = {  # who holds what, for a seed
    "alike": lambda seed: partition.uniform(deal(seed).pool, 5, 40, seed),
    "unequal sizes": lambda seed: partition.power_law(deal(seed).pool, 5, 40, seed),
    "wrong labels": lambda seed: partition.label_noise(
        CASES["alike"](seed), (0.0, 0.0, 0.2, 0.4, 0.6), 10, seed),
    "unequal classes": lambda seed: partition.classes(deal(seed).pool, 5, 40, seed),
    "one large agent": lambda seed: with_samples(seed, 320),
}
CHOSEN = [*(name for name in MECHANISMS if name.split()[0] not in CURRENCIES),
          "count 4", "energy 1", "stale 2"]


def joined(seed: int, case: str, mechanism: str) -> dict[str, list[int]]:
    """Right answers of all agents, of the models as downloaded, and after each agent
    has trained once more."""
    fed = federation(seed, CASES[case](seed), mechanism)
    last, _ = end(fed)
    after = next(fed.rounds(1, last))
    assert after.updates is not None
    return {"right": right(fed, last.models),
            "trained": right(fed, last.models + after.updates)}


def choices() -> Iterator[tuple[str, Callable[[int], dict]]]:
    """The name of each run, and what is measured of it for a seed."""
    for mechanism in MECHANISMS:
        for n in LEVELS:
            yield f"samples/{mechanism}/{n}", lambda seed, m=mechanism, n=n: (
                measure(seed, with_samples(seed, n), m))
    for mechanism in CHOSEN:
        for part in WRONG:
            yield f"labels/{mechanism}/{part:g}", lambda seed, m=mechanism, p=part: (
                measure(seed, with_wrong_labels(seed, p), m))
        for case in CASES:
            yield f"joined/{mechanism}/{case}", lambda seed, m=mechanism, c=case: (
                joined(seed, c, m))


def record(progress: bool = False) -> dict:
    """All runs, as plain data, a list over the seeds of each number."""
    runs = {}
    for name, run in recording.bar(choices(), progress):
        each = [run(seed) for seed in SEEDS]
        runs[name] = {key: [one[key] for one in each] for key in each[0]}
    return {**about(), "levels": LEVELS, "others": OTHERS, "wrong": WRONG,
            "cases": list(CASES), "mechanisms": list(MECHANISMS), "chosen": CHOSEN,
            "runs": runs}


def about() -> dict:
    """What made the numbers."""
    return {"versions": {"fairfl": fairfl.__version__},
            "data": datasets.load("digits").sha256, "test": TEST, "rounds": ROUNDS,
            "seeds": SEEDS}


command = recording.command(
    "incentive", "What an agent takes home for what it brings, on digits.",
    lambda: record(progress=True))
