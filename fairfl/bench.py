"""How long valuing takes, in ratios within one run: ``python -m fairfl bench valuation``.

Each method is compared with a twin that does the same the literal way, and the two must give the same numbers. Calls of
different methods take turns, so that whatever else the machine does hits all of them.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

import fairfl
from fairfl import cgsv, shapley
from fairfl.files import write_whole
from fairfl.randomness import generator

CASES = ((10, 1024), (10, 65536), (12, 100_000), (16, 1024), (20, 1_000_000), (24, 1024), (30, 1024))
LITERAL = 500_000_000       # 2^N D up to which the literal loop is run
PASS = 24                   # agents up to which a table of 2^N doubles is made
PATIENCE = 10.0             # seconds of calls of one method after which it is not repeated
AGREE = 1e-9


class Disagreement(RuntimeError):
    """Two methods that must give the same values did not."""


def literal(u: Tensor) -> Tensor:
    """Eq. (2) coalition by coalition: sum the members' vectors, take the cosine, then the Shapley sum of each agent."""
    n, total, table = len(u), u.sum(0), [0.0]
    for members in shapley.coalitions(n)[1:]:
        mine = u[members].sum(0)
        table.append(float(mine @ total / (mine.norm() * total.norm())))
    phi = [0.0] * n
    for i in range(n):
        for mask in range(2**n):
            if not mask >> i & 1:
                phi[i] += (table[mask | 1 << i] - table[mask]) / (n * math.comb(n - 1, mask.bit_count()))
    return torch.tensor(phi, dtype=torch.float64)


def literal_sampling(u: Tensor, permutations: int, seed: int) -> Tensor:
    """The plain estimator of `sampling`, with the same permutations, on the vectors themselves."""
    n, total = len(u), u.sum(0)
    keys = torch.stack([torch.rand(permutations, generator=generator(seed, "permutations", j), dtype=torch.float64)
                        for j in range(n)], dim=1)
    phi = torch.zeros(n, dtype=torch.float64)
    for order in keys.argsort(dim=1):
        before, mine = 0.0, torch.zeros_like(total)
        for i in order.tolist():
            mine = mine + u[i]
            now = float(mine @ total / (mine.norm() * total.norm()))
            phi[i] += now - before
            before = now
    return phi / permutations


def peer(gram: Tensor) -> Tensor:
    """The same game given to shapiq's exact computer.

    Raises:
        ModuleNotFoundError: shapiq is not installed.
    """
    from shapiq import ExactComputer

    value = cgsv.game(gram)
    computer = ExactComputer(game=lambda members: value(torch.as_tensor(members)).numpy(), n_players=len(gram))
    found = computer("SV")
    return torch.tensor([found[(i,)] for i in range(len(gram))], dtype=torch.float64)


def methods(n: int, d: int, permutations: int, seed: int, peers: bool) -> dict[str, tuple[Callable, str | None]]:
    """Name -> (function of the updates and of their Gram matrix, name of the method it must agree with)."""
    found: dict[str, tuple[Callable, str | None]] = {
        "psi": (lambda u, gram: cgsv.cosine(u, u.sum(0)), None),
        "gram matrix": (lambda u, gram: cgsv.gram(u), None),
        "exact": (lambda u, gram: cgsv.exact(cgsv.gram(u)), None),
        "exact, beyond the gram matrix": (lambda u, gram: cgsv.exact(gram), "exact"),
        "sampled": (lambda u, gram: cgsv.sampled(cgsv.gram(u), seed, permutations, paired=False, control=False).values,
                    None),
    }
    if n <= PASS:
        table = torch.ones(2**n, dtype=torch.float64)
        found["a pass over 2^N doubles"] = (lambda u, gram: table.sum(), None)
    if 2**n * d <= LITERAL:
        found["literal coalition loop"] = (lambda u, gram: literal(u), "exact")
    if n * d * permutations <= LITERAL:
        found["literal sampling"] = (lambda u, gram: literal_sampling(u, permutations, seed), "sampled")
    if peers and 10 <= n <= 20:
        found["shapiq"] = (lambda u, gram: peer(gram), "exact, beyond the gram matrix")
    return found


def updates(n: int, d: int, seed: int) -> Tensor:
    """Gaussian updates with a common part, (N, D) float64."""
    draw = generator(seed, "bench", n, d)
    return torch.randn(n, d, generator=draw, dtype=torch.float64) + 0.2 * torch.randn(d, generator=draw,
                                                                                      dtype=torch.float64)


def valuation(
    cases: Sequence[tuple[int, int]] = CASES,
    repeats: int = 5,
    permutations: int = 150,
    seed: int = 0,
    peers: bool = False,
    progress: bool = False,
) -> dict:
    """Times all methods for each (N, D); plain data, see `rows` of it.

    Raises:
        Disagreement: two methods that must agree do not.
    """
    rows = []
    for n, d in tqdm(cases, unit="case", disable=not progress, file=sys.stderr):
        found = methods(n, d, permutations, seed, peers)
        u = updates(n, d, seed)
        gram = cgsv.gram(u)
        seconds: dict[str, list[float]] = {name: [] for name in found}
        values = {}
        for _ in range(repeats + 1):  # the first round is for warming up, unless a method takes too long for another
            for name, (function, _) in found.items():
                if sum(seconds[name]) < PATIENCE:
                    start = time.perf_counter()
                    values[name] = function(u, gram)
                    seconds[name].append(time.perf_counter() - start)
        for name, (_, twin) in found.items():
            if twin and not (values[name] - values[twin]).abs().max() <= AGREE:
                gap = (values[name] - values[twin]).abs().max()
                raise Disagreement(f"N = {n}, D = {d}: {name!r} and {twin!r} differ by {gap:.2g}")
        timed = {name: took[1:] if len(took) > 1 else took for name, took in seconds.items()}
        exact = statistics.median(timed["exact"])
        rows += [{"agents": n, "dimension": d, "method": name, "seconds": took, "median": statistics.median(took),
                  "ratio": statistics.median(took) / exact, "peak_bytes": peak_bytes(name, n, d, permutations, seed)}
                 for name, took in timed.items()]
    versions = {"fairfl": fairfl.__version__, "torch": torch.__version__, "python": platform.python_version()}
    if peers:
        versions["shapiq"] = version("shapiq")
    return {
        "settings": {"cases": [list(case) for case in cases], "repeats": repeats, "permutations": permutations,
                     "seed": seed, "peers": peers},
        "versions": versions,
        "device": f"CPU, {platform.machine()}, {os.cpu_count()} cores", "threads": torch.get_num_threads(),
        "rows": rows,
    }


def peak_bytes(method: str, n: int, d: int, permutations: int, seed: int) -> int | None:
    """Memory that one call needs beside its inputs, at its peak, measured in a fresh process; None but on Linux."""
    if sys.platform != "linux":
        return None
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fairfl.bench"])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(sender, method, n, d, permutations, seed, torch.get_num_threads()))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        return None
    finally:
        process.join()


def _measure(sender, method: str, n: int, d: int, permutations: int, seed: int, threads: int) -> None:
    torch.set_num_threads(threads)
    small = updates(3, 8, seed)
    methods(3, 8, permutations, seed, True)["psi"][0](small, cgsv.gram(small))
    u = updates(n, d, seed)
    gram, (function, _) = cgsv.gram(u), methods(n, d, permutations, seed, True)[method]
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from what is in use now
    before = _status("VmHWM")
    function(u, gram)
    sender.send(max(_status("VmHWM") - before, 0))


def _status(field: str) -> int:
    """A size in bytes from /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


def table(found: dict) -> Iterator[str]:
    """The rows as lines of text: median, spread, memory, and the ratio to the exact value."""
    yield (f"{'N':>3} {'D':>8}  {'method':30} {'median ms':>11} {'lowest':>10} {'highest':>10} {'peak MB':>8} "
           f"{'ratio':>9}")
    for row in found["rows"]:
        low, high = (1000 * pick(row["seconds"]) for pick in (min, max))
        peak = "" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 1e6:.1f}"
        yield (f"{row['agents']:3} {row['dimension']:8}  {row['method']:30} {1000 * row['median']:11.3f} {low:10.3f} "
               f"{high:10.3f} {peak:>8} {row['ratio']:9.4g}")
    for n, d in found["settings"]["cases"]:
        if 2**n * d > LITERAL:
            yield f"{n:3} {d:8}  the literal coalition loop was left out: 2^N D = {2**n * d:.1g} is too much"


def save(found: dict, path: str | Path) -> None:
    """Write the result as JSON; the file appears whole or not at all."""
    write_whole(path, json.dumps(found, indent=1) + "\n")
