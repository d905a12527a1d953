"""The command line: ``python -m fairfl --help``."""

from __future__ import annotations

from pathlib import Path

import click

from fairfl import __version__


@click.group(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Fair rewards in collaborative machine learning."""


@main.command()
@click.argument("what", type=click.Choice(["fig2", "updates"]))
@click.option("--dataset", type=click.Choice(["mnist", "digits"]), default="mnist")
@click.option("--seed", "seeds", type=int, multiple=True, default=(0, 1, 2), help="May be given several times.")
@click.option("--data-root", type=click.Path(path_type=Path), help="Where the data sets lie or are downloaded to.  "
              "[default: $FAIRFL_DATA, else the user's cache]")
@click.option("--results", type=click.Path(path_type=Path), default=Path("data/results"), help="Folder of the records.")
@click.option("--device", default="cpu", help="Where to train, e.g. cuda.")
@click.option("--again", is_flag=True, help="Compute records that exist anew.")
def reproduce(what: str, dataset: str, seeds: tuple[int, ...], data_root: Path | None, results: Path, device: str,
              again: bool) -> None:
    """Run the experiment behind a figure and record it; records that exist are kept.

    fig2: the label-noise federation of the paper. updates: ten agents whose updates the chapter on the cosine
    approximation values.
    """
    from fairfl import datasets, experiments

    wanted = [item for seed in seeds for item in experiments.EXPERIMENTS[what](dataset, seed).items()]
    missing = [(name, s) for name, s in wanted if again or not experiments.path(results, name, s).exists()]
    click.echo(f"{what} on {dataset}: {len(wanted) - len(missing)} of {len(wanted)} records exist in {results}")
    if not missing:
        return
    try:
        data = datasets.load(dataset, root=data_root)
    except datasets.DataError as error:
        raise click.ClickException(str(error)) from error
    for name, settings in missing:
        click.echo(f"{name}, seed {settings.seed}: {settings.rounds} rounds, {settings.agents} agents")
        record = experiments.run(settings, data, device, progress=True)
        file = experiments.path(results, name, settings)
        experiments.save(record, file)
        click.echo(f"{name}, seed {settings.seed}: {record.about['seconds']} s, wrote {file}")


@main.group()
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

    from fairfl import bench

    if peers and find_spec("shapiq") is None:
        raise click.ClickException("--peers needs shapiq: pip install shapiq")
    try:
        found = bench.valuation(cases or bench.CASES, repeats, permutations, seed, peers, progress=True)
    except bench.Disagreement as error:
        raise click.ClickException(str(error)) from error
    click.echo("\n".join(bench.table(found)))
    if output:
        bench.save(found, output)
        click.echo(f"wrote {output}")


if __name__ == "__main__":
    main(prog_name="python -m fairfl")
