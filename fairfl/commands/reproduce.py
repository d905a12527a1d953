"""``python -m fairfl reproduce``: run the experiments of the book and record them."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
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
    from fairfl import datasets, experiments, records

    wanted = [item for seed in seeds for item in experiments.EXPERIMENTS[what](dataset, seed).items()]
    missing = [(name, s) for name, s in wanted if again or not records.path(results, name, s).exists()]
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
        file = records.path(results, name, settings)
        records.save(record, file)
        click.echo(f"{name}, seed {settings.seed}: {record.about['seconds']} s, wrote {file}")
