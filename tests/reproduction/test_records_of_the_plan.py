"""Every record is of a planned run, and has its settings."""

from pathlib import Path

import pytest

from book.reproduction import execution, targets
from fairfl.runs import records

RESULTS = Path(__file__).resolve().parents[2] / "data" / "results"
EVERY = [run for target in targets.TARGETS.values() for run in target.runs()]
PLANNED = {run.file: run for run in EVERY}
FOLDERS = ("runs", "grid", "choice", "tuning", "losses", "tables", "authors",
           "participation")


@pytest.mark.parametrize("folder", FOLDERS)
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
    for run in EVERY:
        assert PLANNED[run.file].settings == run.settings, run.file
