"""Re-executes chapters in place: `make notebooks`, or `python book/_ext/notebooks.py learning_together`.

Writes the standard first code cell into each chapter, runs it from top to bottom, and stores the outputs with the
state of the widgets. A second run without a change of code leaves the file as it is: names that Jupyter draws at
random are replaced by fixed ones, and what depends on the machine is left out.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import nbformat
from conventions import KERNEL, faults, setup_source
from nbclient import NotebookClient
from repository import repository

BOOK = Path(__file__).resolve().parents[1]
BUDGET = 15  # seconds a chapter may take, without the start of its kernel
LANGUAGE = {"file_extension": ".py", "mimetype": "text/x-python", "name": "python", "pygments_lexer": "ipython3"}


def chapters(names: list[str]) -> list[Path]:
    """All chapters, or the named ones (with or without folder and ending)."""
    found = {path.stem: path for path in sorted(BOOK.glob("*.ipynb"))}
    unknown = [name for name in names if Path(name).stem not in found]
    if unknown:
        raise SystemExit(f"no chapter named {', '.join(unknown)}; there are: {', '.join(found)}")
    return [found[Path(name).stem] for name in names] or list(found.values())


def put_setup_cell(notebook, url: str) -> None:
    """Writes the cell tagged `setup`; puts one below the title where there is none."""
    cell = next((cell for cell in notebook.cells if "setup" in cell.metadata.get("tags", [])), None)
    if cell is None:
        cell = nbformat.v4.new_code_cell(id="setup")
        notebook.cells.insert(1, cell)
    cell.source = setup_source(url)
    cell.metadata["tags"] = ["setup", "hide-input"]


def with_fixed_names(notebook, stem: str):
    """The notebook with widgets named by chapter and number, and without this machine's versions."""
    notebook.metadata["kernelspec"], notebook.metadata["language_info"] = KERNEL, LANGUAGE
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    state = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
    text = json.dumps(notebook)
    for number, name in enumerate(state):
        text = text.replace(name, f"{stem}-{number}")
    return nbformat.from_dict(json.loads(text))


def renew(path: Path, url: str) -> float:
    """Runs one chapter and stores it; returns the seconds it took. A failing cell stops it and leaves the file."""
    notebook = nbformat.read(path, 4)
    put_setup_cell(notebook, url)
    notebook.metadata.pop("widgets", None)
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,  # else a pause between two prints makes them two outputs, or not, by chance
        resources={"metadata": {"path": str(path.parent)}},
    )
    start = time.perf_counter()
    client.execute()
    seconds = time.perf_counter() - start
    nbformat.write(with_fixed_names(notebook, path.stem), path)
    return seconds


if __name__ == "__main__":
    for chapter in chapters(sys.argv[1:]):
        print(f"{chapter.stem} ...", end=" ", flush=True)
        took = renew(chapter, repository()[0])
        print(f"{took:.1f} s" + ("" if took < BUDGET else f", over the budget of {BUDGET} s"))
        for fault in faults(nbformat.read(chapter, 4)):
            print(f"  {fault}")
