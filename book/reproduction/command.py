"""``python -m book.reproduction``: the paper's tables and figures, measured again."""

import contextlib
import os
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import click

from book.reproduction import (
    cheats,
    company,
    contribution_game,
    counts,
    durations,
    examples,
    execution,
    guesses,
    hospitals,
    incentive,
    masks,
    price,
    richer,
    verification,
)
from book.reproduction.base import Run
from book.reproduction.targets import TARGETS
from fairfl import datasets
from fairfl.runs.files import NewerFile


@click.group(context_settings={"show_default": True,
                               "help_option_names": ["-h", "--help"]})
def reproduce() -> None:
    """Measure the paper's tables and figures again.

    Each run is recorded in a file of its own. Records that exist are kept, and only
    missing ones are computed. A call that stops, at the end of its budget or by Ctrl-C,
    leaves checkpoints; the next one goes on from them.
    """


def _seconds(context, parameter, text: str | None) -> float | None:
    """ "90", "45m", "2h" or "1h30m" as seconds."""
    if text is None:
        return None
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text)
    if not (match and text):
        raise click.BadParameter(f"{text!r} is not a time such as 90, 45m, 2h or 1h30m")
    hours, minutes, rest = (int(part or 0) for part in match.groups())
    return 3600.0 * hours + 60 * minutes + rest


def _common(command: Callable) -> Callable:
    options = (
        click.option("--dataset", "wanted", multiple=True,
                     help="Only runs on this data set. May be given several times."),
        click.option("--seed", "seeds", type=int, multiple=True,
                     help="Only this seed. May be given several times."),
        click.option("--results", type=click.Path(path_type=Path),
                     default=Path("data/results"), help="Folder of the records."),
    )
    for option in reversed(options):
        command = option(command)
    return command


_data_root = click.option(
    "--data-root", type=click.Path(path_type=Path),
    help="Where the data sets lie or are downloaded to.  "
         "[default: $FAIRFL_DATA, else the user's cache]")


def _target(name: str) -> click.Command:
    text = TARGETS[name].text

    @click.command(name, help=text, short_help=text)
    @_common
    @_data_root
    @click.option("--budget", callback=_seconds, help="Stop after this time: 45m, 2h.")
    @click.option("--workers", type=click.IntRange(min=1),
                  help="Runs side by side.  [default: one a core; 1 on a GPU]")
    @click.option("--device", default="cpu", help="Where to train: cpu, cuda.")
    @click.option("--plan", "only_plan", is_flag=True,
                  help="Say what is missing and how long it takes; run nothing.")
    def command(wanted, seeds, data_root, results, budget, workers, device, only_plan):
        runs = _selected(name, wanted, seeds)
        missing = _missing(runs, results)
        there = len(runs) - len(missing)
        click.echo(f"{name}: {there} of {len(runs)} records exist in {results}")
        if not missing:
            return
        workers = workers or (os.cpu_count() or 1 if device == "cpu" else 1)
        _announce(missing, durations.recorded(results, device), workers)
        if only_plan:
            return
        _need({run.settings.dataset for run in missing}, data_root)
        if budget is not None:
            click.echo(f"stopping after {_clock(budget)}")
        outcomes = execution.execute(
            missing, results, data_root, budget, workers, device, _say)
        states = Counter(outcome.state for outcome in outcomes)
        if left := len(missing) - states["done"]:
            click.echo(f"{left} of {len(missing)} runs are left; "
                       "the same command goes on", err=True)
            sys.exit(1 if states["failed"] else 3)

    return command


def _selected(name: str, wanted: tuple[str, ...], seeds: tuple[int, ...]) -> list[Run]:
    runs = TARGETS[name].runs()
    known = sorted({run.settings.dataset for run in runs})
    if unknown := sorted(set(wanted) - set(known)):
        raise click.UsageError(f"{name} has no runs on {', '.join(unknown)}; "
                               f"it has runs on {', '.join(known)}")
    return [run for run in runs if (not wanted or run.settings.dataset in wanted)
            and (not seeds or run.settings.seed in seeds)]


def _missing(runs: list[Run], results: Path) -> list[Run]:
    try:
        return execution.missing(runs, results)
    except NewerFile as error:
        raise click.ClickException(str(error)) from error
    except ValueError as error:
        raise click.ClickException(f"{error}; delete it to compute it anew") from error


def _announce(missing: list[Run], known: dict[tuple, float], workers: int) -> None:
    """Print what there is to do by data set, and in all."""
    groups: dict[str, list[float | None]] = {}
    for run in missing:
        took = durations.expected(run.settings, known)
        groups.setdefault(run.settings.dataset, []).append(took)
    for dataset, times in groups.items():
        click.echo(f"  {dataset}: {_effort(times, workers)}")
    every = [took for times in groups.values() for took in times]
    click.echo(f"{_effort(every, workers)} with {workers} side by side")


def _effort(times: list[float | None], workers: int) -> str:
    """How many runs, and how long they take."""
    known = [took for took in times if took is not None]
    if not known:
        return f"{len(times)} runs, time unknown"
    text = f"{len(times)} runs, about {_clock(sum(known) / workers)}"
    if len(known) < len(times):
        text += f" for {len(known)} of them, the others unknown"
    return text


def _need(names: set[str], root: Path | None) -> None:
    """Have the data sets before several processes ask for them."""
    try:
        for name in sorted(names):
            datasets.load(name, root)
    except datasets.DataError as error:
        raise click.ClickException(str(error)) from error


def _say(outcome: execution.Outcome) -> None:
    failed = outcome.state == "failed"
    click.echo(f"{outcome.run.file}: {outcome.state}, {outcome.detail}", err=failed)


def _clock(seconds: float) -> str:
    minutes = max(round(seconds / 60), 1)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{minutes} min"


for _name in TARGETS:
    reproduce.add_command(_target(_name))


@reproduce.command()
@_common
def status(wanted, seeds, results) -> None:
    """Say which records exist."""
    selected = {}
    for name in TARGETS:
        with contextlib.suppress(click.UsageError):  # no runs on the wanted data sets
            selected[name] = _selected(name, wanted, seeds)
    every = {run.file: run for runs in selected.values() for run in runs}
    gone = {run.file for run in _missing(list(every.values()), results)}
    width = max(map(len, TARGETS))
    for name, runs in selected.items():
        there = sum(run.file not in gone for run in runs)
        click.echo(f"{name:{width}}  {there:4} of {len(runs):4} records")
        groups: dict[str, list[bool]] = {}
        # too many for one number
        if name in ("table1", "choice", "tuning", "anew", "later"):
            for run in runs:
                wanted = run.settings
                group = f"{wanted.dataset} {wanted.agents} {wanted.partition}"
                groups.setdefault(group, []).append(run.file not in gone)
        for group, done in groups.items():
            click.echo(f"{'':{width}}    {group}: {sum(done)} of {len(done)}")


@reproduce.command()
@click.argument("what", type=click.Choice(list(TARGETS)), default="all")
@_common
@_data_root
@click.option("--rounds", type=click.IntRange(min=1), default=2,
              help="How many to run again.")
@click.option("--whole", is_flag=True, help="Run all rounds again.")
def verify(what, wanted, seeds, data_root, results, rounds, whole) -> None:
    """Run the first rounds of records again and compare.

    A record is right if its settings are those of the plan, its data those that are
    here, and its numbers those of the run, but for the order in which another machine
    sums.
    """
    runs = [run for run in _selected(what, wanted, seeds) if run.path(results).exists()]
    if not runs:
        raise click.ClickException(f"no records of {what} in {results}")
    bad, data = 0, None
    for run in sorted(runs, key=lambda run: run.settings.dataset):
        settings = run.settings
        try:
            if data is None or data.name != settings.dataset:
                data = datasets.load(settings.dataset, data_root,
                                     **settings.dataset_options)
            again = settings.rounds if whole else rounds
            found = verification.verify(run, results, again, data)
        except ValueError as error:
            found = [str(error)]
        except datasets.DataError as error:
            raise click.ClickException(str(error)) from error
        bad += bool(found)
        verdict = f"{run.file}: {'WRONG' if found else 'verified'}"
        click.echo("\n  ".join([verdict, *found]), err=bool(found))
    if bad:
        raise click.ClickException(
            f"{bad} of {len(runs)} records are not what their settings give")


for part in (cheats, company, contribution_game, counts, examples, guesses, hospitals,
             incentive, masks, price, richer):
    reproduce.add_command(part.command)
