"""The three hospitals of the first chapter, and their record."""

import json
import math
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from book.reproduction import hospitals
from book.reproduction.command import reproduce
from fairfl import datasets

RECORD = Path(__file__).resolve().parents[2] / "data" / "results" / "hospitals.json"


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


@pytest.fixture(scope="module")
def record():
    return json.loads(RECORD.read_text())


def test_few_images_are_some_of_the_many_and_nobody_shares_one(digits):
    many, few = (hospitals.hospitals(digits, (kind,) * 3, 1)
                 for kind in ("many", "few"))
    for more, less in zip(many, few, strict=True):
        assert torch.equal(more.x[:40], less.x) and torch.equal(more.y[:40], less.y)
    images = torch.cat([agent.x.flatten(1) for agent in many])
    assert len(images.unique(dim=0)) == len(images) == 480


def test_half_of_the_labels_are_wrong_where_the_name_says_so(digits):
    kinds = ("many", "few, half wrong", "many, half wrong")
    wrong = [int((agent.y != agent.true_y).sum())
             for agent in hospitals.hospitals(digits, kinds, 2)]
    assert wrong == [0, 20, 80]


def test_the_record_holds_every_choice_with_numbers_in_their_ranges(record):
    assert set(record["runs"]) == {"/".join([*kinds, f"{beta:g}"])
                                   for kinds, beta in hospitals.choices()}
    for name, run in record["runs"].items():
        assert all(-1 <= value <= 1 for value in run["value"]), name
        assert abs(sum(run["r"]) - 1) < 0.002, name
        assert max(run["share"]) <= 1 and len(run["accuracy"]) == len(hospitals.SHOWN)
        if name.endswith("inf"):
            assert run["share"] == [1, 1, 1]


@pytest.mark.parametrize(("kinds", "beta"), [
    (("many", "few", "many, half wrong"), 1.0),
    (("few", "few", "few, half wrong"), math.inf),
])
def test_the_record_is_run_again(digits, record, kinds, beta):
    each = [hospitals.measure(digits, kinds, beta, seed) for seed in hospitals.SEEDS]
    kept = record["runs"]["/".join([*kinds, f"{beta:g}"])]
    for name, tolerance in (("value", 0.01), ("share", 0.02), ("accuracy", 1.0)):
        mean = torch.stack([one[name] for one in each]).double().mean(0)
        torch.testing.assert_close(mean, torch.tensor(kept[name]).double(),
                                   rtol=0, atol=tolerance)


def test_the_command_writes_a_file_that_is_read_back(monkeypatch, tmp_path):
    short = {"names": [1], "runs": {"a/b/c/1": {"value": [1.0]}, "d": {}}}
    monkeypatch.setattr(hospitals, "record", lambda progress: short)
    found = CliRunner().invoke(
        reproduce, ["hospitals", "--output", str(tmp_path / "kept.json")])
    assert found.exit_code == 0 and "wrote" in found.output
    assert json.loads((tmp_path / "kept.json").read_text()) == short
    found = CliRunner().invoke(  # below a file
        reproduce, ["hospitals", "--output", str(tmp_path / "kept.json" / "no.json")])
    assert found.exit_code == 1 and "kept.json" in found.output
