"""One step of the server against the numbers of agents and parameters: ``python -m
book.reproduction bench server``.

The step is what a server does that trains nothing and holds no agent's model: it takes
the updates, weighs, sums and values them, and makes each agent's download, one after
the other.
"""

import os
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from book.reproduction.bench.common import machine, peak, take_turns
from fairfl.mechanisms import CGSV
from fairfl.mechanisms.base import Round, Setting
from fairfl.randomness import generator

AGENTS = (5, 10, 20, 50, 100, 200, 500, 1000)
DIMENSIONS = (10_000, 100_000, 1_000_000, 6_400_000, 25_000_000)
MOST = 250_000_000  # N D up to which all pairs are measured: 1 GB of updates
LARGEST = (100, 25_000_000)  # and one beyond: 10 GB
ROOM = 1.2  # of the updates' bytes that must be free
PATIENCE = 20.0  # seconds of calls after which a step is not repeated


def cases() -> list[tuple[int, int]]:
    """The pairs (N, D) of the grid that are not too large, and a large one."""
    grid = [(n, d) for d in DIMENSIONS for n in AGENTS if n * d <= MOST]
    return [*grid, LARGEST]


def updates(n: int, d: int, seed: int) -> Tensor:
    """Gaussian updates with a common part, (N, D) float32."""
    draw = generator(seed, "bench", "scaling")
    found, common = torch.empty(n, d), torch.randn(d, generator=draw)
    for row in found:
        torch.randn(d, generator=draw, out=row).add_(common).mul_(0.01)
    return found


def step(u: Tensor) -> Callable[[], Tensor]:
    """A call of the step with these updates; it returns psi."""
    mechanism, (n, d) = CGSV(), u.shape
    ones = torch.ones(n, dtype=torch.int64)
    setting = Setting(tuple(map(str, range(n))), d, ones, ones, (slice(0, d),))
    round = Round(1, 0.1, 0.5, u, u, u[0], lambda: None, lambda models: None)

    def call() -> Tensor:
        found = mechanism.apply(mechanism.init(setting), round, setting)[1]
        for i in range(n):
            found.reward.row(i)
        return found.log["psi"]

    return call


def _prepare(n: int, d: int, seed: int) -> Callable[[], Tensor]:
    step(updates(3, 1000, seed))()  # loads what is loaded once
    return step(updates(n, d, seed))


def measured(n: int, d: int, repeats: int, seed: int) -> dict:
    """Time and memory of one case."""
    found = peak(_prepare, n, d, seed)
    u = updates(n, d, seed)
    calls = {"step": step(u), "reading": u.sum}
    seconds, _ = take_turns(calls, repeats, PATIENCE)
    took, reading = (statistics.median(seconds[name]) for name in calls)
    return {"N": n, "D": d, "seconds": took, "all_seconds": seconds["step"],
            "reading_seconds": reading, "readings": took / reading,
            "updates_bytes": u.nbytes,
            "peak_bytes": found and found.beside + u.nbytes}


def server(grid: Sequence[tuple[int, int]] = (), repeats: int = 5, seed: int = 0,
           progress: bool = False) -> dict:
    """Measures the step for each (N, D); plain data. In its rows are

    - `seconds`, the median of `all_seconds`;
    - `reading_seconds`, how long `updates.sum()` takes, and `readings`, the quotient;
    - `peak_bytes`, what the step holds at its peak, the updates included; None but on
      Linux.

    A case whose updates do not fit into the memory that is free is left out, and named
    in `left_out`.
    """
    before, rows, left_out = os.getloadavg(), [], []
    grid = list(grid) or cases()
    for n, d in tqdm(grid, unit="case", disable=not progress, file=sys.stderr):
        if 4 * n * d * ROOM > free():
            left_out.append([n, d])
        else:
            rows.append(measured(n, d, repeats, seed))
    return {"settings": {"cases": [list(case) for case in grid], "repeats": repeats,
                         "seed": seed},
            **machine("numpy"),
            "load": {"before": before[0], "after": os.getloadavg()[0]},
            "left_out": left_out, "rows": rows}


def free() -> float:
    """Bytes of memory that are free; infinite where that is not known."""
    file = Path("/proc/meminfo")
    lines = file.read_text().splitlines() if file.exists() else []
    found = [1024 * int(line.split()[1]) for line in lines
             if line.startswith("MemAvailable")]
    return found[0] if found else float("inf")


def table(found: dict) -> Iterator[str]:
    """The rows as lines of text."""
    yield (f"{found['device']}, {found['threads']} threads, "
           f"load {found['load']['before']:.1f} to {found['load']['after']:.1f}")
    yield f"{'N':>5} {'D':>9} {'ms':>10} {'readings':>9} {'peak MB':>9} {'of N D':>7}"
    for row in found["rows"]:
        peak, share = "", ""
        if row["peak_bytes"]:
            peak = f"{row['peak_bytes'] / 1e6:.1f}"
            share = f"{row['peak_bytes'] / row['updates_bytes']:.2f}"
        yield (f"{row['N']:5} {row['D']:9} {1000 * row['seconds']:10.2f} "
               f"{row['readings']:9.1f} {peak:>9} {share:>7}")
    for n, d in found["left_out"]:
        yield f"{n:5} {d:9} left out: the updates do not fit into the free memory"
