"""The command `data`."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from fairfl import datasets
from fairfl.__main__ import main
from fairfl.datasets import fetching, mr


def call(*arguments):
    return CliRunner().invoke(main, ["data", *map(str, arguments)])


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    def refuse(*args, **options):
        raise OSError("no network here")

    monkeypatch.setattr("pooch.HTTPDownloader", lambda **options: refuse)


def test_help_names_everything():
    text = call("--help").output
    for word in (
        "--fetch",
        "--data-root",
        "$FAIRFL_DATA",
        *datasets.DATASETS,
        ".npz",
        "exit code",
    ):
        assert word in " ".join(text.split())


def test_list_of_an_empty_folder_is_no_error(tmp_path):
    result = call("--data-root", tmp_path)
    assert result.exit_code == 0
    for name, module in datasets.DATASETS.items():
        assert (
            f"{name}: {'intact' if name == 'digits' else 'missing'}\n" in result.output
        )
        for word in (
            *module.ABOUT.citation.split(),
            *module.ABOUT.licence.split(),
            f"{module.ABOUT.samples[0]:,}",
        ):
            assert word in result.output
    assert (
        result.output.count("https://storage.googleapis.com/cvdf-datasets/mnist/") == 1
    )  # one for its four files
    for module in (mr, datasets.DATASETS["sst"]):
        assert all(url in result.output for url in module.ARCHIVES[0].urls)


def test_what_is_asked_for_must_be_there(tmp_path):
    assert call("digits").exit_code == 0
    result = call("digits", "mnist", "--data-root", tmp_path)
    assert (
        result.exit_code == 1 and "train-images-idx3-ubyte is missing" in result.output
    )
    assert (
        "see above: mnist; --fetch gets what is missing"
        in result.output.splitlines()[-1]
    )
    assert "digits: intact" in result.output


def test_damage_is_named(tmp_path):
    (tmp_path / "trees").mkdir()
    for name in ("train", "dev", "test"):
        (tmp_path / "trees" / f"{name}.txt").write_text("(2 (2 hello))")
    result = call("sst", "--data-root", tmp_path)
    assert (
        result.exit_code == 1
        and "sst: damaged" in result.output
        and "train.txt is damaged" in result.output
    )


def test_unknown_name_is_wrong_usage():
    result = call("imagenet")
    assert (
        result.exit_code == 2
        and "'imagenet'; known are cifar10, digits, mnist, mr, sst" in result.output
    )


FETCHED = [name for name, module in datasets.DATASETS.items() if module.ARCHIVES]


@pytest.mark.parametrize("names", [["sst"], []])
def test_fetching_in_vain(tmp_path, names):
    result = call(*names, "--fetch", "--data-root", tmp_path)
    assert (
        result.exit_code == 1
        and "train.txt is missing and could not be downloaded" in result.output
    )
    assert result.output.count(
        "no network here"
    ) == sum(  # the first archive that does not come ends it
        len(module.ARCHIVES[0].urls)
        for name, module in datasets.DATASETS.items()
        if name in (names or FETCHED)
    )
    assert list(tmp_path.rglob("*")) == []


def test_fetching(tmp_path, monkeypatch):
    """Fetching has its own tests; here: it is asked for, and its files are found."""
    text = {file: b"one\ntwo\n" for file in mr.ARCHIVES[0].files}

    def arrive(archive, wanted, root, advice):
        (root / "rt-polaritydata").mkdir()
        for file in wanted:
            (root / file).write_bytes(text[file])

    pins = {
        file: f"md5:{hashlib.md5(content).hexdigest()}"
        for file, content in text.items()
    }
    monkeypatch.setattr(mr, "ARCHIVES", (mr.ARCHIVES[0]._replace(files=pins),))
    monkeypatch.setattr(fetching, "_fetch", arrive)
    result = call("mr", "--fetch", "--data-root", tmp_path)
    assert (
        result.exit_code == 0
        and "mr: intact\n" in result.output
        and str(tmp_path) in result.output
    )


def write_copy(path: Path) -> Path:
    images, labels = np.zeros((3, 32, 32, 3), np.uint8), np.arange(3)
    np.savez(
        path,
        train_images=images[:2],
        train_labels=labels[:2],
        test_images=images[2:],
        test_labels=labels[2:],
    )
    return path


def test_a_copy_is_called_a_copy(tmp_path):
    write_copy(tmp_path / "cifar10.npz")
    result = call("cifar10", "--data-root", tmp_path)
    assert result.exit_code == 0 and "cifar10: intact, a copy\n" in result.output
    assert "2 training, 1 test\n" in result.output and "50,000" not in result.output
    result = call("cifar10", "--fetch", "--data-root", tmp_path)
    assert (
        result.exit_code == 1
        and "data_batch_1 is missing and could not be downloaded" in result.output
    )


def test_files_of_ones_own(tmp_path):
    path = write_copy(tmp_path / "mine.npz")
    result = call(path)
    assert result.exit_code == 0 and f"{path}: intact, a copy\n" in result.output
    path.write_bytes(path.read_bytes()[:-50])
    assert call(path).exit_code == 1
    assert call(tmp_path / "other.npz").exit_code == 1
