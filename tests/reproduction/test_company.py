"""One to four of five agents with wrong labels, and the record of it."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from book.reproduction import company
from book.reproduction.command import reproduce
from fairfl import datasets

RECORD = Path(__file__).resolve().parents[2] / "data" / "results" / "company.json"


@pytest.fixture(scope="module")
def record():
    return json.loads(RECORD.read_text())


def test_the_record_holds_every_run_with_numbers_in_their_ranges(record):
    assert set(record["runs"]) == {f"{bad}/{seed}" for bad in company.BAD
                                   for seed in company.SEEDS}
    for name, run in record["runs"].items():
        assert {len(values) for values in run.values()} == {company.AGENTS}, name
        assert abs(sum(run["r"]) - 1) < 0.005 and min(run["r"]) >= 0.001, name
        assert max(map(abs, run["psi"])) <= 1 and max(run["accuracy"]) <= 100, name


def test_a_run_is_run_again(monkeypatch):
    monkeypatch.setattr(company, "ROUNDS", 2)
    found = company.measure(datasets.load("digits"), 1, 0)
    assert found == company.measure(datasets.load("digits"), 1, 0)
    assert found["r"][0] == min(found["r"])  # the first has the wrong labels


@pytest.mark.slow
def test_the_record_is_run_again(record):
    found = company.measure(datasets.load("digits"), 3, 0)
    for name, tolerance in (("r", 0.02), ("psi", 0.02), ("accuracy", 3)):
        torch.testing.assert_close(
            torch.tensor(found[name]), torch.tensor(record["runs"]["3/0"][name]),
            rtol=0, atol=tolerance)


def test_the_command_writes_a_file_that_is_read_back(monkeypatch, tmp_path):
    short = {"agents": 5, "runs": {"1/0": {"r": [1.0]}, "2/0": {}}}
    monkeypatch.setattr(company, "record", lambda: short)
    found = CliRunner().invoke(
        reproduce, ["company", "--output", str(tmp_path / "kept.json")])
    assert found.exit_code == 0 and "wrote" in found.output
    assert json.loads((tmp_path / "kept.json").read_text()) == short
    found = CliRunner().invoke(  # below a file
        reproduce, ["company", "--output", str(tmp_path / "kept.json" / "no.json")])
    assert found.exit_code == 1 and "kept.json" in found.output
