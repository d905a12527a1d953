"""``fairfl show``: the last round as a table, all rounds as a file."""

import csv
import json
import math

import pytest
import torch
from click.testing import CliRunner

from fairfl.__main__ import main
from fairfl.history import History, Snapshot
from fairfl.runs import records
from fairfl.runs.recommendations import recommended


def call(*arguments):
    return CliRunner().invoke(main, ["show", *map(str, arguments)])


@pytest.fixture
def file(tmp_path):
    """A record of two rounds, made by hand."""
    history = History(("1", "2"))
    for t in (1, 2):
        snapshot = Snapshot(t, *[torch.zeros(1)] * 3, {})
        history.add(snapshot, {
            "r": torch.tensor([0.25, t / 2]), "q": torch.tensor([10 * t, 7]),
            "test_accuracy": torch.tensor([0.5, t / 4]), "server_test_accuracy": 0.375,
            "gap": torch.tensor([math.inf, math.nan]),
            "cosines": torch.tensor([[1.0, 0.5], [0.5, 1.0]]),
        })
    settings = recommended("digits", agents=2, rounds=2, mechanism_options={"beta": 2})
    records.save(records.Record(settings, history, {}), tmp_path / "record.json")
    return tmp_path / "record.json"


def test_the_last_round_is_shown(file):
    result = call(file)
    assert result.exit_code == 0, result.output
    title, head, first, second, mean = result.output.splitlines()
    assert title == "digits, pow, 2 agents, cgsv, beta 2: 2 rounds, seed 0"
    assert head.split() == ["agent", "r", "entries", "sent", "downloaded", "%"]
    assert first.split() == ["1", "0.250", "20", "50"]
    assert second.split() == ["2", "1.000", "7", "50"]
    assert mean == ("test accuracy as downloaded: average 50.0 %, best 50.0 %, "
                    "server 37.5 %")


def test_csv_has_every_recorded_number(file, tmp_path):
    table = tmp_path / "table.csv"
    assert call(file, "--csv", table).exit_code == 0
    head, *lines = csv.reader(table.open())
    assert head == ["round", "agent", "name", "value"]
    assert len(lines) == len(set(map(tuple, lines))) == 2 * (2 + 2 + 2 + 1 + 2 + 4)
    for line in (["1", "2", "r", "0.5"], ["2", "1", "q", "20"],
                 ["2", "1", "gap", "inf"],
                 ["2", "2", "gap", ""], ["1", "", "server_test_accuracy", "0.375"],
                 ["1", "1", "cosines.2", "0.5"]):
        assert line in lines


def test_what_is_no_record_is_said(file, tmp_path):
    for other, word in ((tmp_path, "damaged or not a record"),
                        (tmp_path / "none.json", "no record at")):
        result = call(other)
        assert result.exit_code == 1 and word in result.output, result.output
        assert str(other) in result.output and "Traceback" not in result.output


def test_a_field_of_a_newer_version_asks_for_an_update(file):
    plain = json.loads(file.read_text())
    plain["settings"]["colour"] = "red"
    file.write_text(json.dumps(plain))
    result = call(file)
    assert result.exit_code == 1 and "damaged" not in result.output
    assert "unknown field 'colour' of Settings; a newer fairfl made it" in result.output
