"""``python -m fairfl run``: the record, and what happens when something is wrong."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import fairfl
from fairfl import datasets
from fairfl.__main__ import main
from fairfl.runs import records, running
from fairfl.runs.recommendations import recommended
from fairfl.runs.settings import Settings

SMALL = ["run", "--dataset", "digits", "--agents", "3", "--size", "30", "--rounds", "3", "--checkpoint-every", "1"]
PACKAGE = Path(fairfl.__file__).parent.parent


def call(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def child(code, *arguments):
    """The command in a process of its own, after some code."""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    start = f"import sys\n{code}\nfrom fairfl.__main__ import main\nmain(sys.argv[1:])"
    return subprocess.Popen([sys.executable, "-c", start, *map(str, arguments)], env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_help_names_every_option():
    text = call("run", "--help").output
    for option in ("dataset", "partition", "agents", "mechanism", "beta", "option", "rounds", "seed", "size", "lr",
                   "gamma", "label-noise", "precision", "device", "train", "output", "resume", "again", "data-root"):
        assert f"--{option}" in text
    assert "[default: mnist]" in text and "python -m fairfl" not in text.splitlines()[-1]


def test_the_command_and_three_lines_of_python_give_the_same_record(tmp_path):
    result = call(*SMALL, "--partition", "pow", "--mechanism", "cgsv", "--beta", "1", "--seed", "2",
                  "--results", tmp_path)
    assert result.exit_code == 0, result.output
    file = tmp_path / "digits-pow-3-cgsv-beta1-seed2.json"
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert str(file) in result.output and "test accuracy as downloaded: average" in result.output
    settings = recommended("digits", "pow", agents=3, size=30, rounds=3, mechanism_options={"beta": 1.0}, seed=2)
    records.save(running.run(settings), tmp_path / "python.json")
    record, found = records.load(tmp_path / "python.json"), records.load(file)
    assert found.settings == settings
    assert found.about["data"] == {"sha256": datasets.load("digits").sha256, "original": True}
    for field in ("versions", "device", "precision", "seconds", "training"):
        assert found.about[field]
    for name in record.history.names:
        if not name.startswith("seconds"):
            assert found.history[name].tolist() == record.history[name].tolist(), name
    assert {"seconds_training", "seconds_mechanism", "seconds_evaluation"} <= set(found.history.names)
    assert found.history.rounds("trained_test_accuracy").tolist() == [1, 3]


@pytest.mark.parametrize("mechanism", ["fedavg", "qffl", "cffl", "eci", "dw", "rr", "eu", "standalone"])
def test_every_mechanism_runs(mechanism, tmp_path):
    result = call(*SMALL, "--mechanism", mechanism, "--results", tmp_path)
    assert result.exit_code == 0, result.output
    (file,) = tmp_path.glob(f"digits-pow-3-{mechanism}-*seed0.json")  # recommended hyperparameters in between
    history = records.load(file).history
    assert history["test_accuracy"].shape == history["trained_test_accuracy"].shape == (2, 3)


def test_every_option_reaches_the_settings(tmp_path):
    output = tmp_path / "record.json"
    result = call("run", "--dataset", "digits", "--agents", 4, "--size", 20, "--rounds", 1, "--seed", 7,
                  "--partition", "cla", "--partition-option", "held=spread", "--mechanism", "cgsv", "--beta", "inf",
                  "--option", "valuation=exact", "--option", "alpha=0.5", "--label-noise", "0.5,0,0,0",
                  "--validation", 50, "--epochs", 2, "--batch-size", 0, "--optimizer", "adam", "--lr", 0.01,
                  "--lr-decay", 0.9, "--gamma", 2, "--gamma-decay", 0.8, "--losses-every", 3, "--accuracy-every", 4,
                  "--train", "plain", "--output", output)
    assert result.exit_code == 0, result.output
    s = records.load(output).settings
    assert (s.agents, s.size, s.rounds, s.seed, s.partition, s.validation) == (4, 20, 1, 7, "cla", 50)
    assert s.partition_options == {"replace": True, "held": "spread"} and s.label_noise == (0.5, 0, 0, 0)
    assert s.mechanism_options == {"beta": float("inf"), "valuation": "exact", "alpha": 0.5}
    assert (s.local.epochs, s.local.batch_size, s.local.optimizer) == (2, None, "adam")
    assert (s.local.lr.first, s.local.lr.decay, s.gamma.first, s.gamma.decay) == (0.01, 0.9, 2, 0.8)
    assert (s.evaluate_every, s.accuracy_every) == (3, 4)
    assert isinstance(s, Settings) and records.load(output).about["training"] == "plain"


@pytest.mark.parametrize("wrong, word", [
    (["--colour"], "--colour"), (["--agents", "0"], "--agents"), (["--mechanism", "magic"], "known are cgsv"),
    (["--dataset", "imagenet"], "known are digits"), (["--partition", "fair"], "known are"),
    (["--beta", "-1"], "beta must be a positive"), (["--mechanism", "dw", "--beta", "1"], "beta"),
    (["--option", "alpha"], "NAME=VALUE"), (["--option", "alfa=1"], "alfa"), (["--lr", "-1"], "positive"),
    (["--partition-option", "colour=1"], "colour"), (["--label-noise", "a,b,c"], "could not convert"),
    (["--device", "abacus"], "--device abacus"), (["--resume", "--again"], "choose one"),
])
def test_wrong_usage_is_exit_code_2_and_leaves_nothing(wrong, word, tmp_path):
    result = call(*SMALL, "--results", tmp_path, *wrong)
    assert result.exit_code == 2 and word in result.output, result.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong, word", [
    (["--size", "5000"], "the largest shard that fits"), (["--label-noise", "0.5"], "1 fractions do not fit 3 agents"),
    (["--model", "mnist_cnn"], "samples are torch.float64, the network is torch.float32"),
    (["--label-noise", "2,0,0"], "agent '1'"),
])
def test_settings_that_do_not_fit_the_data_are_exit_code_1(wrong, word, tmp_path):
    result = call(*SMALL, "--results", tmp_path, *wrong)
    assert result.exit_code == 1 and word in result.output, result.output
    assert not list(tmp_path.iterdir()) and "Traceback" not in result.output


def test_a_record_and_a_checkpoint_are_not_lost_by_mistake(tmp_path):
    output, checkpoint = tmp_path / "record.json", tmp_path / "record.json.checkpoint"
    assert call(*SMALL, "--output", output).exit_code == 0
    first = output.read_bytes()
    for more in ([], ["--resume"]):
        result = call(*SMALL, "--output", output, *more)
        assert result.exit_code == 1 and "exists already; --again" in result.output and output.read_bytes() == first
    assert call(*SMALL, "--output", output, "--seed", "1", "--again").exit_code == 0
    assert output.read_bytes() != first
    output.unlink()
    checkpoint.write_bytes(b"half a che")
    result = call(*SMALL, "--output", output)
    assert result.exit_code == 1 and "--resume goes on, --again starts anew" in result.output
    result = call(*SMALL, "--output", output, "--resume")
    assert result.exit_code == 1 and "is damaged or not a checkpoint" in result.output
    assert checkpoint.read_bytes() == b"half a che"
    assert call(*SMALL, "--output", output, "--again").exit_code == 0 and not checkpoint.exists()
    output.unlink()
    result = call(*SMALL, "--output", output, "--resume")
    assert result.exit_code == 0 and "starting with round 1" in result.output


@pytest.mark.skipif(os.name != "posix", reason="signals: POSIX only")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_by_a_signal(number, tmp_path):
    output, checkpoint = tmp_path / "record.json", tmp_path / "record.json.checkpoint"
    long = [*SMALL[:-3], "2000", "--checkpoint-every", "5", "--output", output]
    process = child("", *long)
    until = time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < until and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "--resume goes on from" in said and "Traceback" not in said
    assert not output.exists()
    from fairfl.runs.checkpoint import load

    assert load(checkpoint).history.last.t >= 5


def test_a_full_disk_at_the_checkpoint(tmp_path):
    output, part = tmp_path / "record.json", tmp_path / "record.json.checkpoint.part"
    part.symlink_to("/dev/full")
    result = call(*SMALL, "--output", output)
    assert result.exit_code == 1 and "No space left" in result.output and "record.json.checkpoint" in result.output
    assert not output.exists() and Path("/dev/full").is_char_device()


@pytest.mark.skipif(os.name != "posix", reason="limits of a process: POSIX only")
def test_a_file_that_grows_beyond_its_limit(tmp_path):
    output = tmp_path / "record.json"
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    process = child(limit, *SMALL, "--output", output)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1 and "could not be written: File too large" in said and "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="users of a system: POSIX only")
@pytest.mark.parametrize("mode", [0o755, 0o700])  # may be read, or not even that
def test_a_folder_of_somebody_else(mode):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, mode if os.geteuid() == 0 else mode & 0o555)
        _run_as_somebody_else(Path(folder))


def _run_as_somebody_else(closed):
    become = "import os\nfrom fairfl import mechanisms, runs\nif os.geteuid() == 0: os.setuid(65534)"
    process = child(become, *SMALL, "--output", closed / "record.json")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1 and "Permission denied" in said and "record.json" in said, said
    assert "Traceback" not in said and list(closed.iterdir()) == []


def test_something_other_than_a_file_is_left_alone(tmp_path):
    result = call(*SMALL, "--output", "/dev/null")
    assert result.exit_code == 1 and "/dev/null is not a regular file" in result.output
    assert Path("/dev/null").is_char_device()


def test_a_run_that_fails_on_the_way_says_what_is_kept(tmp_path):
    wild = ["--mechanism", "fedavg", "--option", "scaling=raw", "--lr-decay", "1e80", "--output", tmp_path / "a.json"]
    result = call(*SMALL, *wild)
    assert result.exit_code == 1 and "in round 2 holds NaN or infinite entries" in result.output
    assert f"{tmp_path / 'a.json.checkpoint'} holds the rounds before; --resume goes on" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["a.json.checkpoint"]


def test_data_that_are_missing_are_named(tmp_path, monkeypatch):
    def missing(*args, **options):
        raise datasets.DataError("rt-polarity.pos is missing; put it there")

    monkeypatch.setattr(datasets, "load", missing)
    result = call("run", "--dataset", "mr", "--results", tmp_path)
    assert result.exit_code == 1 and "Error: rt-polarity.pos is missing" in result.output
