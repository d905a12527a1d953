"""Counts of what the data sets hold, for pages that are built where the data sets are
not at hand."""

import json
import os
from pathlib import Path

import click
import torch
from torch import Tensor

import fairfl
from fairfl import datasets
from fairfl.runs.files import write_whole


def of(name: str, root: str | os.PathLike | None = None) -> dict:
    """Samples by class of each part, the shape of a sample and, of texts, words.

    Raises: as `datasets.load`, which is called without fetching anything.
    """
    data = datasets.load(name, root, download=False)
    parts = {"training": (data.x, data.y), "validation": data.validation,
             "test": (data.test_x, data.test_y)}
    found = {
        "sha256": data.sha256,
        "original": data.original,
        "shape": list(data.x.shape[1:]),
        **{part: pair and torch.bincount(pair[1], minlength=data.classes).tolist()
           for part, pair in parts.items()},
    }
    if data.vocabulary:
        everything = datasets.load(name, root, download=False, vocabulary="all")
        found["words"] = {
            # but for the padding and the unknown word
            "training": len(data.vocabulary) - 2,
            "all": len(everything.vocabulary) - 2,
            "unknown in test": int((data.test_x == 1).sum()),
            **{f"lengths, {part}": _lengths(pair[0]) for part, pair in parts.items()
               if pair},
        }
    return found


def _lengths(x: Tensor) -> list[int]:
    """The shortest, the median and the longest sentence."""
    lengths = (x > 0).sum(1)
    return [int(lengths.min()), int(lengths.median()), int(lengths.max())]


def save(found: dict[str, dict], path: str | os.PathLike) -> None:
    """Write the counts as JSON, a line for each data set; the file appears whole or not
    at all."""
    record = {"versions": {"fairfl": fairfl.__version__}, **found}
    lines = (f"{json.dumps(name)}: {json.dumps(entry)}"
             for name, entry in record.items())
    write_whole(Path(path), "{" + ",\n ".join(lines) + "}\n")


@click.command("counts")
@click.argument("names", nargs=-1)
@click.option("--data-root", type=click.Path(path_type=Path),
              help="Where the data sets lie.  [default: $FAIRFL_DATA, else the user's "
                   "cache]")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False),
              default=Path("data/results/data.json"), help="The file to write.")
def command(names: tuple[str, ...], data_root: Path | None, output: Path) -> None:
    """Count what the data sets hold.

    Samples, classes and words, for pages that are built without the data.
    NAMES: as of `fairfl data`.  [default: all that have a name]
    """
    try:
        save({name: of(name, data_root) for name in names or datasets.DATASETS}, output)
    except (ValueError, OSError, datasets.DataError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"wrote {output}")
