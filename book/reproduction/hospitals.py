"""Three hospitals on digits, for the chapter "The idea in ten minutes": all choices of
how many images each has, how many labels are wrong, and how altruistic the server is.
"""

import math
from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor

import fairfl
from book.reproduction import recording
from fairfl import datasets, models, partition
from fairfl.datasets import Data
from fairfl.federation import Federation
from fairfl.mechanisms import CGSV, Mechanism, Standalone
from fairfl.partition import Agent
from fairfl.randomness import generator
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining

NAMES = ("A", "B", "C")
KINDS = {"few": (40, 0.0), "many": (160, 0.0), "few, half wrong": (40, 0.5),
         "many, half wrong": (160, 0.5)}  # images, and which part has a wrong label
BETAS = (1.0, 5.0, math.inf)
SEEDS = (0, 1, 2)
ROUNDS = 30
SHOWN = (10, 30)  # rounds whose accuracies are kept


def hospitals(data: Data, kinds: tuple[str, ...], seed: int) -> list[Agent]:
    """The agents A, B and C; few images are some of the many, float64."""
    order = torch.randperm(len(data.x), generator=generator(seed, "hospitals"))
    most = max(count for count, _ in KINDS.values())
    agents = []
    for k, (name, kind) in enumerate(zip(NAMES, kinds, strict=True)):
        part = order[most * k :][: KINDS[kind][0]]
        agents.append(Agent(name, data.x[part].double(), data.y[part]))
    wrong = [KINDS[kind][1] for kind in kinds]
    return partition.label_noise(agents, wrong, data.classes, seed)


def federation(data: Data, kinds: tuple[str, ...], mechanism: Mechanism, seed: int,
               device: str = "cpu") -> Federation:
    """The run that the chapter tells: small batches, a Gamma that decays."""
    local = LocalTraining(lr=Schedule(0.2, 0.977), batch_size=16)
    name = "digits_cnn" if data.x.shape[-1] == 8 else "mnist_cnn"
    network = models.build(name, seed).double()
    return Federation(hospitals(data, kinds, seed), network, mechanism, local=local,
                      gamma=Schedule(2.0, 0.95), seed=seed,
                      test=(data.test_x.double(), data.test_y), device=device)


def measure(data: Data, kinds: tuple[str, ...], beta: float, seed: int
            ) -> dict[str, Tensor]:
    """"value", psi averaged over the rounds; "share", of the entries of all downloads;
    "accuracy" in percent after the rounds `SHOWN`, (rounds, 3); "r" at the end."""
    fed = federation(data, kinds, CGSV(beta=beta), seed)
    psi, q, accuracy = [], [], []
    for snapshot in fed.rounds(ROUNDS):
        psi.append(snapshot.step.log["psi"])
        q.append(snapshot.step.log["q"] / fed.setting.dimension)
        if snapshot.t in SHOWN:
            accuracy.append(100 * fed.evaluate(snapshot.models, *fed.test)[1])
    return {"value": torch.stack(psi).mean(0), "share": torch.stack(q).mean(0),
            "r": snapshot.step.log["r"], "accuracy": torch.stack(accuracy)}


def alone(data: Data, seed: int) -> dict[tuple[str, str], float]:
    """What a hospital of a kind reaches by itself, in percent, by its name and kind."""
    found = {}
    for kind in KINDS:
        fed = federation(data, (kind,) * len(NAMES), Standalone(), seed)
        *_, last = fed.rounds(ROUNDS)
        reached = 100 * fed.evaluate(last.models, *fed.test)[1]
        found |= {(name, kind): float(value)
                  for name, value in zip(NAMES, reached, strict=True)}
    return found


def choices() -> Iterator[tuple[tuple[str, ...], float]]:
    """All kinds of the three, with each beta."""
    return product(product(KINDS, repeat=len(NAMES)), BETAS)


def record(progress: bool = False) -> dict:
    """Means over the seeds of all choices, as plain data: "alone" by name and kind, and
    under "runs", by "kind of A/of B/of C/beta", what `measure` gives."""
    data = datasets.load("digits")
    by_seed = [alone(data, seed) for seed in SEEDS]
    found = {"/".join(key): recording.mean(
                [torch.tensor(one[key]) for one in by_seed], 1) for key in by_seed[0]}
    runs = {}
    for kinds, beta in recording.bar(choices(), progress, "choice"):
        each = [measure(data, kinds, beta, seed) for seed in SEEDS]
        runs["/".join([*kinds, f"{beta:g}"])] = recording.means(each)
    return {"versions": {"fairfl": fairfl.__version__}, "data": data.sha256,
            "names": NAMES, "kinds": KINDS, "betas": [f"{beta:g}" for beta in BETAS],
            "seeds": SEEDS, "rounds": SHOWN, "alone": found, "runs": runs}


command = recording.command(
    "hospitals", "Three hospitals on digits, all choices of them.",
    lambda: record(progress=True))
