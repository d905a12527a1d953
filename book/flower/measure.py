"""What a round costs beyond one process: ``python -m book.flower measure``."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from book.flower.processes import Machines
from book.flower.task import LOCAL, shares
from book.reproduction.bench.common import machine, save
from fairfl import federation, mechanisms, models

MECHANISM, SEED, ROOT = "cgsv", 0, Path(__file__).parents[2]


def measure(folder: Path, agents: int, rounds: int, output: Path) -> None:
    """Time the ways, check that they give the same r, and write the record.

    A round's seconds are the mean of those after the first; what is left of the whole,
    from typing the command to the results, is the start-up. Bytes are those of updates
    and downloads, the mean over the rounds after the first, which sends w_0 to all.
    """
    found, rows = {}, []
    for way, call in {"simulator": simulator, "flwr run": simulated,
                      "TLS": deployed, "TLS, warm": warm}.items():
        begin = time.perf_counter()
        found[way] = call(folder, agents, rounds)
        whole, later = time.perf_counter() - begin, list(found[way].values())[1:]
        mean = {name: sum(entry[name] for entry in later) / len(later)
                for name in ("seconds", "bytes_up", "bytes_down")}
        rows.append({
            "way": way, "agents": agents, "rounds": rounds,
            "load": round(os.getloadavg()[1], 1),
            "seconds_a_round": round(mean["seconds"], 4),
            "startup_seconds": round(whole - rounds * mean["seconds"], 2),
            "bytes_up": round(mean["bytes_up"]),
            "bytes_down": round(mean["bytes_down"]),
            "dense_bytes_down": dimension() * 8 * agents})
        print(rows[-1], flush=True)
        check({way: r(series[rounds]) for way, series in found.items()})
        save({"settings": {"mechanism": MECHANISM, "beta": 1.0, "seed": SEED,
                           "dimension": dimension(), "dtype": "float64"},
              **machine("flwr"), "rows": rows}, output)


def simulator(folder: Path, agents: int, rounds: int) -> dict[int, dict]:
    """In a process of its own, that the start-up is in it; nothing is sent."""
    code = "from book.flower.measure import alone; alone(*map(int, __import__('sys')" \
           ".argv[1:]))"
    done = subprocess.run([sys.executable, "-c", code, str(agents), str(rounds)],
                          cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE,
                          env=os.environ | {"OMP_NUM_THREADS": "1"})
    return {int(t): entry for t, entry in json.loads(done.stdout).items()}


def alone(agents: int, rounds: int) -> None:
    """Print what the simulator gives."""
    fed = federation.Federation(
        shares(agents, SEED), models.build("digits_cnn", SEED),
        mechanisms.build(MECHANISM, beta=1.0), local=LOCAL, seed=SEED, train="plain")
    found, begin = {}, time.perf_counter()
    for snapshot in fed.rounds(rounds):
        now = time.perf_counter()
        logged = zip(fed.setting.keys, snapshot.step.log["r"].tolist(), strict=True)
        found[snapshot.t] = {"seconds": now - begin, "bytes_up": 0, "bytes_down": 0,
                             **{f"r.{key}": value for key, value in logged}}
        begin = now
    print(json.dumps(found))


def simulated(folder: Path, agents: int, rounds: int) -> dict[int, dict]:
    """`flwr run` with nodes that Flower simulates."""
    with Machines(folder / "simulated") as machines:
        machines.run(agents=agents, rounds=rounds, mechanism=MECHANISM, seed=SEED)
        machines.wait()
        return machines.results(MECHANISM)


def warm(folder: Path, agents: int, rounds: int) -> dict[int, dict]:
    """As `deployed`, but processes are forked from one that has imported PyTorch."""
    return deployed(folder / "warm", agents, rounds, warm=True)


def deployed(folder: Path, agents: int, rounds: int, warm: bool = False
            ) -> dict[int, dict]:
    """A SuperLink and SuperNodes, over TLS; each message starts a process."""
    with Machines(folder / "deployed", agents, SEED, warm) as machines:
        for i in range(1, agents + 1):
            machines.register(i)
            machines.start_node(i)
        machines.run(agents=agents, rounds=rounds, mechanism=MECHANISM, seed=SEED)
        machines.wait()
        return machines.results(MECHANISM)


def dimension() -> int:
    """D of the example's network."""
    return sum(p.numel() for p in models.build("digits_cnn", SEED).parameters())


def r(entry: dict[str, float]) -> list[float]:
    """The importance coefficients of a round, sorted: nodes have other names."""
    return sorted(value for name, value in entry.items() if name.startswith("r."))


def check(found: dict[str, list[float]]) -> None:
    """RuntimeError unless all ways agree to 1e-6. Nodes over TLS draw other batches,
    by their ids: they must agree in number alone."""
    first = found["simulator"]
    if any(len(values) != len(first) for values in found.values()) or any(
            abs(a - b) > 1e-6
            for a, b in zip(first, found.get("flwr run", first), strict=True)):
        raise RuntimeError(f"the ways disagree: {found}")
