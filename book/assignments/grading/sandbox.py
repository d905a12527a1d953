"""Run a student's cells and call their functions in a process with limits.

Time, memory and the size of files are limited; output goes nowhere. On Linux, where
namespaces are allowed, the process has no network, and sees empty folders in place of
those in `hidden`. A cell or call that ends the process, or takes too long, is left out,
and the rest is run again.
"""

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

try:
    import resource
except ImportError:  # Windows: no limits but those on time
    resource = None

CHILD = Path(__file__).with_name("child.py")
LIBRARY = Path(__file__).resolve().parents[3] / "fairfl"
MEMORY = 4 << 30  # bytes of data
FILES = 50 << 20  # bytes of a file
COVER = (
    'for f in "$@"; do if [ -d "$f" ]; then '
    'mount -t tmpfs none "$f" || exit 97; fi; done; '
)
CELL, NOTEBOOK, RESTARTS = 60.0, 240.0, 4  # seconds, seconds, and new beginnings


@dataclass
class Outcome:
    """What became of a notebook and of each call."""

    errors: dict[int, str] = field(default_factory=dict)  # by cell
    returned: list[dict] = field(
        default_factory=list
    )  # {"value": ...} or {"error": ...}
    isolated: bool = False


class _Ended(Exception):
    """The process has ended or was ended; says why."""


@cache
def isolation() -> bool:
    """Whether this machine lets a process have namespaces of its own."""
    if shutil.which("unshare") is None:
        return False
    return (
        subprocess.run(
            ["unshare", "-rmnpf", "unshare", "-rm", "true"], capture_output=True
        ).returncode
        == 0
    )


def run(
    cells: Sequence[str],
    calls: Sequence[tuple[str, tuple, float]],
    hidden: Sequence[Path] = (),
) -> Outcome:
    """Run the cells, then make the calls (function, arguments, seconds)."""
    outcome = Outcome(
        returned=[{"error": "not reached"} for _ in calls], isolated=isolation()
    )
    skip: set[int] = set()
    dead: set[int] = set()
    until = time.monotonic() + NOTEBOOK
    for _ in range(RESTARTS + 1):
        with tempfile.TemporaryDirectory(prefix="grading-") as folder:
            if _once(Path(folder), cells, calls, hidden, skip, dead, outcome, until):
                return outcome
    return outcome


def _once(folder, cells, calls, hidden, skip, dead, outcome, until) -> bool:
    """One process from beginning to end; False where it must begin again."""
    process = _Process(folder, hidden)
    doing: tuple[str, int] = ("cell", -1)
    try:
        process.send({"cells": list(cells), "skip": sorted(skip)})
        end = time.monotonic() + CELL
        while True:
            message = process.receive(min(end, until))
            if "ended" in message:
                break
            if "begin" in message:
                doing, end = ("cell", int(message["begin"])), time.monotonic() + CELL
            elif "error" in message:
                outcome.errors[int(message["cell"])] = str(message["error"])
        for k, (function, arguments, seconds) in enumerate(calls):
            if k in dead or "value" in outcome.returned[k]:
                continue
            doing = ("call", k)
            process.send({"function": function, "arguments": pack(arguments)})
            outcome.returned[k] = process.receive(
                min(time.monotonic() + seconds, until)
            )
        return True
    except (_Ended, KeyError, TypeError, ValueError) as error:
        what, k = doing
        why = (
            str(error)
            if isinstance(error, _Ended)
            else "the notebook disturbed the grading"
        )
        if what == "call":
            # A function that hung once is not called again: other tasks need the time
            for other, (function, _, _) in enumerate(calls):
                if function == calls[k][0] and "value" not in outcome.returned[other]:
                    outcome.returned[other] = {"error": why}
                    dead.add(other)
        else:
            outcome.errors[k] = why
            skip.add(k)
        return time.monotonic() > until
    finally:
        process.close()


def pack(value):
    """Arguments as JSON, see `child`."""
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": str(value.dtype)}
    if isinstance(value, dict):
        return {key: pack(part) for key, part in value.items()}
    return [pack(part) for part in value] if isinstance(value, (list, tuple)) else value


class _Process:
    """The child, and lines of JSON to and from it."""

    def __init__(self, folder: Path, hidden: Sequence[Path]) -> None:
        shutil.copy(CHILD, folder / "child.py")
        package = folder / "library"
        package.mkdir()
        (package / "fairfl").symlink_to(LIBRARY)
        read, write = os.pipe()
        command = [sys.executable, "child.py", str(write)]
        if isolation():
            inner = COVER + f'exec unshare -rm "$0" child.py {write}'
            command = [
                "unshare",
                "-rmnpf",
                "--kill-child",
                "sh",
                "-c",
                inner,
                sys.executable,
                *map(str, hidden),
            ]
        home = {
            "HOME": str(folder),
            "PYTHONPATH": str(package),
            "OMP_NUM_THREADS": "1",
            "PATH": os.environ.get("PATH", ""),
            "IPYTHONDIR": str(folder / "ipython"),
            "MPLCONFIGDIR": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=home,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(write,),
            start_new_session=True,
            preexec_fn=_limit if resource else None,
        )
        os.close(write)
        self.answers, self.rest = read, b""

    def send(self, message: dict) -> None:
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            raise _Ended("the notebook ended the process") from None

    def receive(self, end: float) -> dict:
        while b"\n" not in self.rest:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.answers], [], [], left)[0]:
                raise _Ended("it took too long")
            part = os.read(self.answers, 1 << 16)
            if not part:
                raise _Ended("the notebook ended the process, or used up its memory")
            self.rest += part
            if len(self.rest) > FILES:
                raise _Ended("what it returned is too large")
        line, _, self.rest = self.rest.partition(b"\n")
        return json.loads(line)

    def close(self) -> None:
        try:
            os.killpg(self.process.pid, 9)
        except (OSError, AttributeError):
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        os.close(self.answers)


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILES, FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
