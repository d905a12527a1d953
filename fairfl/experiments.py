"""The book's experiments: their settings, how they are run and recorded, and how a record is checked.

A record in `data/results/` is one JSON file: settings, seed, versions, device, checksum of the data, the history and
the seconds it took. What it says can be repeated from what it says. The chapters plot such records.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch

import fairfl
from fairfl import datasets, mechanisms, models, partition, probes
from fairfl.datasets import Data
from fairfl.federation import Federation
from fairfl.files import write_whole
from fairfl.history import History
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining


@dataclass(frozen=True)
class Settings:
    """Everything that decides the outcome of a run, as plain data.

    `partition_options` and `mechanism_options` are passed on to `partition.partition` and `mechanisms.build`; a
    non-empty `label_noise` gives the fraction of wrong labels of each agent, see `partition.label_noise`. Losses are
    taken every `evaluate_every` rounds, test accuracies half as often; the cosines between the updates every
    `cosines_every` rounds (0: never).
    """

    dataset: str
    partition: str
    agents: int
    size: int  # samples an agent, on average
    model: str
    rounds: int
    local: LocalTraining
    gamma: Schedule
    mechanism: str = "cgsv"
    mechanism_options: dict = field(default_factory=dict)
    partition_options: dict = field(default_factory=dict)
    label_noise: tuple[float, ...] = ()
    evaluate_every: int = 1
    cosines_every: int = 0
    seed: int = 0

    @classmethod
    def from_dict(cls, plain: dict) -> Settings:
        """The inverse of `dataclasses.asdict`.

        Raises:
            ValueError: fields are missing or unknown.
        """
        try:
            local = {**plain["local"], "lr": Schedule(**plain["local"]["lr"])}
            return cls(**{**plain, "local": LocalTraining(**local), "gamma": Schedule(**plain["gamma"]),
                          "label_noise": tuple(plain["label_noise"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the settings of a run: {error!r}") from error


def label_noise(dataset: str = "mnist", seed: int = 0) -> Settings:
    """The federation of Sec. 3.4 and Fig. 2: five agents with 20, 40, 60, 0 and 0 % of their labels wrong.

    "mnist": 600 images an agent; one full-batch gradient step a round, as the paper writes local training. "digits",
    for a laptop: 240 images an agent, one epoch of small batches a round. In both Gamma decays, so that the server
    settles.

    Raises:
        ValueError: another data set.
    """
    common = {"partition": "uni", "agents": 5, "gamma": Schedule(0.5, 0.97), "mechanism_options": {"beta": 1.0},
              "label_noise": (0.2, 0.4, 0.6, 0.0, 0.0), "evaluate_every": 5, "seed": seed}
    if dataset == "mnist":
        local = LocalTraining(lr=Schedule(0.15, 0.977), batch_size=None)
        return Settings("mnist", size=600, model="mnist_cnn", rounds=60, local=local, **common)
    if dataset == "digits":
        local = LocalTraining(lr=Schedule(0.05, 0.977), batch_size=16)
        return Settings("digits", size=240, model="digits_cnn", rounds=30, local=local,
                        **common | {"evaluate_every": 10})
    raise ValueError(f"unknown data set {dataset!r} for this experiment; known are 'mnist' and 'digits'")


def updates(dataset: str = "mnist", seed: int = 0) -> dict[str, Settings]:
    """Real updates to value: ten agents whose data differ in four ways, the cosines of their updates recorded.

    "uni": alike; "pow": unequal sizes; "cla": one to ten classes; "noise": up to 80 % of the labels wrong.

    Raises:
        ValueError: another data set than "mnist" or "digits".
    """
    if dataset not in ("mnist", "digits"):
        raise ValueError(f"unknown data set {dataset!r} for this experiment; known are 'mnist' and 'digits'")
    size, rounds = (600, 20) if dataset == "mnist" else (120, 10)
    local = LocalTraining(lr=Schedule(0.05, 0.977), batch_size=32 if dataset == "mnist" else 16)
    common = {"agents": 10, "size": size, "model": f"{dataset}_cnn", "rounds": rounds, "local": local, "seed": seed,
              "gamma": Schedule(0.5, 0.97), "mechanism_options": {"beta": 1.0}, "evaluate_every": rounds,
              "cosines_every": 5}
    noise = (0.0, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    replace = {"replace": True} if dataset == "digits" else {}
    return {
        "updates-uni": Settings(dataset, "uni", **common),
        "updates-pow": Settings(dataset, "pow", **common),
        "updates-cla": Settings(dataset, "cla", partition_options=replace, **common),
        "updates-noise": Settings(dataset, "uni", label_noise=noise, **common),
    }


def federation(settings: Settings, data: Data | None = None, device: str = "cpu") -> Federation:
    """The federation that the settings describe; `data` saves loading the data set again."""
    data = data or datasets.load(settings.dataset)
    agents = partition.partition(
        settings.partition, data, settings.agents, settings.size, settings.seed, **settings.partition_options
    )
    if settings.label_noise:
        agents = partition.label_noise(agents, settings.label_noise, data.classes, settings.seed)
    return Federation(
        agents,
        models.build(settings.model, settings.seed),
        mechanisms.build(settings.mechanism, **settings.mechanism_options),
        local=settings.local,
        gamma=settings.gamma,
        test=(data.test_x, data.test_y),
        seed=settings.seed,
        device=device,
    )


def standard_probes(settings: Settings) -> Sequence[probes.Probe]:
    """What is recorded: all that is cheap in every round, losses and accuracies as the settings say."""
    cheap = (probes.log, probes.download, probes.server_distance)
    k = settings.evaluate_every
    losses = (probes.every(k, probe) for probe in (probes.union_loss, probes.own_loss))
    cosines = (probes.every(settings.cosines_every, probes.cosines),) if settings.cosines_every else ()
    return (*cheap, *losses, probes.every(2 * k, probes.test_accuracy), *cosines)


class Record(NamedTuple):
    """A run as read from `data/results/`."""

    settings: Settings
    history: History
    about: dict  # versions, device, data, seconds


def run(settings: Settings, data: Data | None = None, device: str = "cpu", progress: bool = False) -> Record:
    """Run an experiment from the beginning and keep what a record needs."""
    data = data or datasets.load(settings.dataset)
    begin = time.perf_counter()
    fed = federation(settings, data, device)
    history = fed.run(settings.rounds, standard_probes(settings), progress=progress)
    about = {
        "versions": {"fairfl": fairfl.__version__, "torch": torch.__version__, "python": platform.python_version()},
        "device": torch.cuda.get_device_name(fed.device) if fed.device.type == "cuda" else _cpu(),
        "threads": torch.get_num_threads(),
        "data": {"sha256": data.sha256, "original": data.original},
        "precision": str(fed.initial.dtype).removeprefix("torch."),
        "parameters": fed.layout.dimension,
        "seconds": round(time.perf_counter() - begin, 2),
    }
    return Record(settings, history, about)


def _cpu() -> str:
    return f"CPU, {platform.machine()}, {sys.platform}"


def path(folder: str | Path, name: str, settings: Settings) -> Path:
    """Where the record of this experiment lies: folder/name-dataset-seed0.json."""
    return Path(folder) / f"{name}-{settings.dataset}-seed{settings.seed}.json"


def save(record: Record, path: str | Path) -> None:
    """Write a record; the file appears whole or not at all."""
    plain = {"settings": asdict(record.settings), **record.about, "history": record.history.to_dict()}
    write_whole(path, json.dumps(plain, allow_nan=False) + "\n")


def load(path: str | Path) -> Record:
    """Read a record.

    Raises:
        FileNotFoundError: there is none; the message says how to make it.
        ValueError: the file is damaged or not a record; the message names it.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no record at {path}; `python -m fairfl reproduce` writes the records of the book")
    try:
        plain = json.loads(path.read_text())
        settings, history = Settings.from_dict(plain.pop("settings")), History.from_dict(plain.pop("history"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged or not a record of a run: {error}") from error
    return Record(settings, history, plain)


def replay(record: Record, rounds: int, data: Data | None = None) -> tuple[History, History]:
    """Run the first rounds of a record again: (what is recorded of them, what they give now).

    Only the CPU's order of summation may differ, so compare with a tolerance.
    """
    fed = federation(record.settings, data)
    again = fed.run(rounds, standard_probes(record.settings))
    return record.history.until(rounds), again


# What `python -m fairfl reproduce` takes -> (dataset, seed) -> settings by the names of their records
EXPERIMENTS: dict[str, Callable[[str, int], dict[str, Settings]]] = {
    "fig2": lambda dataset, seed: {"fig2": label_noise(dataset, seed)},
    "updates": updates,
}

