"""Interrupted runs end in the record of the uninterrupted run, times aside."""

import math
import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fairfl
from fairfl import datasets, mechanisms
from fairfl.mechanisms import FedAvg
from fairfl.runs import checkpoint, records, running
from fairfl.runs.recommendations import recommended
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining

pytestmark = pytest.mark.slow

SETTINGS = recommended(
    "digits",
    "pow",
    agents=3,
    size=40,
    rounds=6,
    accuracy_every=2,
    evaluate_every=3,
    seed=4,
)
PACKAGE = str(Path(fairfl.__file__).parent)


def timeless(record):
    """The record without what the clock says."""
    history = record.history.to_dict()
    series = {
        name: values
        for name, values in history["series"].items()
        if not name.startswith("seconds_")
    }
    about = {name: value for name, value in record.about.items() if name != "seconds"}
    return record.settings, {**history, "series": series}, about


@pytest.fixture(scope="module")
def data():
    return datasets.load("digits")


@pytest.fixture(scope="module")
def whole(data):
    return running.run(SETTINGS, data)


def lines_of_the_package(call, stop=None):
    """Runs call() and counts the lines of the package that are executed; raises
    KeyboardInterrupt at number `stop`."""
    count = 0

    def local(frame, event, argument):
        nonlocal count
        if event == "line":
            count += 1
            if count == stop:
                sys.settrace(None)
                raise KeyboardInterrupt
        return local

    before = sys.gettrace()
    sys.settrace(
        lambda frame, *_: (
            local if frame.f_code.co_filename.startswith(PACKAGE) else None
        )
    )
    try:
        call()
    finally:
        sys.settrace(before)
    return count


@pytest.fixture(scope="module")
def lines(data, tmp_path_factory):
    file = tmp_path_factory.mktemp("count") / "run.checkpoint"
    return lines_of_the_package(
        lambda: running.run(SETTINGS, data, checkpoint_file=file, checkpoint_every=2)
    )


@pytest.mark.parametrize("draw", range(20))
def test_interrupted_at_a_random_line(draw, data, whole, lines, tmp_path):
    file = tmp_path / "run.checkpoint"
    stop = random.Random(draw).randrange(
        lines // 8, lines
    )  # the first lines only build the federation

    def run():
        return running.run(SETTINGS, data, checkpoint_file=file, checkpoint_every=2)

    with pytest.raises(KeyboardInterrupt):
        lines_of_the_package(run, stop)
    if file.exists():  # not if the first round was not over yet
        assert 1 <= checkpoint.load(file).history.last.t <= SETTINGS.rounds
    assert timeless(run()) == timeless(whole)


CHILD = """
import os, signal, sys
from fairfl import __main__, federation
from fairfl.runs import files, running
kill = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
where = sys.argv[1]
if where == "training":
    real = federation.Federation._next
    def next_round(self, last):
        if last.t == 4:
            threading.Timer(0.003, kill).start()
        return real(self, last)
    import threading
    federation.Federation._next = next_round
elif where == "between":
    real = federation.Federation._next
    def next_round(self, last):
        return kill() if last.t == 4 else real(self, last)
    federation.Federation._next = next_round
else:
    real, written = files.os.fsync, []
    def fsync(descriptor):
        written.append(1)
        if len(written) == 4:  # after a test of the place and two checkpoints
            os.truncate(descriptor, 1000)
            kill()
        real(descriptor)
    files.os.fsync = fsync
__main__.main(sys.argv[2:])
"""
COMMAND = [
    "run",
    "--dataset",
    "digits",
    "--agents",
    "3",
    "--size",
    "40",
    "--rounds",
    "6",
    "--set",
    "accuracy_every=2",
    "--set",
    "evaluate_every=3",
    "--seed",
    "4",
    "--checkpoint-every",
    "2",
]


@pytest.mark.skipif(
    not hasattr(signal, "SIGKILL"), reason="SIGKILL: there is none on this system"
)
@pytest.mark.parametrize("where", ["training", "between", "writing"])
def test_killed(where, whole, tmp_path):
    output = tmp_path / "record.json"
    arguments = [*COMMAND, "--output", str(output)]
    environment = {**os.environ, "PYTHONPATH": str(Path(PACKAGE).parent)}
    dead = subprocess.run(
        [sys.executable, "-c", CHILD, where, *arguments],
        env=environment,
        capture_output=True,
    )
    assert dead.returncode == -signal.SIGKILL, dead.stderr.decode()
    assert not output.exists()
    kept = checkpoint.load(tmp_path / "record.json.checkpoint").history.last.t
    assert kept == (4 if where != "writing" else 4 if kept == 4 else 2)
    again = subprocess.run(
        [sys.executable, "-m", "fairfl", *arguments, "--resume"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert again.returncode == 0, again.stderr
    left = [file.name for file in tmp_path.iterdir() if file.suffix != ".part"]
    assert left == ["record.json"]
    assert timeless(records.load(output)) == timeless_as_read(whole, tmp_path)


def timeless_as_read(record, folder):
    file = folder / "whole.json"
    records.save(record, file)
    return timeless(records.load(file))


def test_a_checkpoint_of_another_run_is_refused(data, tmp_path):
    file = tmp_path / "run.checkpoint"
    short = replace(SETTINGS, rounds=1)
    running.run(short, data, checkpoint_file=file, checkpoint_every=1)
    with pytest.raises(
        ValueError,
        match="run.checkpoint is the .* with other settings: rounds 1, not 6",
    ):
        running.run(SETTINGS, data, checkpoint_file=file)
    with pytest.raises(ValueError, match="seed 4, not 5"):
        running.run(replace(short, seed=5), data, checkpoint_file=file)
    with pytest.raises(ValueError, match="on other data: sha256"):
        running.run(short, data._replace(sha256="0"), checkpoint_file=file)


def test_diverging_training_keeps_the_rounds_before(data, tmp_path):
    from fairfl.federation import UpdateError

    file = tmp_path / "run.checkpoint"
    wild = replace(
        SETTINGS,
        local=replace(SETTINGS.local, lr=Schedule(0.05, 1e60)),
        mechanism="fedavg",
        mechanism_options={"scaling": "raw"},
    )
    with pytest.raises(UpdateError, match="in round 2 holds NaN or infinite"):
        running.run(wild, data, checkpoint_file=file)
    assert checkpoint.load(file).history.last.t == 1


def test_label_noise_as_a_list_goes_on_as_a_tuple(data, tmp_path):
    file = tmp_path / "run.checkpoint"
    noisy = replace(SETTINGS, rounds=2, label_noise=[0.5, 0, 0])
    assert noisy == replace(noisy, label_noise=(0.5, 0.0, 0.0))

    def stop(history):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        running.run(noisy, data, checkpoint_file=file, after=stop)
    resumed = running.run(replace(noisy, label_noise=(0.5, 0, 0)), data,
                          checkpoint_file=file)
    assert timeless(resumed) == timeless(running.run(noisy, data))


def test_what_json_cannot_hold_fails_at_once_or_is_kept(data, tmp_path, monkeypatch):
    class Own(LocalTraining):
        pass

    for wrong, word in (({"local": Own(Schedule(0.1))}, "kind Own"),
                        ({"model_options": {"a": {(1, 2): 3}}}, "must be plain data"),
                        ({"model_options": {"a": {3}}}, "must be plain data"),
                        ({"model_options": {"a": math.nan}}, "must be plain data")):
        with pytest.raises(ValueError, match=word):
            running.run(replace(SETTINGS, **wrong), data, after=pytest.fail)

    class Odd(FedAvg):
        def apply(self, state, round, setting):
            odd = {"n": np.int64(3), "x": np.float32(0.5), "most": math.inf,
                   "v": np.arange(2)}
            return odd, super().apply(state, round, setting)[1]

    monkeypatch.setitem(mechanisms.MECHANISMS, "fedavg", Odd)
    file = tmp_path / "run.checkpoint"
    odd = replace(SETTINGS, rounds=1, mechanism="fedavg", mechanism_options={})
    running.run(odd, data, checkpoint_file=file)
    state = checkpoint.load(file).history.last.state
    assert state == {"n": 3, "x": 0.5, "most": math.inf, "v": [0, 1]}
