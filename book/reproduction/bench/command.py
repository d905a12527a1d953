"""``python -m book.reproduction bench``: time things on this machine."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import click


@click.group()
def bench() -> None:
    """Measure how long things take, as ratios within one run."""


_output = click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Write the figures to this file as JSON.",
)


def _cases(default: str) -> Callable:
    """The option --case, without which the cases are those of `default`."""
    return click.option(
        "--case",
        "cases",
        type=click.IntRange(min=1),
        nargs=2,
        multiple=True,
        metavar="N D",
        help="Agents and parameters. May be given several times.  "
        f"[default: {default}]",
    )


@bench.command()
@_cases("seven cases; with --busy N = 20 and 24")
@click.option(
    "--repeats", type=click.IntRange(min=1), default=5, help="Calls of each method."
)
@click.option(
    "--permutations",
    type=click.IntRange(min=4),
    default=150,
    help="Of the sampled value.",
)
@click.option("--seed", type=int, default=0, help="Of the updates.")
@click.option(
    "--peers",
    is_flag=True,
    help="Also time shapiq's ExactComputer on the same game (pip install shapiq).",
)
@click.option(
    "--busy",
    is_flag=True,
    help="Time the exact value alone: quiet, and beside "
    "a process that computes with two threads. Fails above 3 times.",
)
@_output
def valuation(
    cases: tuple[tuple[int, int], ...],
    repeats: int,
    permutations: int,
    seed: int,
    peers: bool,
    busy: bool,
    output: Path | None,
) -> None:
    """Time exact and sampled values, done well and literally.

    Ratios are to the exact value, Gram matrix included.
    """
    from importlib.util import find_spec

    if busy:
        _beside_a_neighbour(cases, repeats, seed, output)
        return
    from book.reproduction.bench import valuation as module

    if peers and find_spec("shapiq") is None:
        raise click.ClickException("--peers needs shapiq: pip install shapiq")
    call = partial(
        module.valuation,
        cases or module.CASES,
        repeats,
        permutations,
        seed,
        peers,
        progress=True,
    )
    _report(call, module.table, output)


def _beside_a_neighbour(
    cases: tuple[tuple[int, int], ...], repeats: int, seed: int, output: Path | None
) -> None:
    from book.reproduction.bench import busy

    found = _report(
        partial(busy.busy, cases or busy.CASES, repeats, seed), busy.table, output
    )
    if missed := busy.missed(found):
        raise click.ClickException("; ".join(missed))


@bench.command()
@click.option(
    "--part",
    "parts",
    multiple=True,
    metavar="PART",
    help="server, round, evaluation, text, digits, overhead, memory or gpu. May "
    "be given several times.  [default: all]",
)
@click.option(
    "--repeats",
    type=click.IntRange(min=1),
    default=5,
    help="Calls of each method that count.",
)
@click.option(
    "--data-root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with MNIST and SST; random numbers take their place.  "
    "[default: $FAIRFL_DATA or a cache]",
)
@click.option("--seed", type=int, default=0, help="Of networks, agents and batches.")
@click.option(
    "--quick",
    is_flag=True,
    help="Small sizes, to see that everything runs; the times mean nothing.",
)
@_output
def engine(
    parts: tuple[str, ...],
    repeats: int,
    data_root: Path | None,
    seed: int,
    quick: bool,
    output: Path | None,
) -> None:
    """Time training, evaluation and the server's step.

    Each beside a loop as it is usually written. Takes about a quarter of an hour on two
    cores. Environment variables such as OMP_NUM_THREADS say how many threads.
    """
    from book.reproduction.bench import engine as module

    if unknown := [part for part in parts if part not in module.PARTS]:
        known = ", ".join(module.PARTS)
        raise click.BadParameter(
            f"unknown part {unknown[0]!r}; known are {known}", param_hint="--part"
        )
    call = partial(
        module.engine,
        parts or tuple(module.PARTS),
        repeats,
        data_root,
        seed,
        quick,
        progress=True,
    )
    _report(call, module.table, output)


@bench.command()
@_cases("a grid up to N = 1000 and D = 25 million")
@click.option(
    "--repeats", type=click.IntRange(min=1), default=5, help="Calls that count."
)
@click.option("--seed", type=int, default=0, help="Of the updates.")
@_output
def server(
    cases: tuple[tuple[int, int], ...], repeats: int, seed: int, output: Path | None
) -> None:
    """Time and memory of the server's step against N and D.

    From the updates to the last download, without training. A case takes its updates'
    memory, 4 N D bytes, and a tenth more.
    """
    from book.reproduction.bench import scaling

    call = partial(scaling.server, cases, repeats, seed, progress=True)
    _report(call, scaling.table, output)


def _report(
    measure: Callable[[], dict],
    table: Callable[[dict], Iterable[str]],
    output: Path | None,
) -> dict:
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
    return found
