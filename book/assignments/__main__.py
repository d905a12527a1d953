"""``python -m book.assignments``: what `make assignments` and `make grade` call."""

import shutil
from pathlib import Path

import click
import nbformat

from book.assignments.grading import batch, notebook
from book.assignments.grading.task import ROOT, SECRET, SETS, load


@click.group(context_settings={"show_default": True})
def main() -> None:
    """Problem sets: what students get, and what they hand in."""


@main.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("_build/assignments")
)
@click.option("--address", default="", help="Of the project, for pip and Colab.")
def release(out: Path, address: str) -> None:
    """Write a course folder for students, and the solutions for teachers.

    OUT/course is a template of a repository: the problem sets, the project, a README,
    and, where the project has a public address, copies for Colab.
    """
    course = out / "course"
    shutil.copytree(ROOT / "course", course, dirs_exist_ok=True)
    shutil.copy(ROOT / "project.md", course)
    library = f"fairfl @ git+{address}" if address else "fairfl"
    (course / "requirements.txt").write_text(library + "\n")
    for name in SETS:
        source = nbformat.read(load(name).source, 4)
        _write(notebook.student(source), course / f"{name}.ipynb")
        if address:
            colab = notebook.for_colab(source, f"git+{address}")
            _write(colab, course / "colab" / f"{name}.ipynb")
        _write(notebook.solved(source), out / "solutions" / f"{name}.ipynb")
    if not address:
        click.echo("no public address, so no copies for Colab: pass --address")
    for path in course.rglob("*"):
        if path.is_file() and SECRET in path.read_text():
            path.unlink()
            raise click.ClickException(f"{path} would have held a solution")
    click.echo(f"wrote {course} for students and {out / 'solutions'} for teachers")


def _write(made: nbformat.NotebookNode, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(made, path)


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
