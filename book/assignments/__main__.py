"""``python -m book.assignments``: what `make assignments` and `make grade` call."""

from __future__ import annotations

from pathlib import Path

import click
import nbformat

from book.assignments.grading import batch, notebook
from book.assignments.grading.task import SECRET, SETS, load


@click.group(context_settings={"show_default": True})
def main() -> None:
    """Problem sets: what students get, and what they hand in."""


@main.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("_build/assignments")
)
@click.option("--address", default="fairfl", help="What pip installs on Colab.")
def release(out: Path, address: str) -> None:
    """Write each set as students get it, for Colab, and with solutions for teachers."""
    for name in SETS:
        source = nbformat.read(load(name).source, 4)
        for folder, made in (
            ("student", notebook.student(source)),
            ("colab", notebook.for_colab(source, address)),
            ("solution", notebook.solved(source)),
        ):
            path = out / folder / f"{name}.ipynb"
            path.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(made, path)
            if folder != "solution" and SECRET in path.read_text():
                path.unlink()
                raise click.ClickException(f"{path} would hold a solution")
            click.echo(f"wrote {path}")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--set", "name", type=click.Choice(SETS), default=SETS[0])
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of the grades.  [default: FOLDER-grades]",
)
@click.option(
    "--workers", type=click.IntRange(min=1), default=2, help="Students at a time."
)
def grade(folder: Path, name: str, out: Path | None, workers: int) -> None:
    """Grade the notebooks below FOLDER, one student a folder or file."""
    out = out or folder.with_name(folder.resolve().name + "-grades")
    try:
        path = batch.grade_all(folder, name, out / name, workers)
    except (FileNotFoundError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"wrote {path} and a page for each student beside it")


if __name__ == "__main__":
    main(prog_name="python -m book.assignments")
