"""A record can be repeated: its first rounds are run again and compared.

This is the one place where that is tested, for the records of the book, too.
"""

import json
from pathlib import Path

import pytest
import torch

from book.reproduction import choice, plan, verification
from book.reproduction.base import Run
from fairfl import datasets
from fairfl.history import History
from fairfl.runs import records, running
from fairfl.runs.recommendations import recommended

pytestmark = pytest.mark.slow

RESULTS = Path(__file__).resolve().parents[2] / "data" / "results"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    settings = recommended("digits", "pow", agents=3, rounds=3, size=40, recorded="end",
                           accuracy_every=None)
    run = Run("a.json", settings)
    records.save(running.run(settings), run.path(folder))
    return run, folder


def test_a_true_record_is_verified_in_full(written):
    run, folder = written
    assert verification.verify(run, folder, run.settings.rounds) == []


def earlier_end(plain):
    for series in plain["history"]["series"].values():
        series["values"] = [value
                            for t, value in zip(series["rounds"], series["values"],
                                                strict=True) if t < 3]
        series["rounds"] = [t for t in series["rounds"] if t < 3]
    plain["history"]["series"] = {name: s
                                  for name, s in plain["history"]["series"].items()
                                  if s["rounds"]}


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
    (put(*SERIES, "test_accuracy", "values", 0, 0, 0.99),
     "test_accuracy differs in round 3"),
    (put(*SERIES, "psi", "rounds", [2, 3, 4]), "psi is not recorded in the rounds"),
    (earlier_end, "it ends in round 2 of 3"),
    (put("data", "sha256", "0" * 64), "it is of other data"),
    (put("settings", "seed", 7), "its settings are not those of the plan"),
])
def test_a_record_written_by_hand_fails(written, tmp_path, change, message):
    run, folder = written
    plain = json.loads(run.path(folder).read_text())
    change(plain)
    run.path(tmp_path).write_text(json.dumps(plain))
    assert any(message in found
               for found in verification.verify(run, tmp_path, run.settings.rounds))


def test_undefined_values_must_be_undefined_in_both():
    histories = []
    for value in (float("nan"), 1.0):
        history = History(("1",))
        history._series["rho"] = {1: torch.tensor([value])}
        histories.append(history)
    assert verification.differences(histories[0], histories[0], 1e-6) == []
    assert verification.differences(*histories,
                                    1e-6) and verification.differences(*histories[::-1],
                                                                       1e-6)


@pytest.mark.parametrize(("file", "rounds"), [
    ("runs/digits-5-cla-cgsv-beta1-seed0.json", None),  # all
    ("runs/digits-30-pow-cgsv-exact-one-round-seed0.json", None),
    ("participation/digits-5-cla-cgsv-beta1-present0.5-seed0.json", None),
    ("participation/digits-5-pow-cgsv-beta1-late0.25-seed1.json", 10),
    ("choice/digits-pow-cffl-4.json", 10),  # accuracies on the validation set
    pytest.param("runs/mnist-10-pow-cgsv-beta1-seed0.json", 2, marks=pytest.mark.slow),
    pytest.param("runs/sst-5-pow-cgsv-beta1-seed0.json", 1, marks=pytest.mark.slow),
    pytest.param("fig2-mnist-seed1.json", 1, marks=pytest.mark.slow),
])
def test_records_of_the_book_are_verified(file, rounds):
    run = next(run for run in (*plan.everything(), *choice.runs()) if run.file == file)
    try:
        data = datasets.load(run.settings.dataset, download=False)
    except datasets.DataError as error:
        pytest.skip(f"needs {run.settings.dataset}: {error}")
    assert verification.verify(run, RESULTS, rounds or run.settings.rounds, data) == []


def test_the_record_of_another_seed_is_not_taken_for_this_one():
    one, other = (records.load(RESULTS / f"fig2-mnist-seed{seed}.json").history.until(1)
                  for seed in (0, 1))
    assert "psi differs in round 1" in "; ".join(verification.differences(one, other,
                                                                          1e-3))
