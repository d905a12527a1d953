"""Small records that a chapter plays or draws: how they are written, and the commands
that write them."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import click
import torch
from torch import Tensor
from tqdm.auto import tqdm

from fairfl.runs.files import write_whole


def mean(values: list[Tensor], digits: int) -> list | float:
    """The mean of these, rounded, as plain numbers."""
    return torch.stack(values).double().mean(0).round(decimals=digits).tolist()


def means(runs: list[dict[str, Tensor]]) -> dict[str, list | float]:
    """The mean of each number over runs: of an "accuracy", which is in percent, to one
    decimal, of the others to three."""
    return {name: mean([run[name] for run in runs], 1 if name == "accuracy" else 3)
            for name in runs[0]}


def bar(choices: Iterable, progress: bool, unit: str = "run") -> tqdm:
    """These one after the other, with a bar on the screen if `progress`."""
    return tqdm(list(choices), disable=not progress, unit=unit)


def save(found: dict, path: str | os.PathLike, part: str = "runs") -> None:
    """Write the record as JSON, a line for each entry of this part, which comes last;
    whole or not at all."""
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(entry)}"
                       for name, entry in found[part].items())
    head = json.dumps({name: value for name, value in found.items() if name != part})
    write_whole(Path(path), f'{head[:-1]},\n"{part}": {{\n{lines}\n}}}}\n')


def command(name: str, text: str, record: Callable[[], dict], part: str = "runs"
            ) -> click.Command:
    """The command that writes data/results/NAME.json; `text` is its help."""

    @click.command(name, help=text)
    @click.option("--output", type=click.Path(path_type=Path, dir_okay=False),
                  default=Path(f"data/results/{name}.json"), help="The file to write.")
    def write(output: Path) -> None:
        try:
            save(record(), output, part)
        except OSError as error:
            raise click.ClickException(str(error)) from error
        click.echo(f"wrote {output}")

    return write
