"""The command line of the paper's runs."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from book.reproduction import command, experiments, targets
from book.reproduction.__main__ import reproduce
from book.reproduction.base import Run
from fairfl import datasets
from fairfl.runs import records


@pytest.fixture
def short(monkeypatch):
    """Fig. 2 on digits, two rounds and seeds."""
    runs = [
        Run(
            f"fig2-digits-seed{seed}.json",
            replace(experiments.label_noise("digits", seed), rounds=2, size=40),
        )
        for seed in (0, 1)
    ]
    monkeypatch.setitem(
        targets.TARGETS, "fig2", targets.Target("Fig. 2.", lambda: runs)
    )


def call(*arguments):
    return CliRunner().invoke(reproduce, arguments)


def test_help_says_all_of_every_target():
    text = " ".join(call("--help").output.partition("Commands:")[2].split())
    for name, target in targets.TARGETS.items():
        assert f"{name} {target.text}" in text
    assert "..." not in text
    for word in ("bench", "counts", "status", "verify"):
        assert f" {word} " in text


def test_help_of_a_target_names_its_options():
    result = call("fig2", "--help")
    assert targets.TARGETS["fig2"].text in result.output
    for word in (
        "dataset",
        "seed",
        "data-root",
        "results",
        "device",
        "budget",
        "workers",
        "plan",
    ):
        assert f"--{word}" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fig99"],
        ["fig2", "--colour"],
        ["fig2", "--dataset", "cifar"],
        ["fig2", "--budget", "soon"],
        ["verify", "fig99"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments):
    assert call(*arguments).exit_code == 2


@pytest.mark.slow
def test_records_are_made_once(short, tmp_path):
    arguments = ["fig2", "--results", str(tmp_path), "--workers", "1"]
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    files = sorted(tmp_path.iterdir())
    names = [file.name for file in files]
    assert names == ["fig2-digits-seed0.json", "fig2-digits-seed1.json"]
    assert records.load(files[1]).settings.seed == 1
    times = [file.stat().st_mtime_ns for file in files]
    files[0].unlink()
    result = call(*arguments)  # computes what is missing
    assert "1 of 2 records exist" in result.output
    assert "seed0.json: done" in result.output
    assert "seed1" not in result.output and files[1].stat().st_mtime_ns == times[1]
    assert "2 of 2 records exist" in call(*arguments).output
    result = call("verify", "fig2", "--results", str(tmp_path))
    assert result.exit_code == 0 and result.output.count("verified") == 2
    files[1].write_text(files[0].read_text())
    result = call("verify", "fig2", "--results", str(tmp_path))
    assert result.exit_code == 1
    assert "seed1.json: WRONG\n  its settings" in result.output
    status = "status", "--results", str(tmp_path)
    assert "1 of    2 records" in call(*status).output
    files[1].write_text("{")
    for result in (call(*arguments), call(*status)):
        assert result.exit_code == 1
        assert "seed1.json is damaged" in result.output and "delete it" in result.output


def test_a_plan_computes_nothing(short, tmp_path):
    result = call("fig2", "--results", str(tmp_path), "--plan")
    assert result.exit_code == 0 and "0 of 2 records exist" in result.output
    assert "digits: 2 runs, time unknown" in result.output
    assert not list(tmp_path.iterdir())


def test_a_plan_adds_up_the_times_that_are_known():
    times = [1800.0, None, 1860.0]
    assert (
        command._effort(times, 1)
        == "3 runs, about 1 h 1 min for 2 of them, the others unknown"
    )
    assert command._effort(times[::2], 2) == "2 runs, about 30 min"
    assert command._effort([None], 2) == "1 runs, time unknown"


@pytest.mark.slow
def test_a_spent_budget_is_exit_code_3(short, tmp_path):
    result = call("fig2", "--results", str(tmp_path), "--workers", "1", "--budget", "0")
    assert result.exit_code == 3 and "2 of 2 runs are left" in result.output


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("45m", 2700), ("2h", 7200), ("1h30m", 5400)],
)
def test_budgets(text, seconds):
    assert command._seconds(None, None, text) == seconds


def test_missing_data_is_one_clear_line_and_exit_code_1(short, monkeypatch, tmp_path):
    def missing(*args, **options):
        raise datasets.DataError("train-images-idx3-ubyte is missing; put it there")

    monkeypatch.setattr(datasets, "load", missing)
    result = call("fig2", "--results", str(tmp_path))
    assert result.exit_code == 1
    last = result.output.splitlines()[-1]
    assert last.startswith("Error: train-images-idx3-ubyte is missing")
    assert not list(tmp_path.iterdir())
