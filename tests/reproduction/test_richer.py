"""How far apart agents come in a hundred rounds, and the record of it."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from book.reproduction import richer
from book.reproduction.command import reproduce
from fairfl import datasets

RECORD = Path(__file__).resolve().parents[2] / "data" / "results" / "richer.json"


def test_all_who_share_train_alike_and_are_paid_by_what_is_known_of_them():
    found = {line: richer.settings("cla", line, 3) for line in richer.LINES}
    rates = {line: one.local.lr.first for line, one in found.items()}
    assert {line for line, rate in rates.items() if rate != 0.1} == {"alone"}
    assert {one.rounds for one in found.values()} == {100}
    assert found["iafl 0.3"].mechanism_options == {
        "recovery": 0.3, "contributions": "classes", "seed": 3}
    assert found["lin 2"].mechanism_options["seed"] == 3
    assert richer.settings("pow", "iafl 0", 0).mechanism_options["contributions"] == (
        "sizes")
    assert found["rffl"].mechanism_options["keep_own"] is False
    assert found["lin 5"].mechanism_options["beta"] == 5


def test_the_record_holds_every_run():
    record = json.loads(RECORD.read_text())
    assert set(record["runs"]) == {"/".join(map(str, one)) for one in richer.choices()}
    for name, run in record["runs"].items():
        accuracy = torch.tensor(run)
        assert accuracy.shape == (len(richer.SHOWN), richer.AGENTS), name
        assert 0 <= accuracy.min() <= accuracy.max() <= 100, name
        if "fedavg" in name:  # all have one model
            assert (accuracy.amax(1) == accuracy.amin(1)).all()


@pytest.mark.parametrize(("partition", "line", "seed"), [
    ("pow", "cgsv", 1), ("cla", "iafl 0.3", 4), ("pow", "lin 5", 2),
    ("cla", "rffl", 0)])
def test_the_first_rounds_are_run_again(partition, line, seed):
    kept = json.loads(RECORD.read_text())["runs"][f"{partition}/{line}/{seed}"]
    found = richer.measure(datasets.load("digits"), partition, line, seed, (1, 5, 10))
    torch.testing.assert_close(found.double(), torch.tensor(kept[:3]).double(), rtol=0,
                               atol=0.4)


def test_the_command_writes_a_file_that_is_read_back(monkeypatch, tmp_path):
    short = {"agents": 10, "runs": {"pow/alone/0": [[1.0]], "cla/alone/0": []}}
    monkeypatch.setattr(richer, "record", lambda progress: short)
    found = CliRunner().invoke(
        reproduce, ["richer", "--output", str(tmp_path / "kept.json")])
    assert found.exit_code == 0 and "wrote" in found.output
    assert json.loads((tmp_path / "kept.json").read_text()) == short
