"""Exact values beside a process that computes: ``bench valuation --busy``."""

import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from book.reproduction.bench.common import machine, take_turns
from book.reproduction.bench.valuation import updates
from fairfl import cgsv

CASES = ((20, 1024), (24, 1024))
MOST = 3.0  # times the quiet time
THREADS = 2  # of the neighbour

# It also ends when the process that has started it is gone.
NEIGHBOUR = """
import os, sys, torch
torch.set_num_threads(int(sys.argv[1]))
parent, a = os.getppid(), torch.full((1000, 1000), 1e-3)
print("ready", flush=True)
while os.getppid() == parent:
    a = a @ a
"""


@contextmanager
def neighbour(threads: int = THREADS) -> Iterator[subprocess.Popen]:
    """A process that multiplies matrices for as long as the block runs.

    Raises:
        RuntimeError: it does not start.
    """
    command = [sys.executable, "-c", NEIGHBOUR, str(threads)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the neighbour process did not start")
        yield process
        if process.poll() is not None:
            raise RuntimeError("the neighbour process ended too early")
    finally:
        process.kill()
        process.communicate()


def busy(
    cases: Sequence[tuple[int, int]] = CASES, repeats: int = 5, seed: int = 0
) -> dict:
    """`cgsv.exact` of a Gram matrix, quiet and beside a neighbour; plain data.

    Args:
        cases: agents and parameters; the parameters only make the matrix.
    """
    grams = {str(case): cgsv.gram(updates(*case, seed)) for case in cases}
    calls = {name: partial(cgsv.exact, gram) for name, gram in grams.items()}
    quiet, _ = take_turns(calls, repeats)
    with neighbour():
        loaded, _ = take_turns(calls, repeats)
    rows = [
        {
            "agents": n,
            "dimension": d,
            "quiet": quiet[name],
            "busy": loaded[name],
            "ratio": statistics.median(loaded[name]) / statistics.median(quiet[name]),
        }
        for name, (n, d) in zip(calls, cases, strict=True)
    ]
    settings = {
        "cases": [list(case) for case in cases],
        "repeats": repeats,
        "seed": seed,
        "neighbour_threads": THREADS,
    }
    return {"settings": settings, **machine(), "rows": rows}


def table(found: dict) -> Iterator[str]:
    """The rows as lines of text: medians and their ratio."""
    yield (f"{found['device']}, {found['threads']} threads beside {THREADS} of "
           "another process")
    yield f"{'N':>3} {'quiet ms':>10} {'busy ms':>10} {'ratio':>7}"
    for row in found["rows"]:
        quiet, loaded = (
            1000 * statistics.median(row[name]) for name in ("quiet", "busy")
        )
        yield f"{row['agents']:3} {quiet:10.3f} {loaded:10.3f} {row['ratio']:7.2f}"


def missed(found: dict) -> list[str]:
    """What took too long, one sentence each."""
    return [
        f"N = {row['agents']} takes {row['ratio']:.1f} times as long beside a process "
        f"that computes; at most {MOST:g} times is wanted"
        for row in found["rows"]
        if not row["ratio"] <= MOST
    ]
