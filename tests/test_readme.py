"""What the README tells a newcomer to type."""

import re
import runpy
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from fairfl.__main__ import main
from fairfl.runs import records

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
    assert names == ["Effort", "CGSV", "FedAvg", "Standalone"] and len(EXAMPLES) == 4
    history = found["federation"].Federation(found["agents"], found["models"].build("digits_cnn", seed=0),
                                             found["Effort"]()).run(1)
    lengths, reward = history["length"][-1], history.last.step.reward
    assert reward.kept[lengths.argmax()] == found["fed"].layout.dimension
    assert torch.equal(reward.kept.argsort(), lengths.argsort())


def test_the_example_of_a_record_runs_as_printed(tmp_path, monkeypatch):
    script = tmp_path / "record.py"
    script.write_text(EXAMPLES[3].replace("rounds=60", "rounds=2"))
    monkeypatch.chdir(tmp_path)
    found = runpy.run_path(str(script))
    assert records.load("record.json").settings == found["wanted"]


@pytest.mark.parametrize("text", [README, (ROOT / "CONTRIBUTING.md").read_text()], ids=["README", "CONTRIBUTING"])
def test_every_target_and_file_it_names_exists(text):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", text)) <= targets
    for name in re.findall(r"`((?:book|fairfl|data|tests)/[\w/.]+\.\w+)`", text):
        assert (ROOT / name).exists(), name
    for command in re.findall(r"`python -m fairfl ([a-z]\w*)", text):
        assert command in main.commands


def test_the_commands_named_run():
    assert CliRunner().invoke(main, ["reproduce", "fig2", "--help"]).exit_code == 0


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
    assert CliRunner().invoke(main, ["reproduce", "updates", "--help"]).exit_code == 0
    assert CliRunner().invoke(main, ["bench", "valuation", "--help"]).exit_code == 0
