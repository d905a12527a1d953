"""What masks keep of real sums, and the record of it."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from book.reproduction import experiments, masks
from book.reproduction.command import reproduce
from fairfl import rewards, runs

RECORD = Path(__file__).resolve().parents[2] / "data" / "results" / "masks.json"


@pytest.fixture(scope="module")
def record():
    return json.loads(RECORD.read_text())


def test_the_curve_is_the_cosine_of_the_mask():
    u = torch.tensor([3.0, -4.0, 0.0, 12.0])  # of length 13
    found = dict(zip(masks.shares().tolist(), masks.curve(u).tolist(), strict=True))
    assert found[0] == 0 and found[1] == 1
    assert found[0.25] == pytest.approx(12 / 13)
    share = masks.shares()[150]  # .5625: two of four entries
    v = rewards.mask(u, int(share * 4))
    assert masks.curve(u)[150] == pytest.approx(float(v @ u / v.norm() / u.norm()))


def test_the_record_holds_curves_that_rise_from_0_to_1(record):
    assert set(record["curves"]) == {f"{name}/{t}" for name in masks.DATASETS
                                     for t in masks.ROUNDS}
    for name, values in record["curves"].items():
        curve = torch.tensor(values, dtype=torch.float64)
        assert curve[0] == 0 and curve[-1] == 1 and (curve.diff() >= 0).all(), name
        assert (curve >= masks.shares().sqrt() - 0.01).all(), name


def test_the_record_is_run_again(record):
    fed = runs.federation(experiments.label_noise("digits", masks.SEED))
    assert record["dimension"]["digits"] == fed.layout.dimension
    for snapshot in fed.rounds(10):
        if snapshot.t in masks.ROUNDS:
            kept = torch.tensor(record["curves"][f"digits/{snapshot.t}"])
            found = masks.curve(snapshot.step.aggregate)
            torch.testing.assert_close(found, kept.double(), rtol=0, atol=2e-3)


def test_the_command_writes_a_file_that_is_read_back(monkeypatch, tmp_path):
    short = {"seed": 0, "curves": {"digits/1": [0.0, 1.0], "mnist/1": []}}
    monkeypatch.setattr(masks, "record", lambda: short)
    found = CliRunner().invoke(
        reproduce, ["masks", "--output", str(tmp_path / "kept.json")])
    assert found.exit_code == 0 and "wrote" in found.output
    assert json.loads((tmp_path / "kept.json").read_text()) == short
    found = CliRunner().invoke(  # below a file
        reproduce, ["masks", "--output", str(tmp_path / "kept.json" / "no.json")])
    assert found.exit_code == 1 and "kept.json" in found.output
