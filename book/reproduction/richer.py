"""Rich get richer, and three cures, for the chapter "What came after": how far apart
ten agents on digits come over a hundred rounds.
"""

from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor

import fairfl
from book.reproduction import recording
from fairfl import datasets, runs
from fairfl.datasets import Data
from fairfl.runs.recommendations import starting
from fairfl.runs.settings import Settings
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining

AGENTS, SEEDS = 10, (0, 1, 2, 3, 4)
PARTITIONS = ("pow", "cla")
SHOWN = (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)  # rounds that are kept
RATE = {"alone": 0.2}  # where it is not .1, the best of those tried for FedAvg
GAMMA = Schedule(0.5, 0.97)
# What is known of an agent before training, for those who pay by that
GIVEN = {"pow": "sizes", "cla": "classes"}
# Of each line of the figure: the mechanism and its options
LINES: dict[str, tuple[str, dict]] = {
    "alone": ("standalone", {}),
    "fedavg": ("fedavg", {"scaling": "raw"}),
    "cgsv": ("cgsv", {}),
    "rffl": ("rffl", {"keep_own": False}),
    **{f"iafl {q:g}": ("iafl", {"recovery": q}) for q in (0.0, 0.05, 0.1, 0.3)},
    **{f"lin {beta:g}": ("lin", {"beta": beta}) for beta in (1.0, 2.0, 5.0)},
}


def settings(partition: str, line: str, seed: int) -> Settings:
    """The same training for all who share, the mechanism's other hyperparameters as
    they are."""
    mechanism, options = LINES[line]
    if mechanism in ("iafl", "lin"):  # new lots for each seed, not those of seed 0
        options = options | {"seed": seed}
    if mechanism == "iafl":
        options = options | {"contributions": GIVEN[partition]}
    local = LocalTraining(Schedule(RATE.get(line, 0.1), 0.977), batch_size=16)
    return starting(
        "digits", partition, AGENTS, mechanism=mechanism, mechanism_options=options,
        local=local, gamma=GAMMA, rounds=max(SHOWN), seed=seed)


def measure(data: Data, partition: str, line: str, seed: int,
            shown: tuple[int, ...] = SHOWN) -> Tensor:
    """Accuracies of the models as downloaded after the rounds `shown`, in percent,
    (rounds, N); of those who train alone, as trained."""
    fed = runs.federation(settings(partition, line, seed), data)
    found = []
    for snapshot in fed.rounds(max(shown)):
        if snapshot.t in shown:
            found.append(100 * fed.evaluate(snapshot.models, *fed.test)[1])
    return torch.stack(found)


def choices() -> Iterator[tuple[str, str, int]]:
    """Partition, line and seed of each run."""
    return product(PARTITIONS, LINES, SEEDS)


def record(progress: bool = False) -> dict:
    """Under "runs", by "partition/line/seed", what `measure` gives, as plain data."""
    data, found = datasets.load("digits"), {}
    for choice in recording.bar(choices(), progress):
        accuracy = measure(data, *choice).double().round(decimals=1)
        found["/".join(map(str, choice))] = accuracy.tolist()
    return {"versions": {"fairfl": fairfl.__version__}, "data": data.sha256,
            "agents": AGENTS, "rounds": SHOWN, "seeds": SEEDS,
            "lines": list(LINES), "runs": found}


command = recording.command(
    "richer", "How far apart ten agents come in a hundred rounds.",
    lambda: record(progress=True))
