"""Records: written whole, read back, and refused when damaged."""

import json
from dataclasses import replace

import pytest
import torch

from book.reproduction import experiments
from fairfl import datasets
from fairfl.runs import files, records, running
from fairfl.runs.settings import Settings


@pytest.fixture(scope="module")
def record():
    return running.run(
        replace(experiments.label_noise("digits", seed=3), rounds=2, size=40)
    )


def test_settings_survive_json():
    for dataset in ("mnist", "digits"):
        settings = experiments.label_noise(dataset, seed=5)
        assert (
            Settings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings
        )
    with pytest.raises(ValueError, match="not the settings of a run"):
        Settings.from_dict({"dataset": "digits"})
    with pytest.raises(ValueError, match="known are 'mnist' and 'digits'"):
        experiments.label_noise("cifar10")


def test_a_record_says_what_it_is_of(record):
    assert record.about["data"] == {
        "sha256": datasets.load("digits").sha256,
        "original": True,
    }
    assert record.about["versions"]["torch"] == torch.__version__
    assert (
        record.about["precision"] == "float64" and record.about["parameters"] == 18_346
    )
    assert record.history.rounds("psi").tolist() == [1, 2]
    assert record.history["q"].dtype == torch.int64


def test_written_and_read_again(record, tmp_path):
    file = tmp_path / "new" / "record.json"
    records.save(record, file)
    again = records.load(file)
    assert again.settings == record.settings and again.about == record.about
    for name in record.history.names:
        torch.testing.assert_close(
            again.history[name],
            record.history[name],
            rtol=1e-8,
            atol=0,
            check_dtype=False,
        )
        single = record.history[name].float()  # nine digits hold all that a float32 has
        torch.testing.assert_close(again.history[name].float(), single, rtol=0, atol=0)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_label_noise_hits_the_agents_it_should(record):
    data = datasets.load("digits")
    noisy = running.federation(record.settings, data)
    clean = running.federation(replace(record.settings, label_noise=()), data)
    wrong = [
        (a.y != b.y).double().mean().item()
        for a, b in zip(noisy.agents, clean.agents, strict=True)
    ]
    assert wrong == pytest.approx([0.2, 0.4, 0.6, 0, 0])


def test_a_replay_gives_the_recorded_rounds(record):
    recorded, again = running.replay(record, 1)
    assert recorded.rounds("psi").tolist() == again.rounds("psi").tolist() == [1]
    for name in again.names:
        if not name.startswith("seconds"):
            torch.testing.assert_close(
                recorded[name], again[name], rtol=1e-9, atol=1e-9
            )


def test_a_failure_while_writing_keeps_the_old_record(record, tmp_path, monkeypatch):
    file = tmp_path / "record.json"
    records.save(record, file)
    before = file.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        records.save(record, file)
    assert file.read_bytes() == before and list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"settings": {}, "history": {}}']
)
def test_damaged_records_are_named(tmp_path, text):
    file = tmp_path / "broken.json"
    file.write_text(text)
    with pytest.raises(ValueError, match="broken.json is damaged or not a record"):
        records.load(file)


def test_a_missing_record_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="python -m book.reproduction"):
        records.load(tmp_path / "none.json")


def test_what_the_guarantee_needs_is_recorded(record):
    settings = replace(
        record.settings, recorded="guarantee", rounds=5, evaluate_every=2
    )
    history = running.run(settings).history
    assert (
        history.rounds("server_distance").tolist()
        == history.rounds("download_cosine").tolist()
        == [1, 2, 3, 4, 5]
    )
    assert (
        history.rounds("union_loss").tolist()
        == history.rounds("server_gradient").tolist()
        == [1, 2, 4, 5]
    )
    for name in (
        "r",
        "q",
        "aggregate_norm",
        "union_loss",
        "server_union_loss",
        "server_gradient",
    ):
        assert history[name].isfinite().all()


@pytest.mark.parametrize("noise", [(), (0.2, 0.4, 0.6, 0.0, 0.0)])
def test_losses_on_each_shard_are_recorded_beside_the_rest(record, noise):
    settings = replace(record.settings, recorded="losses", rounds=3, evaluate_every=2,
                       label_noise=noise)
    history = running.run(settings).history
    assert history.rounds("shard_losses").tolist() == [1, 2, 3]
    assert history["shard_losses"].shape == (3, 5, 5)
    assert ("true_loss" in history.names) == bool(noise)
    assert history.rounds("test_loss").tolist() == [3]
    assert {"psi", "r", "server_distance", "download_cosine"} <= set(history.names)


def test_ten_agents_on_digits_record_the_cosines_of_their_updates():
    data = datasets.load("digits")
    for name, settings in experiments.updates("digits").items():
        history = running.run(replace(settings, rounds=1), data).history
        cosines = history["cosines"][0]
        assert cosines.shape == (10, 10) and torch.allclose(
            cosines.diagonal(), torch.ones(10).double()
        ), name
    with pytest.raises(ValueError, match="known are 'mnist' and 'digits'"):
        experiments.updates("cifar")
