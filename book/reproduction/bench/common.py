"""What all benchmarks need: calls that take turns, peaks of memory, and a file for the
figures."""

import json
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from fairfl.runs.files import write_whole
from fairfl.runs.records import versions


class Disagreement(RuntimeError):
    """Two methods that must give the same result did not."""


def take_turns(calls: Mapping[str, Callable[[], Any]], repeats: int,
               patience: float = float("inf"), warm: bool = False,
               turn: float = 0.0) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Call all, `repeats` times over; the seconds that each call took, and what each
    method answered last.

    Args:
        turn: seconds; in its turn a shorter call is repeated until they have passed,
            and the mean counts, so that short calls do not pay for what long ones leave
            in the caches.
        patience: seconds of calls of one method after which it is not repeated.
        warm: False: a first call of each is for warming up and does not count, unless
            there was no other.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    answers = {}
    for _ in range(repeats + (not warm)):
        for name, call in calls.items():
            if sum(seconds[name]) < patience:
                start, took, count = time.perf_counter(), -1.0, 0
                while took < turn:
                    answers[name] = call()
                    if torch.cuda.is_initialized():
                        torch.cuda.synchronize()
                    took, count = time.perf_counter() - start, count + 1
                seconds[name].append(took / count)
    return {name: took if warm or len(took) == 1 else took[1:]
            for name, took in seconds.items()}, answers


class Peak(NamedTuple):
    """Memory of a process at its peak, in bytes."""

    total: int
    beside: int  # beyond what it used before the call


def peak(prepare: Callable[..., Callable[[], Any]], *arguments) -> Peak | None:
    """What ``prepare(*arguments)()`` needs at its peak, measured in a fresh process;
    None but on Linux.

    Args:
        prepare: a function of a module; it returns the call that is measured.
    """
    if sys.platform != "linux":
        return None
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([prepare.__module__])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure,
                              args=(sender, torch.get_num_threads(), prepare,
                                    *arguments))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        return None
    finally:
        process.join()


def _measure(sender, threads: int, prepare: Callable[..., Callable[[], Any]],
             *arguments) -> None:
    torch.set_num_threads(threads)
    call = prepare(*arguments)
    # The peak starts again from what is in use now
    Path("/proc/self/clear_refs").write_text("5")
    before = _peak_so_far()
    call()
    sender.send(Peak(_peak_so_far(), max(_peak_so_far() - before, 0)))


def _peak_so_far() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines
                if line.startswith("VmHWM"))


def machine(*packages: str) -> dict:
    """Versions, device and threads, to be saved with the figures."""
    return {
        "versions": versions(*packages),
        "device": f"CPU, {platform.machine()}, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
    }


def save(found: dict, path: str | Path) -> None:
    """Write the result as JSON; the file appears whole or not at all."""
    write_whole(path, json.dumps(found, indent=1) + "\n")
