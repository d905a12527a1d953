"""``python -m fairfl bench``: time things on this machine."""

from __future__ import annotations

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

    from fairfl.bench import common
    from fairfl.bench import valuation as module

    if peers and find_spec("shapiq") is None:
        raise click.ClickException("--peers needs shapiq: pip install shapiq")
    try:
        found = module.valuation(cases or module.CASES, repeats, permutations, seed, peers, progress=True)
    except common.Disagreement as error:
        raise click.ClickException(str(error)) from error
    click.echo("\n".join(module.table(found)))
    if output:
        common.save(found, output)
        click.echo(f"wrote {output}")
