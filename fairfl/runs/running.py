"""How settings become a federation, a run and a record."""

from __future__ import annotations

import math
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

import torch

from fairfl import attacks, datasets, mechanisms, models, partition, probes
from fairfl.datasets import Data
from fairfl.federation import Federation
from fairfl.history import History
from fairfl.runs import checkpoint
from fairfl.runs.records import Record, versions
from fairfl.runs.settings import Settings


def federation(
    settings: Settings, data: Data | None = None, device: str | torch.device = "cpu", train: str = "auto"
) -> Federation:
    """The federation that the settings describe; `data` saves loading the data set again.

    Raises:
        ValueError: the settings do not fit each other or the data; the message says what.
        TypeError: an option that the mechanism, the partition or the network does not have.
    """
    mechanism = mechanisms.build(settings.mechanism, **settings.mechanism_options)
    data = data or datasets.load(settings.dataset, **settings.dataset_options)
    test, validation = (data.test_x, data.test_y), None
    if settings.validation != 0:
        data, validation = partition.hold_out(data, settings.validation, settings.seed)
    agents = partition.partition(
        settings.partition, data, settings.agents, settings.size, settings.seed, **settings.partition_options
    )
    if settings.label_noise:
        agents = partition.label_noise(agents, settings.label_noise, data.classes, settings.seed)
    agents, cheats = attacks.join(agents, attacks.build(settings.attacks))
    return Federation(
        agents,
        models.build(settings.model, settings.seed, **_model_options(settings, data)),
        mechanism,
        local=settings.local,
        gamma=settings.gamma,
        test=test,
        validation=validation,
        seed=settings.seed,
        device=device,
        train=train,
        attacks=cheats,
    )


def _model_options(settings: Settings, data: Data) -> dict:
    """What the data decide about the network, and the settings' own wishes."""
    known = {"classes": data.classes}
    if data.vocabulary:
        known["vocabulary"] = len(data.vocabulary)
    return known | settings.model_options


def standard_probes(settings: Settings) -> Sequence[probes.Probe]:
    """What is recorded: all that is cheap in every round, losses and accuracies as the settings say."""
    last, accuracy_every = settings.rounds, settings.accuracy_every or settings.rounds
    if settings.recorded == "validation":
        return (probes.every(accuracy_every, probes.validation_accuracy, last, first=False),)
    if settings.recorded == "guarantee":
        k, wanted = settings.evaluate_every, (probes.union_loss, probes.server_gradient)
        seen = (probes.every(k, probe, last) for probe in wanted)
        return probes.log, probes.download, probes.server_distance, *seen
    if settings.recorded == "losses":
        wanted = [probes.shard_losses, probes.server_gradient]
        wanted += [probes.true_loss] * bool(settings.label_noise)
        seen = (probes.every(settings.evaluate_every, probe, last) for probe in wanted)
        tested = probes.every(accuracy_every, probes.test_results, last, first=False)
        return probes.log, probes.download, probes.server_distance, *seen, tested
    if settings.recorded == "end":
        losses = (probes.every(last, probe, first=False) for probe in (probes.union_loss, probes.own_loss))
        return probes.log, probes.lengths, probes.every(accuracy_every, probes.test_results, last, first=False), *losses
    cheap = (probes.log, probes.download, probes.server_distance)
    k = settings.evaluate_every
    losses = (probes.every(k, probe) for probe in (probes.union_loss, probes.own_loss))
    cosines = (probes.every(settings.cosines_every, probes.cosines),) if settings.cosines_every else ()
    if settings.accuracy_every is None:
        accuracies = (probes.every(2 * k, probes.test_accuracy),)
    else:
        both = (probes.test_accuracy, probes.trained_test_accuracy)
        accuracies = tuple(probes.every(settings.accuracy_every, probe, last) for probe in both)
    return (*cheap, *losses, *accuracies, *cosines)


def run(
    settings: Settings,
    data: Data | None = None,
    device: str | torch.device = "cpu",
    progress: bool = False,
    train: str = "auto",
    checkpoint_file: str | Path | None = None,
    checkpoint_every: float = math.inf,
    after: Callable[[History], None] = lambda history: None,
) -> Record:
    """Run what the settings describe and return its record.

    Args:
        data: saves loading the data set again.
        device: where to train.
        progress: show a progress bar with rounds, time left and current accuracies.
        train: see `Federation`; backends agree within rounding.
        checkpoint_file: if it exists, the run goes on from it; it is written every `checkpoint_every` rounds and
            whenever the run ends before its last round, by Ctrl-C or by an error. It stays when the run has ended;
            whoever has saved the record may delete it.
        after: called after each round; what it raises ends the run.

    Raises:
        ValueError: as in `federation`; the checkpoint is damaged, or of other settings or data.
        OSError: the checkpoint cannot be written; the one before it is still there.
        UpdateError: an agent's update is NaN or infinite.
    """
    begin = time.perf_counter()
    data = data or datasets.load(settings.dataset, **settings.dataset_options)
    fed = federation(settings, data, device, train)
    about = {
        "versions": versions(),
        "device": torch.cuda.get_device_name(fed.device) if fed.device.type == "cuda" else _cpu(),
        "threads": torch.get_num_threads(),
        "training": fed.backend,
        "data": {"sha256": data.sha256, "original": data.original},
        "precision": str(fed.initial.dtype).removeprefix("torch."),
        "parameters": fed.layout.dimension,
    }
    history, before = History(fed.setting.keys), 0.0
    if checkpoint_file and Path(checkpoint_file).exists():
        history, before = _resume(checkpoint_file, settings, data, fed)

    def keep() -> None:
        if checkpoint_file and history.last:
            spent = before + time.perf_counter() - begin
            checkpoint.save(checkpoint_file, history,
                            {"settings": settings.to_dict(), "data": data.sha256, "seconds": spent})

    def after_round(history: History) -> None:
        if history.last.t % checkpoint_every == 0:
            keep()
        after(history)

    done = history.last.t if history.last else 0
    try:
        fed.run(settings.rounds - done, standard_probes(settings), history, progress, after_round)
    except BaseException as error:
        if not isinstance(error, OSError):  # then it is the checkpoint that could not be written
            keep()
        raise
    about["seconds"] = round(before + time.perf_counter() - begin, 2)
    return Record(settings, history, about)


def _resume(path: str | Path, settings: Settings, data: Data, fed: Federation) -> tuple[History, float]:
    """The history to go on with and the seconds that it took."""
    found = checkpoint.load(path, fed.device)
    then = Settings.from_dict(found.about["settings"])
    pairs = ((field.name, getattr(then, field.name), getattr(settings, field.name)) for field in fields(Settings))
    if other := [f"{name} {old!r}, not {new!r}" for name, old, new in pairs if old != new]:
        raise ValueError(f"{path} is the checkpoint of a run with other settings: {'; '.join(other)}")
    if found.about["data"] != data.sha256:
        raise ValueError(f"{path} is the checkpoint of a run on other data: sha256 {found.about['data']}, not "
                         f"{data.sha256}")
    return found.history, found.about["seconds"]


def _cpu() -> str:
    return f"CPU, {platform.machine()}, {sys.platform}"


def replay(record: Record, rounds: int, data: Data | None = None) -> tuple[History, History]:
    """Run the first rounds of a record again: (what is recorded of them, what they give now).

    Only the order of summation may differ, so compare with a tolerance.
    """
    fed = federation(record.settings, data)
    again = fed.run(rounds, standard_probes(record.settings))
    return record.history.until(rounds), again
