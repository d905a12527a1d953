"""The command line."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

import fairfl
from book.reproduction import command, estimation, experiments, plan
from book.reproduction.__main__ import reproduce as group
from book.reproduction.base import Run
from fairfl import datasets
from fairfl.__main__ import main
from fairfl.runs import records


@pytest.fixture
def short(monkeypatch):
    """Fig. 2 on digits, two rounds and seeds."""
    runs = [Run(f"fig2-digits-seed{seed}.json", replace(experiments.label_noise("digits", seed), rounds=2, size=40))
            for seed in (0, 1)]
    monkeypatch.setitem(plan.TARGETS, "fig2", lambda: runs)


def call(*arguments):
    if arguments[:1] == ("reproduce",):
        return CliRunner().invoke(group, arguments[1:])
    return CliRunner().invoke(main, arguments)


def test_help_and_version():
    result = call("--help")
    assert result.exit_code == 0 and "run" in result.output
    result = call("reproduce", "--help")
    assert all(name in result.output for name in (*command.TARGETS, "status", "verify"))
    assert command.TARGETS.keys() == plan.TARGETS.keys()
    result = call("reproduce", "fig2", "--help")
    for word in ("--dataset", "--seed", "--data-root", "--results", "--device", "--budget", "--workers", "--plan"):
        assert word in result.output
    assert fairfl.__version__ in call("--version").output


@pytest.mark.parametrize("arguments", [["train"], ["reproduce", "fig99"], ["reproduce", "fig2", "--colour"],
                                       ["reproduce", "fig2", "--dataset", "cifar"], ["reproduce"],
                                       ["reproduce", "fig2", "--budget", "soon"], ["reproduce", "verify", "fig99"]])
def test_wrong_usage_is_exit_code_2(arguments):
    assert call(*arguments).exit_code == 2


def test_records_are_made_once(short, tmp_path):
    arguments = ["reproduce", "fig2", "--results", str(tmp_path), "--workers", "1"]
    result = call(*arguments, "--plan")
    assert result.exit_code == 0 and "0 of 2 records exist" in result.output and "digits: 2 runs" in result.output
    assert not list(tmp_path.iterdir())
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["fig2-digits-seed0.json", "fig2-digits-seed1.json"]
    assert records.load(files[1]).settings.seed == 1
    times = [file.stat().st_mtime_ns for file in files]
    files[0].unlink()
    result = call(*arguments)  # computes what is missing
    assert "1 of 2 records exist" in result.output and "seed0.json: done" in result.output
    assert "seed1" not in result.output and files[1].stat().st_mtime_ns == times[1]
    assert "2 of 2 records exist" in call(*arguments).output
    result = call("reproduce", "verify", "fig2", "--results", str(tmp_path))
    assert result.exit_code == 0 and result.output.count("verified") == 2
    files[1].write_text(files[0].read_text())
    result = call("reproduce", "verify", "fig2", "--results", str(tmp_path))
    assert result.exit_code == 1 and "seed1.json: WRONG\n  its settings" in result.output
    assert "1 of    2 records" in call("reproduce", "status", "--results", str(tmp_path)).output
    files[1].write_text("{")
    for result in (call(*arguments), call("reproduce", "status", "--results", str(tmp_path))):
        assert result.exit_code == 1 and "seed1.json is damaged" in result.output and "delete it" in result.output


def test_a_spent_budget_is_exit_code_3(short, tmp_path):
    result = call("reproduce", "fig2", "--results", str(tmp_path), "--workers", "1", "--budget", "0")
    assert result.exit_code == 3 and "2 of 2 runs are left" in result.output


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("45m", 2700), ("2h", 7200), ("1h30m", 5400)])
def test_budgets(text, seconds):
    assert command._seconds(None, None, text) == seconds


def test_missing_data_is_one_clear_line_and_exit_code_1(short, monkeypatch, tmp_path):
    def missing(*args, **options):
        raise datasets.DataError("train-images-idx3-ubyte is missing; put it there")

    monkeypatch.setattr(datasets, "load", missing)
    estimation._data.cache_clear()
    estimation._measure.cache_clear()
    result = call("reproduce", "fig2", "--results", str(tmp_path))
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith("Error: train-images-idx3-ubyte is missing")
    assert not list(tmp_path.iterdir())
