"""Counts of what the data sets hold, and the command that writes them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from book.reproduction import counts
from book.reproduction.command import reproduce
from fairfl import datasets
from fairfl.datasets import load

RECORD = Path(__file__).resolve().parents[2] / "data" / "results" / "data.json"


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    def refuse(**options):
        raise OSError("no network here")

    monkeypatch.setattr("pooch.HTTPDownloader", lambda **options: refuse)


def call(*arguments):
    return CliRunner().invoke(reproduce, ["counts", *map(str, arguments)])


def test_counts_by_hand():
    found = counts.of("digits")
    assert found == {
        "sha256": load("digits").sha256,
        "original": True,
        "shape": [1, 8, 8],
        "validation": None,
        "training": [119, 122, 118, 122, 121, 122, 121, 119, 116, 120],
        "test": [59, 60, 59, 61, 60, 60, 60, 60, 58, 60],
    }


def test_summary_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "counts.json"
    result = call("digits", "--output", path)
    assert result.exit_code == 0 and f"wrote {path}" in result.output
    assert json.loads(path.read_text())["digits"] == counts.of("digits")
    # One is missing
    result = call("digits", "mr", "--output", path, "--data-root", tmp_path)
    assert result.exit_code == 1 and list(json.loads(path.read_text())) == [
        "versions",
        "digits",
    ]
    result = call("digits", "--output", path / "below")
    assert result.exit_code == 1
    assert "could not be written" in result.output.splitlines()[-1]


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_the_recorded_counts_are_those_of_the_data(name):
    record = json.loads(RECORD.read_text())[name]
    if (status := datasets.status(name)).state == "missing":
        pytest.skip(
            f"no {name} in {datasets.data_root()}: set FAIRFL_DATA to a folder that "
            "holds it"
        )
    if name == "cifar10" and status.found.original and not record["original"]:
        record |= {
            "sha256": status.found.sha256,
            "original": True,
            "training": [5000] * 10,
        }
    assert counts.of(name) == record


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_what_is_said_of_a_data_set_is_what_it_holds(name):
    record, samples = (
        json.loads(RECORD.read_text())[name],
        datasets.DATASETS[name].ABOUT.samples,
    )
    if record["original"]:
        assert (
            tuple(
                sum(record[part] or [0]) for part in ("training", "validation", "test")
            )
            == samples
        )
