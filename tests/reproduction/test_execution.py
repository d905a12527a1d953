"""Running what is missing, several runs side by side, and going on after a stop."""

import os
import signal
import threading
import time
from dataclasses import replace

import pytest

from book.reproduction import execution, verification
from book.reproduction.base import Run
from fairfl.runs import records, running
from fairfl.runs.recommendations import recommended

FOREVER = 100_000


def small(name="a", **changes):
    changes = {"rounds": 3, "size": 40, "recorded": "end", "accuracy_every": None,
               **changes}
    return Run(f"runs/{name}.json", recommended("digits", "pow", agents=3, **changes))


@pytest.mark.slow
def test_runs_are_recorded_and_a_failure_does_not_stop_the_others(tmp_path):
    wrong = small("b", partition_options={"law": "unknown"})
    runs, told = [small("a"), wrong, small("c", seed=1)], []
    outcomes = execution.execute(runs, tmp_path, workers=2, report=told.append)
    done = sorted(outcome.run.file for outcome in outcomes if outcome.state == "done")
    assert outcomes == told and done == ["runs/a.json", "runs/c.json"]
    (failed,) = [outcome for outcome in outcomes if outcome.state == "failed"]
    assert failed.run == wrong and "unknown" in failed.detail
    assert execution.missing(runs, tmp_path) == [wrong]
    alone = running.run(runs[2].settings)
    found = records.load(tmp_path / "runs/c.json")
    assert not verification.differences(found.history, alone.history, 1e-8)
    assert not list(tmp_path.glob("**/*.checkpoint"))


def test_a_record_of_other_settings_counts_as_missing(tmp_path):
    run = small()
    run.path(tmp_path).parent.mkdir()
    records.save(running.run(run.settings), run.path(tmp_path))
    assert not execution.missing([run], tmp_path)
    changed = Run(run.file, replace(run.settings, rounds=4))
    assert execution.missing([changed], tmp_path) == [changed]


@pytest.mark.slow
def test_a_spent_budget_leaves_a_checkpoint_to_go_on_from(tmp_path):
    run = small(rounds=FOREVER)
    (outcome,) = execution.execute([run], tmp_path, budget=1.0)
    kept = tmp_path / "runs/a.json.checkpoint"
    assert outcome.state == "stopped"
    assert "after round" in outcome.detail
    assert kept.exists()
    done = int(outcome.detail.split()[2])
    assert done >= 1
    (outcome,) = execution.execute([run], tmp_path, budget=1.0)
    assert int(outcome.detail.split()[2]) > done
    shorter = small()  # the plan has changed: the checkpoint is of no use
    (outcome,) = execution.execute([shorter], tmp_path)
    assert outcome.state == "done" and not kept.exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_kill_stops_after_the_round(number, tmp_path):
    kept = tmp_path / "runs/a.json.checkpoint"

    def kill():
        end = time.time() + 120
        while not kept.exists() and time.time() < end:
            time.sleep(0.05)
        os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    threading.Thread(target=kill).start()
    waiting = [small(rounds=FOREVER), small("b")]
    (outcome,) = execution.execute(waiting, tmp_path)  # the other is not begun
    assert outcome.state == "stopped" and signal.getsignal(number) is before
