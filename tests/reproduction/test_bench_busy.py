"""The benchmark beside a neighbour: it is started, it ends whatever happens, it
counts."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from book.reproduction.__main__ import reproduce
from book.reproduction.bench import busy

CASE = ["--case", "6", "20", "--repeats", "3"]


def call(*arguments):
    return CliRunner().invoke(reproduce, ["bench", "valuation", "--busy", *arguments])


@pytest.fixture
def started(monkeypatch):
    """All neighbours that are started."""
    found, popen = [], subprocess.Popen

    def noted(*arguments, **options):
        found.append(popen(*arguments, **options))
        return found[-1]

    monkeypatch.setattr(busy.subprocess, "Popen", noted)
    return found


@pytest.mark.slow
def test_the_ratio_is_reported_and_the_neighbour_ends(started, monkeypatch, tmp_path):
    alive = []
    turns = busy.take_turns

    def watched(*arguments):
        alive.append([process.poll() is None for process in started])
        return turns(*arguments)

    monkeypatch.setattr(busy, "take_turns", watched)
    monkeypatch.setattr(busy, "MOST", float("inf"))
    result = call(*CASE, "--output", str(tmp_path / "out.json"))
    assert result.exit_code == 0, result.output
    assert alive == [[], [True]]  # quiet, then beside one neighbour
    assert started[0].poll() == -signal.SIGKILL
    (row,) = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert row["agents"] == 6 and len(row["quiet"]) == len(row["busy"]) == 3
    middle = {name: sorted(row[name])[1] for name in ("quiet", "busy")}
    assert row["ratio"] == pytest.approx(middle["busy"] / middle["quiet"])
    assert result.output.splitlines()[2].split()[-1] == f"{row['ratio']:.2f}"


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: looks into /proc")
def test_the_neighbour_ends_with_the_block_or_with_its_parent(started):
    with pytest.raises(ZeroDivisionError), busy.neighbour(1):
        1 / 0  # noqa: B018
    assert started[0].poll() == -signal.SIGKILL
    code = ("import os, signal; from book.reproduction.bench import busy\n"
            "with busy.neighbour(1) as process:\n"
            "    print(process.pid, flush=True)\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n")
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert dead.returncode == -signal.SIGKILL
    pid, end = int(dead.stdout), time.time() + 60
    while is_running(pid) and time.time() < end:
        time.sleep(0.05)
    assert not is_running(pid)


def test_a_neighbour_that_does_not_start_is_an_error(monkeypatch):
    monkeypatch.setattr(busy, "NEIGHBOUR", "")
    with pytest.raises(RuntimeError, match="did not start"), busy.neighbour():
        pass


@pytest.mark.parametrize(("ratio", "code"), [(3.0, 0), (3.1, 1), (float("nan"), 1)])
def test_more_than_three_times_fails(monkeypatch, ratio, code):
    row = {"agents": 20, "quiet": [1.0], "busy": [ratio], "ratio": ratio}
    found = {"device": "CPU", "threads": 1, "rows": [row]}
    monkeypatch.setattr(busy, "busy", lambda *arguments: found)
    result = call()
    assert result.exit_code == code
    assert ("at most 3 times" in result.output) == bool(code)
