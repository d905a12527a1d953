"""The command line."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

import fairfl
from fairfl import datasets, experiments, records
from fairfl.__main__ import main


@pytest.fixture
def short(monkeypatch):
    real = experiments.label_noise
    shorter = lambda *args: {"fig2": replace(real(*args), rounds=2, size=40)}  # noqa: E731
    monkeypatch.setitem(experiments.EXPERIMENTS, "fig2", shorter)


def call(*arguments):
    return CliRunner().invoke(main, arguments)


def test_help_and_version():
    result = call("--help")
    assert result.exit_code == 0 and "reproduce" in result.output
    result = call("reproduce", "--help")
    for word in ("fig2", "--dataset", "--seed", "--data-root", "--results", "--device", "--again", "$FAIRFL_DATA"):
        assert word in result.output
    assert fairfl.__version__ in call("--version").output


@pytest.mark.parametrize("arguments", [["train"], ["reproduce", "fig99"], ["reproduce", "fig2", "--colour"],
                                       ["reproduce", "fig2", "--dataset", "cifar"], ["reproduce"]])
def test_wrong_usage_is_exit_code_2(arguments):
    assert call(*arguments).exit_code == 2


def test_records_are_made_once(short, tmp_path):
    arguments = ["reproduce", "fig2", "--dataset", "digits", "--seed", "0", "--seed", "1", "--results", str(tmp_path)]
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    assert "0 of 2 records exist" in result.output
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["fig2-digits-seed0.json", "fig2-digits-seed1.json"]
    assert records.load(files[1]).settings.seed == 1
    times = [file.stat().st_mtime_ns for file in files]
    files[0].unlink()
    result = call(*arguments)  # computes what is missing
    assert "1 of 2 records exist" in result.output and "seed 0" in result.output and "seed 1" not in result.output
    assert files[1].stat().st_mtime_ns == times[1]
    assert "2 of 2 records exist" in call(*arguments).output
    call(*arguments, "--again")
    assert files[1].stat().st_mtime_ns > times[1]


def test_missing_data_is_one_clear_line_and_exit_code_1(short, monkeypatch, tmp_path):
    def missing(*args, **options):
        raise datasets.DataError("train-images-idx3-ubyte is missing; put it there")

    monkeypatch.setattr(datasets, "load", missing)
    result = call("reproduce", "fig2", "--results", str(tmp_path))
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith("Error: train-images-idx3-ubyte is missing")
    assert not list(tmp_path.iterdir())
