"""The plan behind tables and figures, how long it takes, running and repeating it."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from book.reproduction import choice, estimation, execution, plan, verification
from book.reproduction.base import METHODS, Column, Run
from fairfl import datasets
from fairfl.history import History
from fairfl.runs import records, running
from fairfl.runs.recommendations import CHOSEN, recommended
from fairfl.schedules import Schedule

RESULTS = Path(__file__).parents[2] / "data" / "results"


def small(name="a", **changes):
    changes = {"rounds": 3, "size": 40, "recorded": "end", "accuracy_every": None, **changes}
    return Run(f"runs/{name}.json", recommended("digits", "pow", agents=3, **changes))


def has(dataset):
    try:
        return datasets.load(dataset, download=False)
    except datasets.DataError as error:
        pytest.skip(f"needs {dataset}: {error}")


# The plan

def test_the_tables_have_twelve_rows_in_the_published_columns():
    runs = plan.tables(tuple(plan.COLUMNS.values()))
    first = [run for run in runs if run.settings.seed == 0]
    assert len(first) == 12 * len(plan.COLUMNS) and len({run.file for run in runs}) == len(runs)
    published = {("mnist", 10): 3, ("mnist", 20): 3, ("cifar10", 10): 3, ("mr", 5): 1, ("sst", 5): 1}
    for (dataset, agents), columns in published.items():
        found = [run for run in first if (run.settings.dataset, run.settings.agents) == (dataset, agents)]
        assert len(found) == 12 * columns
    seeds = {run.settings.seed for run in runs if run.file.startswith("runs/mnist-10-cla")}
    assert seeds == {0, 1, 2, 3, 4}


def test_methods_of_a_column_differ_only_in_what_was_chosen_for_them():
    """Same agents, network, rounds and records, whatever the method."""
    for column in plan.COLUMNS.values():
        same = {(s.dataset, s.partition, s.agents, s.size, s.model, s.rounds, s.validation, s.recorded,
                 json.dumps(s.partition_options), s.local.epochs, s.local.batch_size)
                for method in METHODS for s in [plan.run(column, method, 0).settings]}
        assert len(same) == 1


def test_every_target_has_runs_and_all_has_them_all():
    every = {run.file: run.settings for run in plan.everything()}
    for name, runs in plan.TARGETS.items():
        assert runs(), name
        if name not in ("choice", "tuning", "all"):
            assert all(every[run.file] == run.settings for run in runs()), name


def test_variants_differ_in_what_they_say():
    column = Column("mnist", 10, "cla")
    base = plan.run(column, "cgsv-beta1", 0).settings
    found = {run.file: run.settings for run in (*plan.scalings(0), *plan.lock_in(0), *plan.precisions())}
    assert found["runs/mnist-10-cla-cgsv-beta1-constant-seed0.json"] == replace(base, gamma=Schedule(base.gamma.first))
    clipped = found["runs/mnist-10-cla-fedavg-clipped-seed0.json"]
    assert clipped.mechanism_options == {"scaling": "clipped"} and clipped.mechanism == "fedavg"
    assert found["runs/mnist-10-cla-cgsv-beta1-long-raw-seed0.json"].rounds == 100
    assert found["runs/mnist-10-pow-eci-bfloat16-seed0.json"].local.precision == "bfloat16"


def test_the_runs_of_the_guarantee_come_in_pairs_that_differ_in_gamma():
    found = [run.settings for run in plan.guarantee()]
    assert len(found) == 4
    for settling, constant in (found[:2], found[2:]):
        assert constant.gamma == Schedule(0.5) and settling == replace(constant, gamma=Schedule(0.5, 0.95))


# Estimates

def test_estimates_grow_with_what_is_computed():
    def of(rounds=1000, **changes):  # so many that what is evaluated at the end does not count
        return estimation.seconds(replace(small().settings, rounds=rounds, **changes))

    assert of() > 2 * of(rounds=100) and of(agents=6) > 1.5 * of()
    assert of(mechanism="eci") > of(mechanism="cffl") > of(mechanism="fedavg")


def test_what_mechanisms_evaluate():
    """ECI: 2^N coalitions up to five agents, as many as its permutations meet beyond; CFFL: N models, one more with
    leave-one-out; q-FFL: all samples that agents hold."""
    def judged(mechanism, agents=5, **options):
        settings = replace(small().settings, mechanism=mechanism, mechanism_options=options, agents=agents)
        return estimation.judged(settings, validation=100, samples=1000)

    assert judged("eci") == 3200 and 3200 < judged("eci", 10) < 100 * 2**10
    assert judged("cffl") == 500 and judged("cffl", value="leave_one_out") == 600
    assert judged("qffl") == 1000 and judged("cgsv") == judged("standalone") == 0


# Execution

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
    execution.execute([run], tmp_path)
    assert not execution.missing([run], tmp_path)
    changed = Run(run.file, replace(run.settings, rounds=4))
    assert execution.missing([changed], tmp_path) == [changed]


def test_a_spent_budget_leaves_a_checkpoint_to_go_on_from(tmp_path):
    run = small(rounds=100_000)
    (outcome,) = execution.execute([run], tmp_path, budget=1.0)
    kept = tmp_path / "runs/a.json.checkpoint"
    assert outcome.state == "stopped" and "after round" in outcome.detail and kept.exists()
    done = int(outcome.detail.split()[2])
    assert done >= 1
    (outcome,) = execution.execute([run], tmp_path, budget=1.0)
    assert int(outcome.detail.split()[2]) > done
    shorter = small()  # the plan has changed: the checkpoint is of no use
    (outcome,) = execution.execute([shorter], tmp_path)
    assert outcome.state == "done" and not kept.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_kill_stops_after_the_round(number, tmp_path):
    code = ("from pathlib import Path\nfrom book.reproduction import execution\nimport test_plan_and_execution\n"
            "if __name__ == '__main__':\n"
            "    run = test_plan_and_execution.small(rounds=100_000)\n"
            f"    print(execution.execute([run], Path({str(tmp_path)!r}))[0].state)\n")
    script = tmp_path / "script.py"
    script.write_text(code)
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True,
                               env=os.environ | {"PYTHONPATH": path})
    kept, end = tmp_path / "runs/a.json.checkpoint", time.time() + 120
    while not kept.exists() and time.time() < end:
        time.sleep(0.2)
    process.send_signal(number)
    assert process.communicate(timeout=60)[0].strip() == "stopped"


# Verification

@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    run = small()
    execution.execute([run], folder)
    return run, folder


def test_a_true_record_is_verified_in_full(written):
    run, folder = written
    assert verification.verify(run, folder, run.settings.rounds) == []


def earlier_end(plain):
    for series in plain["history"]["series"].values():
        series["values"] = [value for t, value in zip(series["rounds"], series["values"], strict=True) if t < 3]
        series["rounds"] = [t for t in series["rounds"] if t < 3]
    plain["history"]["series"] = {name: s for name, s in plain["history"]["series"].items() if s["rounds"]}


def put(*path):
    """Sets plain[path[0]][path[1]]... to the last of them."""
    def change(plain):
        for key in path[:-2]:
            plain = plain[key]
        plain[path[-2]] = path[-1]
    return change


SERIES = "history", "series"


@pytest.mark.parametrize(("change", "message"), [
    (put(*SERIES, "r", "values", 1, 0, 0.5), "r differs in round 2"),
    (put(*SERIES, "test_accuracy", "values", 0, 0, 0.99), "test_accuracy differs in round 3"),
    (put(*SERIES, "psi", "rounds", [2, 3, 4]), "psi is not recorded in the rounds"),
    (earlier_end, "it ends in round 2 of 3"),
    (put("data", "sha256", "0" * 64), "it is of other data"),
    (put("settings", "seed", 7), "its settings are not those of the plan"),
])
def test_a_record_written_by_hand_fails(written, tmp_path, change, message):
    run, folder = written
    plain = json.loads(run.path(folder).read_text())
    change(plain)
    (tmp_path / "runs").mkdir()
    run.path(tmp_path).write_text(json.dumps(plain))
    assert any(message in found for found in verification.verify(run, tmp_path, run.settings.rounds))


def test_undefined_values_must_be_undefined_in_both():
    histories = []
    for value in (float("nan"), 1.0):
        history = History(("1",))
        history._series["rho"] = {1: torch.tensor([value])}
        histories.append(history)
    assert verification.differences(histories[0], histories[0], 1e-6) == []
    assert verification.differences(*histories, 1e-6) and verification.differences(*histories[::-1], 1e-6)


@pytest.mark.parametrize(("file", "rounds"), [
    ("runs/digits-5-cla-cgsv-beta1-seed0.json", None),  # all
    ("runs/mnist-10-pow-cgsv-beta1-seed0.json", 2),
    ("runs/sst-5-pow-cgsv-beta1-seed0.json", 2),
    ("choice/mnist-pow-cffl-4.json", 2),
])
def test_records_of_the_book_are_verified(file, rounds):
    run = next(run for run in (*plan.everything(), *choice.runs()) if run.file == file)
    assert verification.verify(run, RESULTS, rounds or run.settings.rounds, has(run.settings.dataset)) == []


# The choice of settings

def test_every_family_has_as_many_candidates():
    for dataset in choice.ROUNDS:
        assert {len(tried) for tried in choice.candidates(dataset).values()} == {4}
    assert {run.settings.seed for run in choice.runs()} == {choice.SEED}
    tables = {run.settings.seed for run in plan.everything()}
    assert choice.SEED not in tables


@pytest.mark.parametrize("dataset", CHOSEN)
def test_the_settings_are_those_that_did_best_on_the_validation_set(dataset):
    assert choice.best(dataset, RESULTS) == CHOSEN[dataset]
    for mechanism in ("dw", "rr", "eu", "eci"):
        assert recommended(dataset, mechanism=mechanism).local == recommended(dataset, mechanism="fedavg").local


def test_the_best_candidate_is_the_highest_after_the_last_round(tmp_path):
    """The mean over agents and partitions decides, not an earlier round, not one partition."""
    for run in choice.runs(("digits",)):
        history = History(("1", "2"))
        number, partition = int(run.file[-6]), run.settings.partition
        late = {1: 0.5, 2: 0.6, 3: 0.7 if partition == "pow" else 0.55, 4: 0.2}[number]
        early = 0.9 if number == 4 else 0.1
        curve = {10: torch.tensor([early, early]), 30: torch.tensor([late, late - 0.1])}
        history._series["validation_accuracy"] = curve
        records.save(records.Record(run.settings, history, {}), run.path(tmp_path))
    scores = choice.scores("digits", tmp_path)
    assert scores["cgsv"][2] == {10: pytest.approx(10), 30: pytest.approx(57.5)}
    assert choice.best("digits", tmp_path) == {name: tried[2] for name, tried in choice.candidates("digits").items()}
