"""Whether the outputs stored in a chapter are those of the code that stands there.

Running a chapter stamps it: the notebook's metadata get one hash for each code cell, of
the source that was run. A cell that was edited, moved, added or removed since has
another one. `make book` fails when a chapter's outputs are older than its code, or hold
an error.
"""

import hashlib
from collections.abc import Iterator
from itertools import zip_longest

LENGTH = 12  # hexadecimal digits of a hash that are stored


def _cells(notebook) -> list:
    """The code cells that give outputs: not the setup cell, which builds rewrite."""
    return [cell for cell in notebook.cells
            if cell.cell_type == "code" and cell.source.strip()
            and "setup" not in cell.metadata.get("tags", [])]


def hashes(notebook) -> list[str]:
    """One hash of the source of each code cell, in their order."""
    return [hashlib.sha256(cell.source.encode()).hexdigest()[:LENGTH]
            for cell in _cells(notebook)]


def stamp(notebook) -> None:
    """Stores that the outputs are those of the code as it is now."""
    notebook.metadata.setdefault("fairfl", {})["ran"] = " ".join(hashes(notebook))


def stale(notebook) -> Iterator[str]:
    """What is older than the code, in words; nothing when all is of one run."""
    cells = _cells(notebook)
    ran = notebook.metadata.get("fairfl", {}).get("ran")
    if ran is None:
        if any(cell.outputs for cell in cells):
            yield "nothing says which code gave the outputs: make notebooks"
        return
    for cell, now, then in zip_longest(cells, hashes(notebook), ran.split()):
        if now != then:
            where = f"{cell.source.splitlines()[0][:40]!r}" if cell else "the end"
            yield ("the outputs are older than the code, from "
                   f"{where} on: make notebooks")
            return


def failed(notebook) -> Iterator[str]:
    """The cells that ended in an error."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                where = cell.source.splitlines()[0][:40]
                yield f"{where!r} ended in an error: {output.ename} {output.evalue}"


def faults(notebook) -> list[str]:
    """Why the outputs must not be shown; an empty list when they may."""
    return [*stale(notebook), *failed(notebook)]
