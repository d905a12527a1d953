"""``fairfl run``: the record, and what happens when something is wrong."""

import dataclasses
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import fairfl
from fairfl import attacks, datasets, mechanisms, models
from fairfl.__main__ import main
from fairfl.partition import PARTITIONS
from fairfl.runs import checkpoint as checkpoints
from fairfl.runs import records, running
from fairfl.runs.recommendations import recommended
from fairfl.runs.settings import Settings
from fairfl.schedules import Schedule

pytestmark = pytest.mark.slow

SMALL = ["run", "--dataset", "digits", "--agents", "3", "--size", "30",
         "--rounds", "3", "--checkpoint-every", "1"]
PACKAGE = Path(fairfl.__file__).parent.parent


def call(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def child(code, *arguments, folder=None):
    """The command in a process of its own, after some code."""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    # a command started in the background of a shell would not hear Ctrl-C
    hear = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)"
    run = "from fairfl.__main__ import main\nmain(sys.argv[1:])"
    start = "\n".join(["import sys", hear, code, run])
    command = [sys.executable, "-c", start, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, text=True, cwd=folder,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_help_names_every_option_and_all_that_can_be_chosen():
    text = " ".join(call("run", "--help").output.split())
    for option in ("dataset", "partition", "agents", "mechanism", "beta", "set",
                   "rounds", "seed", "size", "lr", "gamma", "attack", "model", "device",
                   "train", "output", "resume", "again", "data-root"):
        assert f"--{option}" in text
    fields = [field.name for field in dataclasses.fields(Settings)]
    for known in (mechanisms.MECHANISMS, datasets.DATASETS, models.MODELS, PARTITIONS,
                  attacks.KINDS, fields):
        assert ", ".join(known) in text
    assert "[default: mnist]" in text


def test_the_command_and_three_lines_of_python_give_the_same_record(tmp_path):
    result = call(*SMALL, "--partition", "pow", "--mechanism", "cgsv", "--beta", "1",
                  "--seed", "2", "--results", tmp_path)
    assert result.exit_code == 0, result.output
    (file,) = tmp_path.iterdir()
    assert re.fullmatch("digits-pow-3-cgsv-beta1-seed2-[0-9a-f]{6}.json", file.name)
    assert str(file) in result.output
    assert "test accuracy as downloaded: average" in result.output
    settings = recommended("digits", "pow", agents=3, size=30, rounds=3,
                           mechanism_options={"beta": 1.0}, seed=2)
    records.save(running.run(settings), tmp_path / "python.json")
    record, found = records.load(tmp_path / "python.json"), records.load(file)
    assert found.settings == settings
    sha256 = datasets.load("digits").sha256
    assert found.about["data"] == {"sha256": sha256, "original": True}
    for field in ("versions", "device", "precision", "seconds", "training"):
        assert found.about[field]
    for name in record.history.names:
        if not name.startswith("seconds"):
            values = found.history[name].tolist()
            assert values == record.history[name].tolist(), name
    times = {"seconds_training", "seconds_mechanism", "seconds_evaluation"}
    assert times <= set(found.history.names)
    assert found.history.rounds("trained_test_accuracy").tolist() == [1, 3]


@pytest.mark.parametrize("mechanism", mechanisms.MECHANISMS)
def test_every_mechanism_runs(mechanism, tmp_path):
    result = call(*SMALL, "--mechanism", mechanism, "--results", tmp_path)
    assert result.exit_code == 0, result.output
    (file,) = tmp_path.glob(f"digits-pow-3-{mechanism}-*seed0-*.json")
    history = records.load(file).history
    for name in ("test_accuracy", "trained_test_accuracy"):
        assert history[name].shape == (2, 3)


def test_every_option_reaches_the_settings(tmp_path):
    output = tmp_path / "record.json"
    result = call("run", "--dataset", "digits", "--agents", 4, "--size", 20,
                  "--rounds", 1, "--seed", 7, "--partition", "cla", "--beta", "inf",
                  "--lr", 0.01, "--gamma", 2, "--set", "partition_options.held=spread",
                  "--set", "local.batch_size=None", "--train", "plain",
                  "--output", output)
    assert result.exit_code == 0, result.output
    s = records.load(output).settings
    found = s.agents, s.size, s.rounds, s.seed, s.partition
    assert found == (4, 20, 1, 7, "cla")
    assert s.partition_options == {"replace": True, "held": "spread"}
    assert s.mechanism_options == {"beta": float("inf")} and s.local.batch_size is None
    assert (s.local.lr, s.gamma) == (Schedule(0.01, 0.977), Schedule(2, 0.97))
    assert records.load(output).about["training"] == "plain"


@pytest.mark.parametrize("wrong, word", [
    (["--colour"], "--colour"),
    (["--agents", "0"], "--agents"),
    (["--mechanism", "magic"], "known are cgsv"),
    (["--dataset", "imagenet"], "known are digits"),
    (["--partition", "fair"], "known are"),
    (["--beta", "-1"], "beta"),
    (["--mechanism", "dw", "--beta", "1"], "beta"),
    (["--lr", "-1"], "positive"),
    (["--device", "abacus"], "--device abacus"),
    (["--device", "meta"], "--device meta"),
    (["--resume", "--again"], "choose one"),
    (["--output", ""], "--output must name a file"),
    (["--attack", "2"], "KEY=KIND"),
    (["--set", "alpha"], "NAME=VALUE"),
    (["--set", "mechanism_options.alfa=1"], "alfa"),
    (["--set", "colour=1"], "unknown field 'colour'; known are dataset, partition"),
    (["--set", "local.epoch=1"], "unknown field 'epoch'; known are lr, epochs"),
    (["--set", "gamma.decay.x=1"], "0.97 has no part 'x'"),
    (["--set", "local=3"], "local must be a LocalTraining, not 3"),
    (["--set", "local.epochs=0"], "epochs"),
    (["--set", "local.epochs=many"], "epochs"),
    (["--set", "gamma.decay=1e300"], "gamma is beyond all numbers in round 3"),
    (["--set", "local.lr.decay=1e300"], "local.lr is beyond all numbers in round 3"),
    (["--set", "rounds=2.5"], "rounds must be a whole number of at least 1, not 2.5"),
    (["--set", "size=nan"], "size must be a whole number of at least 1, not 'nan'"),
    (["--set", "seed=x"], "seed must be a whole number"),
    (["--set", "recorded=most"], "unknown recorded 'most'; known are all, end"),
    (["--set", "label_noise=a,b,c"], "label_noise must be a fraction for each agent"),
    (["--set", "mechanism_options.permutations=10.0"], "permutations"),
    (["--set", "mechanism_options=3"], "mechanism_options must be a dictionary, not 3"),
    (["--set", "model=7"], "model must be a text, not 7"),
])
def test_wrong_usage_is_exit_code_2_and_leaves_nothing(wrong, word, tmp_path):
    result = call(*SMALL, "--results", tmp_path, *wrong)
    assert result.exit_code == 2 and word in result.output, result.output
    assert result.output.count("Error:") == 1 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong, word", [
    (["--size", "5000"], "the largest shard that fits"),
    (["--set", "label_noise=[0.5]"], "1 fractions do not fit 3 agents"),
    (["--set", "label_noise=2,0,0"], "agent '1'"),
    (["--model", "mnist_cnn"], "torch.float64, the network is torch.float32"),
    (["--set", "partition_options.exponent=abc"], "exponent"),
    (["--set", "partition_options.colour=1"], "colour"),
    (["--set", "model_options.hidden=3"], "unknown option 'hidden' of digits_cnn"),
    (["--set", "dataset_options.vocabulary=all"], "'vocabulary'; known are none"),
    (["--agents", "41", "--size", "10", "--set", "mechanism_options.valuation=exact"],
     "41 agents needs 2^41 coalitions"),
    (["--attack", "9=zero"], "agent '9'"),
    (["--model", "nowhere:Net"], "No module named 'nowhere'"),
    (["--model", "json:Net"], "has no attribute 'Net'"),
    (["--model", "json:JSONDecoder"], "is a JSONDecoder, not a torch.nn.Module"),
    (["--model", "torch.nn:Linear"], "missing 2 required positional arguments"),
])
def test_settings_that_do_not_fit_the_data_are_exit_code_1(wrong, word, tmp_path):
    result = call(*SMALL, "--results", tmp_path, *wrong)
    assert result.exit_code == 1 and word in result.output, result.output
    assert "Pass limit" not in result.output and "Traceback" not in result.output
    assert not list(tmp_path.iterdir())


def test_a_record_and_a_checkpoint_are_not_lost_by_mistake(tmp_path):
    output = tmp_path / "record.json"
    checkpoint = tmp_path / "record.json.checkpoint"
    assert call(*SMALL, "--output", output).exit_code == 0
    first = output.read_bytes()
    for more, word in (([], "exists already; --again"),
                       (["--resume"], "exists already; --again"),
                       (["--seed", "1", "--again"], "other settings (seed 0, not 1)")):
        result = call(*SMALL, "--output", output, *more)
        assert result.exit_code == 1 and word in result.output
        assert output.read_bytes() == first
    assert call(*SMALL, "--output", output, "--again").exit_code == 0
    assert output.read_bytes() != first  # but for the seconds it is the same
    output.unlink()
    checkpoint.write_bytes(b"half a che")
    result = call(*SMALL, "--output", output)
    assert result.exit_code == 1
    assert "--resume goes on, --again starts anew" in result.output
    result = call(*SMALL, "--output", output, "--resume")
    assert result.exit_code == 1 and "damaged or not a checkpoint" in result.output
    assert checkpoint.read_bytes() == b"half a che"
    result = call(*SMALL, "--output", output, "--again")
    assert result.exit_code == 0 and not checkpoint.exists()
    output.write_text("my notes")
    result = call(*SMALL, "--output", output, "--again")
    assert result.exit_code == 1 and "Choose another --output" in result.output
    assert output.read_text() == "my notes"
    output.unlink()
    result = call(*SMALL, "--output", output, "--resume")
    assert result.exit_code == 0 and "starting with round 1" in result.output


def test_a_checkpoint_of_another_run_is_not_lost_by_mistake(tmp_path):
    output = tmp_path / "record.json"
    checkpoint = tmp_path / "record.json.checkpoint"
    settings = recommended("digits", agents=3, size=30, rounds=3, seed=1)
    running.run(settings, checkpoint_file=checkpoint)
    before = checkpoint.read_bytes()
    result = call(*SMALL, "--output", output, "--again")
    assert result.exit_code == 1 and "other settings (seed 1, not 0)" in result.output
    assert checkpoint.read_bytes() == before


def test_other_settings_get_another_record(tmp_path):
    for more in (["--rounds", "3"], ["--rounds", "4"], ["--lr", ".3"],
                 ["--set", "local.epochs=2"], ["--set", "label_noise=0.5,0,0"]):
        result = call(*SMALL, "--results", tmp_path, *more, "--again")
        assert result.exit_code == 0, result.output
    assert len(list(tmp_path.iterdir())) == 5


@pytest.mark.skipif(os.name != "posix", reason="processes side by side: POSIX only")
def test_two_writers_of_one_record(tmp_path):
    """One writes it, the other says so; whoever reads meanwhile reads it whole."""
    wait = ("import pathlib, time\nfrom fairfl.runs import records\n"
            "save, go = records.save, pathlib.Path('go')\n"
            "ready = pathlib.Path(sys.argv.pop())\n"
            "def late(*args, **options):\n"
            "    ready.touch()\n"
            "    while not go.exists(): time.sleep(.001)\n"
            "    save(*args, **options)\n"
            "records.save = late")
    processes = [child(wait, *SMALL, "--output", "record.json", name, folder=tmp_path)
                 for name in ("one", "two")]
    until = time.monotonic() + 120
    while len(list(tmp_path.glob("[ot][nw][eo]"))) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    (tmp_path / "go").touch()
    said = [process.communicate(timeout=60)[1] for process in processes]
    assert sorted(process.returncode for process in processes) == [0, 1], said
    loser = said[[process.returncode for process in processes].index(1)]
    assert "record.json exists already; another process" in loser
    assert "Traceback" not in "".join(said)
    history = records.load(tmp_path / "record.json").history
    assert history.rounds("r").tolist() == [1, 2, 3]
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"record.json", "one", "two", "go"}


@pytest.mark.skipif(os.name != "posix", reason="signals: POSIX only")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_by_a_signal(number, tmp_path):
    output = tmp_path / "record.json"
    checkpoint = tmp_path / "record.json.checkpoint"
    long = [*SMALL[:-3], "2000", "--checkpoint-every", "5", "--output", output]
    process = child("", *long)
    until = time.monotonic() + 120
    while (not checkpoint.exists() and time.monotonic() < until
           and process.poll() is None):
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "--resume goes on from" in said
    assert "Traceback" not in said
    assert not output.exists()
    assert checkpoints.load(checkpoint).history.last.t >= 5


def test_a_full_disk_at_the_checkpoint(tmp_path):
    output = tmp_path / "record.json"
    part = tmp_path / f"record.json.checkpoint.{os.getpid()}.part"
    part.symlink_to("/dev/full")
    result = call(*SMALL, "--output", output)
    assert result.exit_code == 1 and "No space left" in result.output
    assert "record.json.checkpoint" in result.output
    assert not output.exists() and Path("/dev/full").is_char_device()


@pytest.mark.skipif(os.name != "posix", reason="limits of a process: POSIX only")
def test_a_file_that_grows_beyond_its_limit(tmp_path):
    output = tmp_path / "record.json"
    limit = "import resource as r\nr.setrlimit(r.RLIMIT_FSIZE, (100_000, 100_000))"
    process = child(limit, *SMALL, "--output", output)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1 and "Traceback" not in said
    assert "could not be written: File too large" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="users of a system: POSIX only")
@pytest.mark.parametrize("mode", [0o755, 0o700])  # may be read, or not even that
def test_a_folder_of_somebody_else(mode):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, mode if os.geteuid() == 0 else mode & 0o555)
        _run_as_somebody_else(Path(folder))


def _run_as_somebody_else(closed):
    become = ("import os\nfrom fairfl import mechanisms, runs\n"
              "if os.geteuid() == 0: os.setuid(65534)")
    process = child(become, *SMALL, "--output", closed / "record.json")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1 and "Permission denied" in said, said
    assert "record.json" in said and "Traceback" not in said
    assert list(closed.iterdir()) == []


def test_something_other_than_a_file_is_left_alone(tmp_path):
    for other in ("/dev/null", tmp_path):
        result = call(*SMALL, "--output", other)
        assert result.exit_code == 1
        assert f"{other} is not a regular file" in result.output
    assert Path("/dev/null").is_char_device()


def test_a_run_that_fails_on_the_way_says_what_is_kept(tmp_path):
    output = tmp_path / "a.json"
    result = call(*SMALL, "--mechanism", "fedavg", "--output", output, "--set",
                  "mechanism_options.scaling=raw", "--set", "local.lr.decay=1e80")
    assert result.exit_code == 1
    assert "in round 2 holds NaN or infinite entries" in result.output
    kept = f"{output}.checkpoint holds the rounds before; --resume goes on"
    assert kept in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["a.json.checkpoint"]


@pytest.mark.parametrize("what", ["record", "checkpoint"])
def test_what_a_newer_fairfl_made_is_not_called_damaged(what, tmp_path, monkeypatch):
    output = tmp_path / "record.json"
    file = output if what == "record" else tmp_path / "record.json.checkpoint"
    settings = recommended("digits", agents=3, size=30, rounds=3)
    with monkeypatch.context() as newer:
        newer.setattr(records, "SCHEMA", 2)
        newer.setattr(checkpoints, "SCHEMA", 2)
        record = running.run(settings, checkpoint_file=file)
        if what == "record":
            records.save(record, file)
    before = file.read_bytes()
    for more in (["--again"], ["--resume"] if what == "checkpoint" else ["--again"]):
        result = call(*SMALL, "--output", output, *more)
        assert result.exit_code == 1 and "a newer fairfl made it" in result.output
        assert "damaged" not in result.output and "delete" not in result.output
        assert file.read_bytes() == before


def test_data_that_are_missing_are_named(tmp_path, monkeypatch):
    def missing(*args, **options):
        raise datasets.DataError("rt-polarity.pos is missing; put it there")

    monkeypatch.setattr(datasets, "load", missing)
    result = call("run", "--dataset", "mr", "--results", tmp_path)
    assert result.exit_code == 1
    assert "Error: rt-polarity.pos is missing" in result.output
