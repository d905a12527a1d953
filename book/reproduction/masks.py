"""How much of a real sum's direction a mask keeps, for the chapter "Paying with
gradients": cos(mask(u, q), u) over q / D, for sums of updates of the label-noise runs.
"""

import json
import os
from pathlib import Path

import click
import torch
from torch import Tensor

import fairfl
from book.reproduction import experiments
from fairfl import datasets, runs
from fairfl.runs.files import write_whole

DATASETS = ("digits", "mnist")
ROUNDS = (1, 10, 30)  # whose sums are kept
SEED = 0
POINTS = 200  # the k-th share is (k / POINTS)^2: dense where the curve is steep


def shares() -> Tensor:
    """The shares q / D at which a curve is recorded, from 0 to 1."""
    return (torch.arange(POINTS + 1, dtype=torch.float64) / POINTS).square()


def curve(u: Tensor) -> Tensor:
    """cos(mask(u, q), u) at each of `shares`; it is |mask(u, q)| / |u|."""
    squares = u.double().square().sort(descending=True).values
    energy = torch.cat([torch.zeros(1, dtype=torch.float64), squares.cumsum(0)])
    return (energy[(shares() * len(u)).long()] / energy[-1]).sqrt()


def record() -> dict:
    """The curves by "data set/round", as plain data."""
    curves, dimensions, data = {}, {}, {}
    for name in DATASETS:
        settings = experiments.label_noise(name, SEED)
        loaded = datasets.load(name)
        fed = runs.federation(settings, loaded)
        dimensions[name], data[name] = fed.layout.dimension, loaded.sha256
        for snapshot in fed.rounds(max(ROUNDS)):
            if snapshot.t in ROUNDS:
                found = curve(snapshot.step.aggregate)
                curves[f"{name}/{snapshot.t}"] = found.round(decimals=4).tolist()
    return {"versions": {"fairfl": fairfl.__version__}, "data": data, "seed": SEED,
            "rounds": ROUNDS, "dimension": dimensions, "points": POINTS,
            "curves": curves}


def save(found: dict, path: str | os.PathLike) -> None:
    """Write the record as JSON, a line for each curve; whole or not at all."""
    curves = ",\n".join(f"{json.dumps(name)}: {json.dumps(values)}"
                        for name, values in found["curves"].items())
    head = json.dumps({name: part for name, part in found.items() if name != "curves"})
    write_whole(Path(path), f'{head[:-1]},\n"curves": {{\n{curves}\n}}}}\n')


@click.command("masks")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False),
              default=Path("data/results/masks.json"), help="The file to write.")
def command(output: Path) -> None:
    """What masks keep of real sums of updates."""
    try:
        save(record(), output)
    except OSError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"wrote {output}")
