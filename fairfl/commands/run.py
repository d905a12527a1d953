"""``python -m fairfl run``: one mechanism on one data set, recorded and resumable."""

from __future__ import annotations

import ast
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from fairfl.runs.records import Record
    from fairfl.runs.settings import Settings


@click.command()
@click.option("--dataset", default="mnist", help="digits, mnist, cifar10, mr, sst, or a .npz file of your own.")
@click.option("--partition", default="pow", help="uni, pow, cla or dirichlet: who holds which data.")
@click.option("--agents", type=click.IntRange(min=1), default=10)
@click.option("--mechanism", default="cgsv",
              help="cgsv, fedavg, qffl, cffl, eci, dw, rr, eu or standalone: what the server does.")
@click.option("--beta", type=float, help="Degree of altruism of cgsv; inf rewards all alike.  [default: 1]")
@click.option("--option", "hyperparameters", multiple=True, metavar="NAME=VALUE",
              help="Another hyperparameter of the mechanism, e.g. valuation=exact. May be given several times.")
@click.option("--rounds", type=click.IntRange(min=1), help="[default: recommended for the data set]")
@click.option("--seed", type=int, default=0, help="Of all random draws.")
@click.option("--size", type=click.IntRange(min=1), help="Samples an agent, on average.  [default: recommended]")
@click.option("--partition-option", "partition_options", multiple=True, metavar="NAME=VALUE",
              help="Of the partition, e.g. held=spread for cla. May be given several times.")
@click.option("--label-noise", metavar="F,F,...", help="Fraction of wrong labels of each agent, e.g. 0.4,0,0.")
@click.option("--attack", "attacks", multiple=True, metavar="KEY=KIND[,NAME=VALUE]",
              help="An agent that cheats, e.g. 3=noise,from_round=5, see `fairfl.attacks`. May be given several times.")
@click.option("--validation", type=click.IntRange(min=0),
              help="Samples held out for mechanisms that validate.  [default: 10 %, at most 1000]")
@click.option("--model", help="digits_cnn, mnist_cnn, cifar_cnn or text_cnn.  [default: of the data set]")
@click.option("--epochs", type=click.IntRange(min=1), help="Of local training in a round.  [default: 1]")
@click.option("--batch-size", type=click.IntRange(min=0), help="0: all samples at once.  [default: recommended]")
@click.option("--optimizer", type=click.Choice(["sgd", "adam"]), help="[default: recommended]")
@click.option("--lr", type=float, help="Learning rate in round 1.  [default: recommended]")
@click.option("--lr-decay", type=float, help="Its factor from round to round.  [default: recommended]")
@click.option("--gamma", type=float, help="Gamma, the length of updates, in round 1.  [default: recommended]")
@click.option("--gamma-decay", type=float, help="Its factor from round to round.  [default: recommended]")
@click.option("--precision", type=click.Choice(["bfloat16"]), help="Of training.  [default: the network's own]")
@click.option("--losses-every", type=click.IntRange(min=1), help="Rounds between records of the losses.")
@click.option("--accuracy-every", type=click.IntRange(min=1), help="Rounds between records of test accuracies.")
@click.option("--device", default="cpu", help="Where to train, e.g. cuda.")
@click.option("--train", type=click.Choice(["auto", "plain", "stacked", "threads"]), default="auto",
              help="How the agents are trained: the same numbers within rounding.")
@click.option("--data-root", type=click.Path(path_type=Path), help="Where the data sets lie or are downloaded to.  "
              "[default: $FAIRFL_DATA, else the user's cache]")
@click.option("--results", type=click.Path(path_type=Path), default=Path("runs"), help="Folder of the record.")
@click.option("--output", type=click.Path(path_type=Path), help="The record's file.  [default: named by the settings]")
@click.option("--checkpoint-every", type=click.IntRange(min=1), default=10, help="Rounds between checkpoints.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint of an interrupted run.")
@click.option("--again", is_flag=True, help="Start anew even if there is a record or a checkpoint.")
def run(data_root: Path | None, device: str, train: str, results: Path, output: Path | None, checkpoint_every: int,
        resume: bool, again: bool, **options) -> None:
    """Run one mechanism on one data set and record it as a JSON file.

    What is not given is taken from the settings recommended for the data set. A run that was stopped, by Ctrl-C or
    otherwise, goes on with --resume and ends in the record of an uninterrupted run.
    """
    from fairfl import datasets
    from fairfl.federation import UpdateError
    from fairfl.runs import records, running
    from fairfl.runs.files import check_writable

    settings = _settings(**options)
    _check_device(device)
    output = output or results / f"{settings.name}.json"
    checkpoint = output.with_name(output.name + ".checkpoint")
    if resume and again:
        raise click.UsageError("--resume goes on, --again starts anew: choose one")
    try:
        check_writable(output)
        _check_files(output, checkpoint, resume, again)
        data = datasets.load(settings.dataset, data_root, **settings.dataset_options)
        click.echo(_title(settings, data.original))
        with _termination_as_interrupt():
            record = running.run(settings, data, device, progress=True, train=train, checkpoint_file=checkpoint,
                                     checkpoint_every=checkpoint_every)
        records.save(record, output)
    except (UpdateError, OSError) as error:
        kept = f"\n{checkpoint} holds the rounds before; --resume goes on" if os.path.exists(checkpoint) else ""
        raise click.ClickException(f"{error}{kept}") from error
    except (ValueError, datasets.DataError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        if checkpoint.exists():
            click.echo(f"\ninterrupted; the same command with --resume goes on from {checkpoint}", err=True)
        else:
            click.echo("\ninterrupted before the first round had ended; nothing is kept", err=True)
        sys.exit(130)
    checkpoint.unlink(missing_ok=True)
    click.echo("\n".join(_summary(record)))
    click.echo(f"{record.about['seconds']} s, wrote {output}")


def _settings(dataset: str, partition: str, agents: int, mechanism: str, beta: float | None,
              hyperparameters: tuple[str, ...], partition_options: tuple[str, ...], label_noise: str | None,
              attacks: tuple[str, ...], losses_every: int | None, **options) -> Settings:
    """The recommended settings with what was asked for instead.

    Raises:
        click.UsageError: something that does not exist or does not fit.
    """
    from dataclasses import replace
    from inspect import signature

    from fairfl import attacks as cheats
    from fairfl import mechanisms
    from fairfl.partition import PARTITIONS
    from fairfl.runs.recommendations import recommended

    given = {name: value for name, value in options.items() if value is not None}
    local = {name: given.pop(name) for name in ("epochs", "batch_size", "optimizer", "precision") if name in given}
    schedules = {name: given.pop(name) for name in ("lr", "lr_decay", "gamma", "gamma_decay") if name in given}
    if "batch_size" in local:
        local["batch_size"] = local["batch_size"] or None
    if losses_every:
        given["evaluate_every"] = losses_every
    chosen = _pairs("--option", hyperparameters) | ({} if beta is None else {"beta": beta})
    try:
        if label_noise:
            given["label_noise"] = tuple(float(fraction) for fraction in label_noise.split(","))
        if attacks:
            given["attacks"] = dict(_attack(text) for text in attacks)
            cheats.build(given["attacks"])
        mechanisms.build(mechanism, **chosen)
        if partition.lower() not in PARTITIONS:
            raise ValueError(f"unknown partition {partition!r}; known are {', '.join(sorted(PARTITIONS))}")
        found = recommended(dataset, partition.lower(), agents, mechanism=mechanism, mechanism_options=chosen, **given)
        if partition_options:
            divided = found.partition_options | _pairs("--partition-option", partition_options)
            signature(PARTITIONS[found.partition]).bind(None, agents, 1, 0, **divided)
            found = replace(found, partition_options=divided)
        rate = replace(found.local.lr, **_renamed(schedules, lr="first", lr_decay="decay"))
        gamma = replace(found.gamma, **_renamed(schedules, gamma="first", gamma_decay="decay"))
        return replace(found, local=replace(found.local, lr=rate, **local), gamma=gamma)
    except (ValueError, TypeError) as error:
        raise click.UsageError(str(error)) from error


def _renamed(options: dict, **names: str) -> dict:
    return {new: options[old] for old, new in names.items() if old in options}


def _pairs(flag: str, texts: tuple[str, ...]) -> dict:
    """NAME=VALUE, the value read as Python's literal where it is one."""
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise click.UsageError(f"{flag} wants NAME=VALUE, not {text!r}")
        try:
            pairs[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            pairs[name] = float("inf") if value == "inf" else value
    return pairs


def _attack(text: str) -> tuple[str, dict]:
    """An agent's key and its attack as plain data, from KEY=KIND,NAME=VALUE,..."""
    key, equals, rest = text.partition("=")
    kind, *pairs = rest.split(",")
    if not (key and equals and kind):
        raise click.UsageError(f"--attack wants KEY=KIND[,NAME=VALUE], not {text!r}")
    return key, {"kind": kind} | _pairs("--attack", tuple(pairs))


def _check_device(device: str) -> None:
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise click.UsageError(f"--device {device}: {str(error).splitlines()[0]}") from error


def _check_files(output: Path, checkpoint: Path, resume: bool, again: bool) -> None:
    if again:
        checkpoint.unlink(missing_ok=True)
    elif output.exists():
        raise click.ClickException(f"{output} exists already; --again computes it anew")
    elif checkpoint.exists() and not resume:
        raise click.ClickException(f"{checkpoint} holds an interrupted run; --resume goes on, --again starts anew")
    elif resume and not checkpoint.exists():
        click.echo(f"there is no checkpoint {checkpoint}; starting with round 1", err=True)


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Let the polite kill that batch systems send save a checkpoint, as Ctrl-C does."""

    def stop(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _title(settings: Settings, original: bool) -> str:
    options = "".join(f", {name} {value}" for name, value in settings.mechanism_options.items())
    copy = "" if original else " (a copy, not verified to be the published files)"
    return (f"{settings.dataset}{copy}, {settings.partition}, {settings.agents} agents, {settings.mechanism}{options}: "
            f"{settings.rounds} rounds, seed {settings.seed}")


def _summary(record: Record) -> list[str]:
    """The last round, an agent a line, and the averages."""
    history, columns = record.history, {}
    for name, head, scale in (("r", "r", 1), ("q", "entries sent", 1), ("test_accuracy", "downloaded %", 100),
                              ("trained_test_accuracy", "trained %", 100)):
        if name in history.names:
            columns[head] = (scale * history[name][-1].double()).tolist()
    lines = ["agent" + "".join(f"{head:>14}" for head in columns)]
    for i, key in enumerate(history.keys):
        lines.append(f"{key:>5}" + "".join(f"{values[i]:14.{0 if values[i] == int(values[i]) > 1 else 3}f}"
                                           for values in columns.values()))
    accuracy = 100 * history["test_accuracy"][-1]
    lines.append(f"test accuracy as downloaded: average {accuracy.mean():.1f} %, best {accuracy.max():.1f} %, server "
                 f"{100 * history['server_test_accuracy'][-1]:.1f} %")
    return lines
