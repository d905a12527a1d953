"""A few samples of the data sets, for pages that are built where these are not at
hand."""

import base64
import json
from pathlib import Path

import click
import torch

from fairfl import datasets
from fairfl.runs.files import write_whole

IMAGES, TEXTS = ("mnist", "cifar10"), ("mr", "sst")
LONGEST = 16  # words of a sentence


def of(name: str, root: Path | None = None) -> list:
    """The first training sample of each class: an image as rows of bytes in base64, or
    the first sentence of at most `LONGEST` words.

    Raises: as `datasets.load`, which is called without fetching anything.
    """
    data = datasets.load(name, root, download=False)
    short = torch.ones(len(data.y), dtype=torch.bool)
    if data.vocabulary:
        short = (data.x > 0).sum(1) <= LONGEST
    first = [data.x[(data.y == c) & short][0] for c in range(data.classes)]
    if data.vocabulary:
        return [" ".join(data.vocabulary[k] for k in row if k) for row in first]
    low, high = data.x.amin((0, 2, 3)), data.x.amax((0, 2, 3))  # of a channel: 0, 255
    scale = (255 / (high - low))[:, None, None]
    pixels = [((image - low[:, None, None]) * scale).round().to(torch.uint8)
              for image in first]
    return [base64.b64encode(image.permute(1, 2, 0).numpy().tobytes()).decode()
            for image in pixels]


@click.command("examples")
@click.option("--data-root", type=click.Path(path_type=Path, file_okay=False),
              default=None, help="Where the data sets are.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False),
              default=Path("data/results/examples.json"), help="The file to write.")
def command(data_root: Path | None, output: Path) -> None:
    """Write one sample of each class of the data."""
    try:
        found = {name: of(name, data_root) for name in IMAGES + TEXTS}
    except (OSError, datasets.DataError) as error:
        raise click.ClickException(str(error)) from error
    write_whole(output, json.dumps(found, indent=1) + "\n")
    click.echo(f"wrote {output}")
