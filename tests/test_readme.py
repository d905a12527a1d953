"""What the README tells a newcomer to type."""

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from book.reproduction.command import reproduce
from fairfl.__main__ import main
from fairfl.runs import records

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_example_runs_as_printed(tmp_path, capsys):
    code = EXAMPLES[0]
    assert len(code.splitlines()) == 5
    script = tmp_path / "example.py"
    script.write_text(code)
    found = runpy.run_path(str(script))
    r = found["history"]["r"]
    assert r.shape == (10, 5) and "tensor" in capsys.readouterr().out
    torch.testing.assert_close(r.sum(1), torch.ones(10, dtype=r.dtype))
    assert r[-1].argmin() == 0  # the agent with the least data


def test_the_example_of_valuing_runs_as_printed(tmp_path, capsys):
    script = tmp_path / "values.py"
    script.write_text(EXAMPLES[1])
    found = runpy.run_path(str(script))
    assert found["gram"].shape == (10, 10) and capsys.readouterr().out.count("[") == 3


def test_the_example_of_a_mechanism_runs_as_printed(tmp_path, capsys):
    script = tmp_path / "mechanism.py"
    script.write_text(EXAMPLES[2])
    found = runpy.run_path(str(script))
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == ["Effort", "CGSV", "FedAvg", "Standalone"] and len(EXAMPLES) == 8
    history = (
        found["federation"]
        .Federation(
            found["agents"],
            found["models"].build("digits_cnn", seed=0),
            found["Effort"](),
        )
        .run(1)
    )
    lengths, reward = history["length"][-1], history.last.step.reward
    assert reward.kept[lengths.argmax()] == found["fed"].layout.dimension
    assert torch.equal(reward.kept.argsort(), lengths.argsort())


def test_the_example_of_a_loss_and_data_runs_as_printed(tmp_path, capsys):
    script = tmp_path / "loss.py"
    script.write_text(EXAMPLES[3])
    found = runpy.run_path(str(script))
    history = found["history"]
    assert found["fed"].backend == "threads" and "tensor" in capsys.readouterr().out
    assert (history["own_loss"][-1] < 0.1 * history["own_loss"][0]).all()
    server = history.last.server
    torch.testing.assert_close(
        server, torch.tensor([1.0, 1, 1, 1, 0]), rtol=0, atol=0.3
    )


def test_the_example_of_a_training_loop_runs_as_printed(tmp_path, capsys):
    script = tmp_path / "loop.py"
    script.write_text(EXAMPLES[4])
    found = runpy.run_path(str(script))
    server = found["history"].last.server
    assert (
        found["fed"].backend == "custom"
        and capsys.readouterr().out.count("tensor") == 2
    )
    torch.testing.assert_close(
        server, torch.tensor([1.0, 1, 1, 1, 0]), rtol=0, atol=0.5
    )


def test_the_example_of_a_server_runs_as_printed(tmp_path, capsys):
    script = tmp_path / "serving.py"
    script.write_text(EXAMPLES[5])
    found = runpy.run_path(str(script))
    answer, model = found["answer"], found["model"]
    assert answer["c"].kind == "nothing" and answer.log["psi"][2].isnan()
    assert np.count_nonzero(model) == len(answer["a"].indices) > 0
    assert np.allclose(model, answer.dense("a")) and "tensor" in capsys.readouterr().out


def test_the_example_of_a_record_runs_as_printed(tmp_path, monkeypatch):
    script = tmp_path / "record.py"
    script.write_text(EXAMPLES[6].replace("rounds=60", "rounds=2"))
    monkeypatch.chdir(tmp_path)
    found = runpy.run_path(str(script))
    assert records.load("record.json").settings == found["wanted"]


def test_a_network_and_data_of_ones_own_as_printed(tmp_path, monkeypatch, capsys):
    (tmp_path / "network.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self, classes, hidden):\n"
        "        super().__init__(nn.Linear(4, hidden), nn.ReLU(),\n"
        "                         nn.Linear(hidden, classes))\n"
    )
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4))
    y = (x[:, 0] > 0).astype(int)
    np.savez(
        tmp_path / "mine.npz", x=x[:200], y=y[:200], test_x=x[200:], test_y=y[200:]
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (line,) = re.findall(r"^fairfl (run .*mine.json)$", README, re.MULTILINE)
    result = CliRunner().invoke(main, [*line.split(), "--rounds", "3"])
    assert result.exit_code == 0, result.output
    script = tmp_path / "own.py"
    script.write_text(EXAMPLES[7].replace("agents=5", "agents=5, rounds=3"))
    found = runpy.run_path(str(script))
    record = records.load("mine.json")
    assert record.settings == found["settings"]
    assert record.history["r"].shape == (3, 5) and "tensor" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    [README, (ROOT / "CONTRIBUTING.md").read_text()],
    ids=["README", "CONTRIBUTING"],
)
def test_every_target_and_file_it_names_exists(text):
    targets = set(
        re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    )
    assert set(re.findall(r"`make ([a-z]+)", text)) <= targets
    for name in re.findall(r"`((?:book|fairfl|data|tests)/[\w/.]+\.\w+)`", text):
        assert (ROOT / name).exists(), name
    for command in re.findall(r"`python -m fairfl ([a-z]\w*)", text):
        assert command in main.commands


def test_the_commands_named_run():
    for name in ("fig2", "updates", "status", "verify"):
        assert CliRunner().invoke(reproduce, [name, "--help"]).exit_code == 0


def test_the_picture_is_drawn_from_the_record_it_names():
    tool = runpy.run_path(str(ROOT / "book" / "_ext" / "readme_picture.py"))
    for key in ("RECORD", "PICTURE"):
        assert tool[key].exists() and tool[key].relative_to(ROOT).as_posix() in README
    from matplotlib import pyplot as plt

    record = records.load(tool["RECORD"])
    figure = tool["draw"](record)
    for axes, name in zip(figure.axes, ("r", "server_distance"), strict=True):
        drawn = torch.tensor([line.get_ydata()[-1] for line in axes.lines])
        torch.testing.assert_close(drawn.double(), record.history[name][-1])
    plt.close(figure)
