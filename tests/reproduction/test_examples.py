"""Samples of the data sets for pages, and the command that writes them."""

import base64
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from book.reproduction import examples
from book.reproduction.command import reproduce
from fairfl import datasets

RECORD = Path(__file__).resolve().parents[2] / "data" / "results" / "examples.json"
SIDES = {"mnist": (28, 28, 1), "cifar10": (32, 32, 3)}


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    def refuse(**options):
        raise OSError("no network here")

    monkeypatch.setattr("pooch.HTTPDownloader", lambda **options: refuse)


def test_the_record_has_a_sample_of_each_class():
    found = json.loads(RECORD.read_text())
    assert {name: len(some) for name, some in found.items()} == {
        "mnist": 10, "cifar10": 10, "mr": 2, "sst": 5}
    for name, (height, width, depth) in SIDES.items():
        assert ({len(base64.b64decode(image)) for image in found[name]}
                == {height * width * depth})
    assert all(len(sentence.split()) <= examples.LONGEST
               for name in examples.TEXTS for sentence in found[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", examples.IMAGES + examples.TEXTS)
def test_the_record_is_that_of_the_data(name):
    try:
        found = examples.of(name)
    except (OSError, datasets.DataError):
        pytest.skip(f"{name} is not at hand")
    assert found == json.loads(RECORD.read_text())[name]


def test_without_data_the_command_says_so_and_writes_nothing(tmp_path):
    output = tmp_path / "examples.json"
    result = CliRunner().invoke(reproduce, [
        "examples", "--data-root", str(tmp_path), "--output", str(output)])
    assert result.exit_code == 1 and not output.exists()
