"""Re-executes chapters in place: `make notebooks`, or
`python book/_ext/notebooks.py learning_together`.

Writes the standard first code cell into each chapter, runs it from top to bottom, and
stores the outputs with the state of the widgets. A second run without a change of code
leaves the file as it is: names that Jupyter draws at random are replaced by fixed ones,
and what depends on the machine is left out.

`python book/_ext/notebooks.py --setup` only writes the first code cell, which leaves
the outputs as they are.

`python book/_ext/notebooks.py --faults` runs nothing and says what the chapters, or the
named ones, do not keep to.

`python book/_ext/notebooks.py --switched` runs the chapters that hold a switch, a line
such as `RUN = "digits"  # or "mnist", "cifar10"`, with each of its other values, to the
end or to the first cell that fails, and stores nothing. It takes most of an hour.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
from conventions import KERNEL, WIDGET_STATE, faults, setup_source
from freshness import stamp
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from repository import repository

BOOK = Path(__file__).resolve().parents[1]
BUDGET = 15  # seconds a chapter may take, without the start of its kernel
LANGUAGE = {
    "file_extension": ".py", "mimetype": "text/x-python", "name": "python",
    "pygments_lexer": "ipython3",
}
# in the kernel, before the first cell: figures bring their data along
WITH_DATA = (f"__import__('sys').path.append({str(BOOK / '_ext')!r}); "
             "__import__('plotted').install()")
SWITCH = re.compile(r'^(\w+ = )"(.*?)"(  # or .*"(?:.*?)".*)$', re.MULTILINE)


def chapters(names: list[str]) -> list[Path]:
    """All chapters, or the named ones (with or without folder and ending)."""
    found = {path.stem: path for path in sorted(BOOK.glob("*.ipynb"))}
    unknown = [name for name in names if Path(name).stem not in found]
    if unknown:
        raise SystemExit(
            f"no chapter named {', '.join(unknown)}; there are: {', '.join(found)}"
        )
    return [found[Path(name).stem] for name in names] or list(found.values())


def put_setup_cell(notebook, url: str) -> None:
    """Writes the cell tagged `setup`; puts one below the title where there is none."""
    tagged = (c for c in notebook.cells if "setup" in c.metadata.get("tags", []))
    cell = next(tagged, None)
    if cell is None:
        cell = nbformat.v4.new_code_cell(id="setup")
        notebook.cells.insert(1, cell)
    cell.source = setup_source(url)
    cell.metadata["tags"] = ["setup", "hide-input"]


def with_fixed_names(notebook, stem: str):
    """The notebook with widgets named by chapter and number, and without this machine's
    versions."""
    notebook.metadata["kernelspec"] = KERNEL
    notebook.metadata["language_info"] = LANGUAGE
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    widgets = notebook.metadata.get("widgets", {})
    state = widgets.get(WIDGET_STATE, {}).get("state", {})
    text = json.dumps(notebook)
    for number, name in enumerate(state):
        text = text.replace(name, f"{stem}-{number}")
    return nbformat.from_dict(json.loads(text))


def run(notebook, folder: Path) -> float:
    """Runs all cells in place; returns the seconds. A cell that fails stops it."""
    client = NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        record_timing=False,
        # else a pause between two prints makes them two outputs, or not, by chance
        coalesce_streams=True,
        extra_arguments=[f"--IPKernelApp.exec_lines={WITH_DATA}"],
        resources={"metadata": {"path": str(folder)}},
    )
    start = time.perf_counter()
    client.execute()
    return time.perf_counter() - start


def renew(path: Path, url: str) -> float:
    """Runs one chapter and stores it; returns the seconds it took. A failing cell stops
    it and leaves the file."""
    notebook = nbformat.read(path, 4)
    put_setup_cell(notebook, url)
    notebook.metadata.pop("widgets", None)
    seconds = run(notebook, path.parent)
    stamp(notebook)
    nbformat.write(with_fixed_names(notebook, path.stem), path)
    return seconds


def switched(path: Path) -> Iterator[tuple[str, nbformat.NotebookNode]]:
    """The chapter once for each other value of its switch, with the changed line."""
    for number, cell in enumerate(nbformat.read(path, 4).cells):
        found = SWITCH.search(cell.source) if cell.cell_type == "code" else None
        for value in re.findall(r'"(.*?)"', found[3]) if found else ():
            notebook = nbformat.read(path, 4)
            line = f'{found[1]}"{value}"'
            notebook.cells[number].source = cell.source.replace(found[0], line)
            yield line, notebook


def renew_all(paths: list[Path]) -> None:
    for path in paths:
        print(f"{path.stem} ...", end=" ", flush=True)
        took = renew(path, repository()[0])
        over = "" if took < BUDGET else f", over the budget of {BUDGET} s"
        print(f"{took:.1f} s{over}")
        for fault in faults(nbformat.read(path, 4)):
            print(f"  {fault}")


def run_switched(paths: list[Path]) -> int:
    """Prints how each switched chapter went; returns how many failed."""
    failed = 0
    for path in paths:
        for line, notebook in switched(path):
            print(f"{path.stem}, {line} ...", end=" ", flush=True)
            try:
                print(f"{run(notebook, path.parent):.0f} s")
            except CellExecutionError as error:
                failed += 1
                print(f"failed:\n{error}")
    return failed


def print_faults(paths: list[Path]) -> int:
    """Prints what the chapters do not keep to; returns how much that is."""
    count = 0
    for path in paths:
        found = faults(nbformat.read(path, 4))
        count += len(found)
        print(f"{path.stem}: {len(found)} faults", *found, sep="\n  ")
    return count


def put_setup_cells(paths: list[Path]) -> None:
    for path in paths:
        notebook = nbformat.read(path, 4)
        put_setup_cell(notebook, repository()[0])
        nbformat.write(notebook, path)


def main() -> int:
    parser = argparse.ArgumentParser(description="Re-executes chapters in place.")
    parser.add_argument("chapters", nargs="*", help="their names; without any, all")
    instead = parser.add_mutually_exclusive_group()
    for option, text in (("setup", "only write the first code cell"),
                         ("faults", "run nothing, say what is not kept to"),
                         ("switched", "run each other value of the switches instead")):
        instead.add_argument(f"--{option}", action="store_true", help=text)
    asked = parser.parse_args()
    found = chapters(asked.chapters)
    if asked.faults:
        return bool(print_faults(found))
    if asked.switched:
        return run_switched(found)
    (put_setup_cells if asked.setup else renew_all)(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
