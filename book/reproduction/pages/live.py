"""The runs that a reader starts in the chapter "Accuracy and fairness"."""

import math
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch

from book.reproduction import plan
from book.reproduction.pages import tables
from fairfl import runs
from fairfl.runs.records import Record
from fairfl.runs.settings import Settings
from fairfl.schedules import Schedule

METHODS = ("standalone", "fedavg", "qffl", "cgsv-beta1")
RESULTS = Path(__file__).resolve().parents[3] / "data" / "results"


def settings(column: str, results: Path = RESULTS) -> dict[str, Settings]:
    """By the method: those that were recorded, of seed 0, else those of the plan. On
    digits, for those in a hurry, fewer rounds than are recorded, with longer steps."""
    found = {}
    for method in METHODS:
        record = tables.read(results, column, method, 0)
        found[method] = (record.settings if record
                         else plan.run(plan.COLUMNS[column], method, 0).settings)
    if not _short(column):
        return found
    return {method: replace(one, rounds=16, size=120, gamma=Schedule(1.2, 0.97),
                            local=replace(one.local, lr=Schedule(0.25, 0.977)))
            for method, one in found.items()}


def _short(column: str) -> bool:
    return column.startswith("digits")


def workers(column: str, device: str) -> int:
    """How many runs go side by side."""
    return 1 if _short(column) or device != "cpu" else 2


def run(column: str, device: str = "cpu") -> dict[str, Record]:
    """The records of all `METHODS`, of seed 0."""
    wanted = settings(column)
    one = partial(runs.run, device=device)
    if workers(column, device) == 1:
        return {method: one(wanted[method]) for method in METHODS}
    with ProcessPoolExecutor(workers(column, device), get_context("spawn"),
                             initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return dict(zip(METHODS, pool.map(one, wanted.values()), strict=True))


def minutes(column: str, results: Path = RESULTS) -> float:
    """What the recorded runs took in all, on one thread each; nan if one is missing."""
    found = [tables.read(results, column, method, 0) for method in METHODS]
    records = [record for record in found if record]
    return (sum(record.about["seconds"] for record in records) / 60
            if len(records) == len(METHODS) else math.nan)


def announcement(column: str, device: str, results: Path = RESULTS) -> str:
    """What is said before the runs start."""
    if _short(column):
        return f"{column}: four methods, some seconds"
    took = minutes(column, results)
    if math.isnan(took):
        return f"{column}: four methods; no times are recorded"
    return (f"{column}: about {math.ceil(took / workers(column, 'cpu'))} min on two "
            "CPU cores (recorded);\n"
            "on a GPU perhaps a tenth of that (an estimate, not measured)")
