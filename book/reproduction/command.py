"""``python -m book.reproduction``: the paper's tables and figures, measured again."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from book.reproduction.base import Run

TARGETS = {
    "table1": "Accuracies of all methods, Table 1; Table 2 and Fig. 3 are computed from the same runs.",
    "table2": "Fairness of all methods, Table 2: the runs of Table 1.",
    "table3": "Time of the mechanisms beside that of the training, Table 3: ten rounds of each.",
    "fig2": "Five agents, three of them with wrong labels, Fig. 2.",
    "fig3": "Accuracies of ten agents, Fig. 3: runs of Table 1.",
    "fig4": "Three agents, Fig. 4; Figs. 5 and 6 are of the same runs.",
    "fig5": "Three agents, Fig. 5: the runs of Fig. 4.",
    "fig6": "Three agents, Fig. 6: the runs of Fig. 4.",
    "fig7": "Degrees of altruism, Fig. 7.",
    "scaling": "Constant Gamma, clipping, and updates as they are, for CGSV and FedAvg; and longer runs on CLA.",
    "precision": "Two columns of Table 1 in bfloat16.",
    "guarantee": "Premise and conclusion of Theorem 2, with a decaying and with a constant Gamma.",
    "losses": "Fig. 2, the guarantee and Fig. 7 with the loss of each model on each agent's samples.",
    "grid": "alpha, Gamma and beta on digits.",
    "updates": "Ten agents whose updates the chapter on the cosine approximation values.",
    "choice": "The candidates among which the settings were chosen, on the validation set.",
    "tuning": "More candidates, among which the settings will be chosen anew.",
    "all": "All of these but choice and tuning, the most valuable first.",
}


@click.group(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
def reproduce() -> None:
    """Measure the paper's tables and figures again.

    Each run is recorded in a file of its own. Records that exist are kept, and only missing ones are computed. A call
    that stops, at the end of its budget or by Ctrl-C, leaves checkpoints; the next one goes on from them.
    """


def _seconds(context: click.Context, parameter: click.Parameter, text: str | None) -> float | None:
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
        click.option("--dataset", "wanted", multiple=True, help="Only runs on this data set. May be given several "
                     "times."),
        click.option("--seed", "seeds", type=int, multiple=True, help="Only this seed. May be given several times."),
        click.option("--results", type=click.Path(path_type=Path), default=Path("data/results"),
                     help="Folder of the records."),
    )
    for option in reversed(options):
        command = option(command)
    return command


_data_root = click.option("--data-root", type=click.Path(path_type=Path), help="Where the data sets lie or are "
                          "downloaded to.  [default: $FAIRFL_DATA, else the user's cache]")


def _target(name: str) -> click.Command:
    @click.command(name, help=TARGETS[name])
    @_common
    @_data_root
    @click.option("--budget", callback=_seconds, help="Stop after this time, e.g. 45m or 2h.")
    @click.option("--workers", type=click.IntRange(min=1), help="Runs side by side.  [default: one a core; 1 on a GPU]")
    @click.option("--device", default="cpu", help="Where to train, e.g. cuda.")
    @click.option("--plan", "only_plan", is_flag=True, help="Say what is missing and how long it takes; run nothing.")
    def command(wanted, seeds, data_root, results, budget, workers, device, only_plan) -> None:
        from book.reproduction import execution
        from fairfl import datasets

        runs = _selected(name, wanted, seeds)
        missing = _missing(runs, results)
        click.echo(f"{name}: {len(runs) - len(missing)} of {len(runs)} records exist in {results}")
        if not missing:
            return
        workers = workers or (os.cpu_count() or 1 if device == "cpu" else 1)
        try:
            total = _plan(missing, data_root, workers)
        except datasets.DataError as error:
            raise click.ClickException(str(error)) from error
        if only_plan:
            return
        click.echo(f"{len(missing)} runs, about {_clock(total / workers)} with {workers} side by side"
                   + (f"; stopping after {_clock(budget)}" if budget else ""))
        outcomes = execution.execute(missing, results, data_root, budget, workers, device, _say)
        left = len(missing) - sum(outcome.state == "done" for outcome in outcomes)
        if left:
            click.echo(f"{left} of {len(missing)} runs are left; the same command goes on", err=True)
            sys.exit(1 if any(outcome.state == "failed" for outcome in outcomes) else 3)

    return command


def _selected(name: str, wanted: tuple[str, ...], seeds: tuple[int, ...]) -> list[Run]:
    from book.reproduction import plan

    runs = plan.TARGETS[name]()
    known = sorted({run.settings.dataset for run in runs})
    if unknown := sorted(set(wanted) - set(known)):
        raise click.UsageError(f"{name} has no runs on {', '.join(unknown)}; it has runs on {', '.join(known)}")
    return [run for run in runs if (not wanted or run.settings.dataset in wanted)
            and (not seeds or run.settings.seed in seeds)]


def _missing(runs: list[Run], results: Path) -> list[Run]:
    from book.reproduction import execution

    try:
        return execution.missing(runs, results)
    except ValueError as error:
        raise click.ClickException(f"{error}; delete it to compute it anew") from error


def _plan(missing: list[Run], root: Path | None, workers: int) -> float:
    """Print what there is to do by data set; its seconds on one core."""
    from book.reproduction import estimation

    total = {}
    for run in missing:
        total.setdefault(run.settings.dataset, []).append(estimation.seconds(run.settings, root))
    for dataset, times in total.items():
        click.echo(f"  {dataset}: {len(times)} runs, {_clock(sum(times) / workers)}")
    return sum(sum(times) for times in total.values())


def _say(outcome) -> None:
    click.echo(f"{outcome.run.file}: {outcome.state}, {outcome.detail}", err=outcome.state == "failed")


def _clock(seconds: float) -> str:
    minutes = max(round(seconds / 60), 1)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


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
        click.echo(f"{name:{width}}  {sum(run.file not in gone for run in runs):4} of {len(runs):4} records")
        groups = {}
        if name in ("table1", "choice"):  # too many for one number
            for run in runs:
                group = f"{run.settings.dataset} {run.settings.agents} {run.settings.partition}"
                groups.setdefault(group, []).append(run.file not in gone)
        for group, done in groups.items():
            click.echo(f"{'':{width}}    {group}: {sum(done)} of {len(done)}")


@reproduce.command()
@click.argument("what", type=click.Choice(list(TARGETS)), default="all")
@_common
@_data_root
@click.option("--rounds", type=click.IntRange(min=1), default=2, help="How many to run again.")
@click.option("--whole", is_flag=True, help="Run all rounds again.")
def verify(what, wanted, seeds, data_root, results, rounds, whole) -> None:
    """Run the first rounds of the records of WHAT again and compare.

    A record is right if its settings are those of the plan, its data those that are here, and its numbers those of
    the run, but for the order in which another machine sums.
    """
    from book.reproduction import verification
    from fairfl import datasets

    runs = [run for run in _selected(what, wanted, seeds) if run.path(results).exists()]
    if not runs:
        raise click.ClickException(f"no records of {what} in {results}")
    bad, data = 0, None
    for run in sorted(runs, key=lambda run: run.settings.dataset):
        try:
            if data is None or data.name != run.settings.dataset:
                data = datasets.load(run.settings.dataset, data_root, **run.settings.dataset_options)
            found = verification.verify(run, results, run.settings.rounds if whole else rounds, data)
        except ValueError as error:
            found = [str(error)]
        except datasets.DataError as error:
            raise click.ClickException(str(error)) from error
        bad += bool(found)
        click.echo("\n  ".join([f"{run.file}: {'WRONG' if found else 'verified'}", *found]), err=bool(found))
    if bad:
        raise click.ClickException(f"{bad} of {len(runs)} records are not what their settings give")


@reproduce.command()
@click.argument("names", nargs=-1)
@_data_root
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False),
              default=Path("data/results/data.json"), help="The file to write.")
def counts(names: tuple[str, ...], data_root: Path | None, output: Path) -> None:
    """Count samples, classes and words of data sets, for pages built without them.

    NAMES: as of `fairfl data`.  [default: all that have a name]
    """
    from book.reproduction import counts
    from fairfl import datasets

    try:
        found = {name: counts.of(name, data_root) for name in names or datasets.DATASETS}
        counts.save(found, output)
    except (ValueError, OSError, datasets.DataError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"wrote {output}")
