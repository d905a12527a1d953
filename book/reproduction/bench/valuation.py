"""The values of the agents: ``python -m book.reproduction bench valuation``."""

import math
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor
from tqdm.auto import tqdm

from book.reproduction.bench.common import Disagreement, machine, peak, take_turns
from fairfl import cgsv, shapley
from fairfl.randomness import generator

CASES = (
    (10, 1024),
    (10, 65536),
    (12, 100_000),
    (16, 1024),
    (20, 1_000_000),
    (24, 1024),
    (30, 1024),
)
LITERAL = 500_000_000  # 2^N D up to which the literal loop is run
PASS = 24  # agents up to which a table of 2^N doubles is made
PATIENCE = 10.0  # seconds of calls of one method after which it is not repeated
AGREE = 1e-9


def literal(u: Tensor) -> Tensor:
    """Eq. (2) coalition by coalition: sum the members' vectors, take the cosine, then
    the Shapley sum of each agent."""
    n, total, table = len(u), u.sum(0), [0.0]
    for members in shapley.coalitions(n)[1:]:
        mine = u[members].sum(0)
        table.append(float(mine @ total / (mine.norm() * total.norm())))
    phi = [0.0] * n
    for i in range(n):
        for mask in range(2**n):
            if not mask >> i & 1:
                phi[i] += (table[mask | 1 << i] - table[mask]) / (
                    n * math.comb(n - 1, mask.bit_count())
                )
    return torch.tensor(phi, dtype=torch.float64)


def literal_sampling(u: Tensor, permutations: int, seed: int) -> Tensor:
    """The plain estimator of `sampling`, with the same permutations, on the vectors
    themselves."""
    n, total = len(u), u.sum(0)
    keys = torch.stack(
        [
            torch.rand(
                permutations,
                generator=generator(seed, "permutations", j),
                dtype=torch.float64,
            )
            for j in range(n)
        ],
        dim=1,
    )
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
    computer = ExactComputer(
        game=lambda members: value(torch.as_tensor(members)).numpy(),
        n_players=len(gram),
    )
    found = computer("SV")
    return torch.tensor([found[(i,)] for i in range(len(gram))], dtype=torch.float64)


def methods(
    n: int, d: int, permutations: int, seed: int, peers: bool
) -> dict[str, tuple[Callable, str | None]]:
    """Name -> (function of the updates and of their Gram matrix, name of the method it
    must agree with)."""
    found: dict[str, tuple[Callable, str | None]] = {
        "psi": (lambda u, gram: cgsv.cosine(u, u.sum(0)), None),
        "gram matrix": (lambda u, gram: cgsv.gram(u), None),
        "exact": (lambda u, gram: cgsv.exact(cgsv.gram(u)), None),
        "exact, beyond the gram matrix": (lambda u, gram: cgsv.exact(gram), "exact"),
        "sampled": (
            lambda u, gram: (
                cgsv.sampled(
                    cgsv.gram(u), seed, permutations, paired=False, control=False
                ).values
            ),
            None,
        ),
    }
    if n <= PASS:
        table = torch.ones(2**n, dtype=torch.float64)
        found["a pass over 2^N doubles"] = (lambda u, gram: table.sum(), None)
    if 2**n * d <= LITERAL:
        found["literal coalition loop"] = (lambda u, gram: literal(u), "exact")
    if n * d * permutations <= LITERAL:
        found["literal sampling"] = (
            lambda u, gram: literal_sampling(u, permutations, seed),
            "sampled",
        )
    if peers and 10 <= n <= 20:
        found["shapiq"] = (lambda u, gram: peer(gram), "exact, beyond the gram matrix")
    return found


def updates(n: int, d: int, seed: int) -> Tensor:
    """Gaussian updates with a common part, (N, D) float64."""
    draw = generator(seed, "bench", n, d)
    return torch.randn(n, d, generator=draw, dtype=torch.float64) + 0.2 * torch.randn(
        d, generator=draw, dtype=torch.float64
    )


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
        calls = {name: partial(call, u, gram) for name, (call, _) in found.items()}
        timed, values = take_turns(calls, repeats, PATIENCE)
        for name, (_, twin) in found.items():
            if twin and not (values[name] - values[twin]).abs().max() <= AGREE:
                gap = (values[name] - values[twin]).abs().max()
                raise Disagreement(
                    f"N = {n}, D = {d}: {name!r} and {twin!r} differ by {gap:.2g}"
                )
        exact = statistics.median(timed["exact"])
        rows += [
            {
                "agents": n,
                "dimension": d,
                "method": name,
                "seconds": took,
                "median": statistics.median(took),
                "ratio": statistics.median(took) / exact,
                "peak_bytes": needed(name, n, d, permutations, seed),
            }
            for name, took in timed.items()
        ]
    return {
        "settings": {
            "cases": [list(case) for case in cases],
            "repeats": repeats,
            "permutations": permutations,
            "seed": seed,
            "peers": peers,
        },
        **machine(*["shapiq"] * peers),
        "rows": rows,
    }


def needed(method: str, n: int, d: int, permutations: int, seed: int) -> int | None:
    """Bytes that one call needs beside its inputs, at its peak; None but on Linux."""
    found = peak(_prepare, method, n, d, permutations, seed)
    return found and found.beside


def _prepare(
    method: str, n: int, d: int, permutations: int, seed: int
) -> Callable[[], Tensor]:
    small = updates(3, 8, seed)
    methods(3, 8, permutations, seed, True)["psi"][0](small, cgsv.gram(small))
    u = updates(n, d, seed)
    gram, (call, _) = cgsv.gram(u), methods(n, d, permutations, seed, True)[method]
    return lambda: call(u, gram)


def table(found: dict) -> Iterator[str]:
    """The rows as lines of text: median, spread, memory, and the ratio to the exact
    value."""
    yield (
        f"{'N':>3} {'D':>8}  {'method':30} {'median ms':>11} {'lowest':>10} "
        f"{'highest':>10} {'peak MB':>8} "
        f"{'ratio':>9}"
    )
    for row in found["rows"]:
        low, high = (1000 * pick(row["seconds"]) for pick in (min, max))
        peak = "" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 1e6:.1f}"
        yield (
            f"{row['agents']:3} {row['dimension']:8}  {row['method']:30} "
            f"{1000 * row['median']:11.3f} {low:10.3f} "
            f"{high:10.3f} {peak:>8} {row['ratio']:9.4g}"
        )
    for n, d in found["settings"]["cases"]:
        if 2**n * d > LITERAL:
            yield (f"{n:3} {d:8}  the literal coalition loop was left out: 2^N D = "
                   f"{2**n * d:.1g} is too much")
