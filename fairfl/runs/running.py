"""How settings become a federation, a run and a record."""

import math
import platform
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fairfl import attacks, datasets, mechanisms, models, partition, probes
from fairfl.datasets import Data
from fairfl.federation import Federation
from fairfl.history import History
from fairfl.runs import checkpoint
from fairfl.runs.records import Record, versions
from fairfl.runs.settings import Settings


def federation(settings: Settings, data: Data | None = None,
               device: str | torch.device = "cpu", train: str = "auto") -> Federation:
    """The federation that the settings describe; `data` saves loading the data again.

    ValueError if they do not fit each other or the data; the message says what.
    """
    mechanism = _made("mechanism_options", mechanisms.build, settings.mechanism,
                      **settings.mechanism_options)
    data = data or datasets.load(settings.dataset, **settings.dataset_options)
    test, validation = (data.test_x, data.test_y), None
    if settings.validation != 0:
        data, validation = partition.hold_out(data, settings.validation, settings.seed)
    agents = _made("partition_options", partition.partition, settings.partition, data,
                   settings.agents, settings.size, settings.seed,
                   **settings.partition_options)
    if settings.label_noise:
        agents = partition.label_noise(agents, settings.label_noise, data.classes,
                                       settings.seed)
    agents, cheats = attacks.join(agents, attacks.build(settings.attacks))
    return Federation(agents, _model(settings, data), mechanism, local=settings.local,
                      gamma=settings.gamma, test=test, validation=validation,
                      seed=settings.seed, device=device, train=train, attacks=cheats,
                      buffers=settings.buffers, participation=settings.participation)


def _made(field: str, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """What the function gives; an option that it does not take is a ValueError."""
    try:
        return function(*args, **options)
    except TypeError as error:
        raise ValueError(f"{field} {options}: {error}") from error


def _model(settings: Settings, data: Data) -> nn.Module:
    """The network, told what the data decide about it."""
    known = {"classes": data.classes, "vocabulary": len(data.vocabulary or ())}
    taken = models.parameters(settings.model)
    options = {name: value for name, value in known.items() if value and name in taken}
    own = ":" in settings.model and data.x.is_floating_point()
    return models.build(settings.model, settings.seed, data.x.dtype if own else None,
                        **options | settings.model_options)


def standard_probes(settings: Settings) -> Sequence[probes.Probe]:
    """What is recorded: all that is cheap in every round, losses and accuracies as the
    settings say, see `Settings`."""
    last, k = settings.rounds, settings.evaluate_every
    tests_every = settings.accuracy_every or last

    def tested(probe: probes.Probe) -> probes.Probe:
        return probes.every(tests_every, probe, last, first=False)

    cheap = (probes.log, probes.download, probes.server_distance)
    if settings.recorded == "validation":
        return (tested(probes.validation_accuracy),)
    if settings.recorded == "guarantee":
        wanted = probes.union_loss, probes.server_gradient
        return *cheap, *(probes.every(k, probe, last) for probe in wanted)
    if settings.recorded == "losses":
        noisy = (probes.true_loss,) * bool(settings.label_noise)
        losses = (probes.every(k, probe, last)
                  for probe in (probes.shard_losses, probes.server_gradient, *noisy))
        return *cheap, *losses, tested(probes.test_results)
    if settings.recorded == "end":
        losses = (probes.every(last, probe, first=False)
                  for probe in (probes.union_loss, probes.own_loss))
        return probes.log, probes.lengths, tested(probes.test_results), *losses
    seen = [probes.every(k, probe) for probe in (probes.union_loss, probes.own_loss)]
    if settings.accuracy_every is None:
        seen.append(probes.every(2 * k, probes.test_accuracy))
    else:
        both = (probes.test_accuracy, probes.trained_test_accuracy)
        seen += [probes.every(settings.accuracy_every, probe, last) for probe in both]
    if settings.cosines_every:
        seen.append(probes.every(settings.cosines_every, probes.cosines))
    return *cheap, *seen


def run(settings: Settings, data: Data | None = None,
        device: str | torch.device = "cpu", progress: bool = False, train: str = "auto",
        checkpoint_file: str | Path | None = None, checkpoint_every: float = math.inf,
        after: Callable[[History], None] = lambda history: None) -> Record:
    """Run what the settings describe and return its record.

    Args:
        data: saves loading the data set again.
        progress: show a progress bar with rounds, time left and current accuracies.
        train: see `Federation`; backends agree within rounding.
        checkpoint_file: if it exists, the run goes on from it; it is written every
            `checkpoint_every` rounds and whenever the run ends, by Ctrl-C and by an
            error, too. It stays; whoever has saved the record may delete it.
        after: called after each round; what it raises ends the run.

    ValueError as in `federation`, if the checkpoint is damaged, of other settings or
    data, or a record could not hold the settings; OSError if the checkpoint cannot be
    written, the one before it is still there; UpdateError for NaN or infinite updates.
    """
    begin = time.perf_counter()
    about = {"settings": settings.to_dict()}  # what a record can hold, or an error
    data = data or datasets.load(settings.dataset, **settings.dataset_options)
    fed = federation(settings, data, device, train)
    history = History(fed.setting.keys)
    if checkpoint_file and Path(checkpoint_file).exists():
        history, seconds = _resume(checkpoint_file, settings, data, fed)
        begin -= seconds

    def keep() -> None:
        if checkpoint_file and history.last:
            now = {"data": data.sha256, "seconds": time.perf_counter() - begin}
            checkpoint.save(checkpoint_file, history, about | now)

    def after_round(history: History) -> None:
        if history.last and history.last.t % checkpoint_every == 0:
            keep()
        after(history)

    done = history.last.t if history.last else 0
    try:
        fed.run(settings.rounds - done, standard_probes(settings), history, progress,
                after_round)
    except BaseException as error:
        if not isinstance(error, OSError):  # then a checkpoint could not be written
            keep()
        raise
    if settings.rounds % checkpoint_every:
        with suppress(OSError):  # the record may still find room
            keep()
    return Record(settings, history, _about(fed, data, time.perf_counter() - begin))


def _about(fed: Federation, data: Data, seconds: float) -> dict[str, Any]:
    """What else a record says of how its numbers were made."""
    cuda = fed.device.type == "cuda"
    cpu = f"CPU, {platform.machine()}, {sys.platform}"
    return {
        "versions": versions(),
        "device": torch.cuda.get_device_name(fed.device) if cuda else cpu,
        "threads": torch.get_num_threads(),
        "training": fed.backend,
        "data": {"sha256": data.sha256, "original": data.original},
        "precision": str(fed.initial.dtype).removeprefix("torch."),
        "parameters": fed.layout.dimension,
        "seconds": round(seconds, 2),
    }


def _resume(path: str | Path, settings: Settings, data: Data,
            fed: Federation) -> tuple[History, float]:
    """The history to go on with and the seconds that it took."""
    found = checkpoint.load(path, fed.device)
    then = Settings.from_dict(found.about["settings"])
    if other := then.differences(settings):
        raise ValueError(f"{path} is the checkpoint of a run with other settings: "
                         f"{'; '.join(other)}")
    if found.about["data"] != data.sha256:
        raise ValueError(f"{path} is the checkpoint of a run on other data: sha256 "
                         f"{found.about['data']}, not {data.sha256}")
    return found.history, found.about["seconds"]


def replay(record: Record, rounds: int, data: Data | None = None
           ) -> tuple[History, History]:
    """Run the first rounds of a record again: (what it says of them, what they give);
    the order of summation may differ, so compare with a tolerance."""
    seen = standard_probes(record.settings)
    again = federation(record.settings, data).run(rounds, seen)
    return record.history.until(rounds), again
