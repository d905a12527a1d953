"""``python -m book.reproduction bench``: time things on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import click


@click.group()
def bench() -> None:
    """Measure how long things take, as ratios within one run."""


@bench.command()
@click.option("--case", "cases", type=click.IntRange(min=1), nargs=2, multiple=True, metavar="N D",
              help="Agents and parameters. May be given several times.  [default: seven cases]")
@click.option("--repeats", type=click.IntRange(min=1), default=5, help="Calls of each method.")
@click.option("--permutations", type=click.IntRange(min=4), default=150, help="Of the sampled value.")
@click.option("--seed", type=int, default=0)
@click.option("--peers", is_flag=True, help="Also time shapiq's ExactComputer on the same game (pip install shapiq).")
@click.option("--output", type=click.Path(path_type=Path), help="Write the figures to this file as JSON.")
def valuation(cases: tuple[tuple[int, int], ...], repeats: int, permutations: int, seed: int, peers: bool,
              output: Path | None) -> None:
    """Exact and sampled Shapley values against the same done literally, and psi.

    Ratios are to the exact value, Gram matrix included.
    """
    from importlib.util import find_spec

    from book.reproduction.bench import valuation as module

    if peers and find_spec("shapiq") is None:
        raise click.ClickException("--peers needs shapiq: pip install shapiq")
    call = partial(module.valuation, cases or module.CASES, repeats, permutations, seed, peers, progress=True)
    _report(call, module.table, output)


@bench.command()
@click.option("--part", "parts", multiple=True, metavar="PART",
              help="server, round, evaluation, text, digits, overhead, memory or gpu. May be given several times.  "
                   "[default: all]")
@click.option("--repeats", type=click.IntRange(min=1), default=5, help="Calls of each method that count.")
@click.option("--data-root", type=click.Path(path_type=Path, file_okay=False),
              help="Folder with MNIST and SST; random numbers take their place.  [default: $FAIRFL_DATA or a cache]")
@click.option("--seed", type=int, default=0)
@click.option("--quick", is_flag=True, help="Small sizes, to see that everything runs; the times mean nothing.")
@click.option("--output", type=click.Path(path_type=Path), help="Write the figures to this file as JSON.")
def engine(parts: tuple[str, ...], repeats: int, data_root: Path | None, seed: int, quick: bool,
           output: Path | None) -> None:
    """Training, evaluation and the server's step against loops as they are usually written.

    Takes about a quarter of an hour on two cores. Environment variables such as OMP_NUM_THREADS say how many threads.
    """
    from book.reproduction.bench import engine as module

    if unknown := [part for part in parts if part not in module.PARTS]:
        known = ", ".join(module.PARTS)
        raise click.BadParameter(f"unknown part {unknown[0]!r}; known are {known}", param_hint="--part")
    call = partial(module.engine, parts or tuple(module.PARTS), repeats, data_root, seed, quick, progress=True)
    _report(call, module.table, output)


def _report(measure: Callable[[], dict], table: Callable[[dict], Iterable[str]], output: Path | None) -> None:
    """Measure, show the table, and write the figures where they are wanted."""
    from book.reproduction.bench import common

    try:
        found = measure()
    except common.Disagreement as error:
        raise click.ClickException(str(error)) from error
    click.echo("\n".join(table(found)))
    if output:
        common.save(found, output)
        click.echo(f"wrote {output}")
