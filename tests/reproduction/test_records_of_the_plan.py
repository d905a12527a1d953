"""Every record is of a planned run, and has its settings."""

from pathlib import Path

import pytest

from book.reproduction import choice, execution, plan, tuning
from fairfl.runs import records

RESULTS = Path(__file__).resolve().parents[2] / "data" / "results"
PLANNED = {run.file: run
           for run in (*plan.everything(), *choice.runs(), *tuning.runs())}


@pytest.mark.parametrize("folder", ["runs", "grid", "choice", "tuning", "losses"])
def test_the_settings_of_every_record_are_those_of_the_plan(folder):
    for file in sorted((RESULTS / folder).glob("*.json")):
        name = f"{folder}/{file.name}"
        assert name in PLANNED, f"{name} is of no planned run"
        assert records.load(file).settings == PLANNED[name].settings, name


@pytest.mark.parametrize("file",
                         [name for name in PLANNED if "/" not in name
                          and (RESULTS / name).exists()])
def test_the_settings_of_the_older_records_are_those_of_the_plan(file):
    assert execution.is_done(PLANNED[file], RESULTS)


def test_no_two_planned_runs_share_a_file():
    runs = [*plan.everything(), *choice.runs(), *tuning.runs()]
    assert len({run.file for run in runs}) == len(PLANNED)
    for run in runs:
        assert PLANNED[run.file].settings == run.settings
