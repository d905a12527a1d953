"""``fairfl run``: one mechanism on one data set, recorded and resumable."""

import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from fairfl.commands.options import Listed, settings_of
from fairfl.commands.show import summary, title

PATH = click.Path(path_type=Path)
_option = partial(click.option, cls=Listed)


@click.command()
@_option("--dataset", default="mnist", help="{datasets}, or a .npz file of your own.")
@_option("--partition", default="pow", help="Who holds which data: {partitions}.")
@_option("--agents", type=click.IntRange(min=1), default=10)
@_option("--mechanism", default="cgsv", help="What the server does: {mechanisms}.")
@_option("--beta", type=float,
         help="Degree of altruism of cgsv; inf rewards all alike.  [default: 1]")
@_option("--rounds", type=click.IntRange(min=1))
@_option("--seed", type=int, default=0, help="Of all random draws.")
@_option("--size", type=click.IntRange(min=1), help="Samples an agent, on average.")
@_option("--model", help="{models}, or module:Class for one of your own in module.py.")
@_option("--lr", type=float, help="Learning rate in round 1.")
@_option("--gamma", type=float, help="Gamma, the length of updates, in round 1.")
@_option("--attack", "attacks", multiple=True, metavar="KEY=KIND[,NAME=VALUE]",
         help="An agent that cheats, e.g. 3=noise,from_round=5. Kinds: {attacks}.")
@_option("--set", "assignments", multiple=True, metavar="FIELD=VALUE",
         help="Any field of the settings or part of one, e.g. local.epochs=2, "
         "gamma.decay=1, mechanism_options.alpha=0.5, label_noise=0.4,0,0. May be "
         "given several times. Fields: {fields}; see `fairfl.runs.Settings`.")
@_option("--device", default="cpu", help="Where to train, e.g. cuda.")
@_option("--train", type=click.Choice(["auto", "plain", "stacked", "threads"]),
         default="auto", help="How to train: the same numbers within rounding.")
@_option("--data-root", type=PATH, help="Where the data sets lie or are downloaded to."
         "  [default: $FAIRFL_DATA, else the user's cache]")
@_option("--results", type=PATH, default=Path("runs"), help="Folder of the record.")
@_option("--output", type=PATH, help="Its file.  [default: named by the settings]")
@_option("--checkpoint-every", type=click.IntRange(min=1), default=10,
         help="Rounds between checkpoints.")
@_option("--resume", is_flag=True, help="Go on from an interrupted run's checkpoint.")
@_option("--again", is_flag=True,
         help="Start anew even if there is a record or a checkpoint of these settings.")
def run(data_root: Path | None, device: str, train: str, results: Path,
        output: Path | None, checkpoint_every: int, resume: bool, again: bool,
        **options: Any) -> None:
    """Run one mechanism on one data set and record it as a JSON file.

    What is not given is as recommended for the data set. A run that was stopped, by
    Ctrl-C or otherwise, goes on with --resume and ends in the record of an
    uninterrupted run. `fairfl show` prints a record.
    """
    from fairfl import datasets, runs
    from fairfl.federation import UpdateError

    settings = settings_of(**options)
    if ":" in settings.model:
        sys.path.insert(0, "")  # a module of one's own lies in the present folder
    _check_device(device)
    if output is not None and not output.name:
        raise click.UsageError("--output must name a file")
    if resume and again:
        raise click.UsageError("--resume goes on, --again starts anew: choose one")
    output = output or results / f"{runs.file_name(settings)}.json"
    checkpoint = output.with_name(output.name + ".checkpoint")
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    try:
        _check_files(output, checkpoint, settings, resume, again)
        data = datasets.load(settings.dataset, data_root, **settings.dataset_options)
        copy = "" if data.original else " (data not verified to be the published files)"
        click.echo(title(settings) + copy)
        record = runs.run(settings, data, device, True, train, checkpoint,
                          checkpoint_every)
        _save(record, output, checkpoint, again)
    except (UpdateError, OSError) as error:
        kept = f"\n{checkpoint} holds the rounds before; --resume goes on"
        there = os.path.exists(checkpoint)  # also where it may not be asked
        raise click.ClickException(f"{error}{kept * there}") from error
    except (ValueError, datasets.DataError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        kept = f"the same command with --resume goes on from {checkpoint}"
        none = "no round had ended, nothing is kept"
        click.echo(f"\ninterrupted; {kept if checkpoint.exists() else none}", err=True)
        sys.exit(130)
    finally:
        signal.signal(signal.SIGTERM, before)
    checkpoint.unlink(missing_ok=True)
    click.echo("\n".join(summary(record.history)))
    click.echo(f"{record.about['seconds']} s, wrote {output}")


def _check_device(device: str) -> None:
    import torch

    try:
        torch.ones(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise click.UsageError(f"--device {device}: {reason}") from error


def _check_files(output: Path, checkpoint: Path, settings, resume: bool, again: bool):
    """Whether the record can be written, and nothing of another run would be lost."""
    from fairfl.runs.files import check_writable

    check_writable(output)
    if again:
        for file in (output, checkpoint):
            _check_own(file, settings)
        checkpoint.unlink(missing_ok=True)
    elif output.exists():
        raise click.ClickException(f"{output} exists already; --again computes it anew")
    elif checkpoint.exists() and not resume:
        raise click.ClickException(f"{checkpoint} holds an interrupted run; --resume "
                                   "goes on, --again starts anew")
    elif resume and not checkpoint.exists():
        click.echo(f"no checkpoint {checkpoint}; starting with round 1", err=True)


def _check_own(file: Path, settings) -> None:
    """Whether a record, or a checkpoint that can be read, is of these settings."""
    from fairfl.runs import Settings, records
    from fairfl.runs import checkpoint as checkpoints
    from fairfl.runs.files import NewerFile

    if not file.exists():
        return
    unfinished = file.suffix == ".checkpoint"
    try:
        found = (Settings.from_dict(checkpoints.load(file).about["settings"])
                 if unfinished else records.load(file).settings)
    except ValueError as error:
        if unfinished and not isinstance(error, NewerFile):
            return  # nothing can go on from it
        raise click.ClickException(f"{error}. Choose another --output") from error
    if other := found.differences(settings):
        raise click.ClickException(f"{file} is of a run with other settings "
                                   f"({'; '.join(other)}). Choose another --output")


def _save(record, output: Path, checkpoint: Path, again: bool) -> None:
    """Write the record, unless another process was faster."""
    from fairfl.runs import records

    try:
        records.save(record, output, replace=again)
    except FileExistsError as error:
        message = f"{output} exists already; another process has written it meanwhile"
        if records.load(output).settings == record.settings:
            checkpoint.unlink(missing_ok=True)
        else:
            message += (f", from other settings. {checkpoint} holds this run: rename "
                        "it and --resume with another --output")
        raise click.ClickException(message) from error
