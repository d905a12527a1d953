"""The eight agents, one of which cheats, and their record."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from book.reproduction import cheats
from book.reproduction.command import reproduce
from fairfl import attacks, datasets
from fairfl.attacks import Sight

RECORD = Path(__file__).resolve().parents[2] / "data" / "results" / "cheats.json"


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


@pytest.fixture(scope="module")
def record():
    return json.loads(RECORD.read_text())


def sight(key: str, updates: dict, download=None) -> Sight:
    return Sight(key=key, t=1, seed=0, update=updates[key], updates=updates,
                 model=torch.zeros(4), initial=torch.zeros(4), download=download)


def test_a_part_of_an_attack_lies_between_the_update_and_the_attack():
    own, sent = torch.tensor([3.0, 4, 0, 0]), torch.tensor([0.0, 0, 0, 2])
    for part, expected in ((0.0, [3, 4, 0, 0]), (0.5, [1.5, 2, 0, 2.5]),
                           (1.0, [0, 0, 0, 5])):
        found = cheats.Partly(attack=attacks.Download(), part=part).upload(
            sight("3", {"3": own}, sent))
        assert torch.allclose(found, torch.tensor(expected).float())
    # before the first download there is nothing to mix in
    nothing = cheats.Partly(attack=attacks.Download(), part=0.5)
    assert torch.equal(nothing.upload(sight("3", {"3": own})), own / 2)


def test_the_others_sum_weighs_all_alike_and_leaves_out_its_own():
    updates = {"3": torch.tensor([9.0, 0, 0, 0]), "1": torch.tensor([0.0, 5, 0, 0]),
               "2": torch.tensor([0.0, 0, 2, 0])}
    found = cheats.KnowsAll().upload(sight("3", updates))
    assert torch.equal(found, torch.tensor([0.0, 1, 1, 0]))
    hidden = cheats.KnowsAll(noise=2.0).upload(sight("3", updates))
    assert float((hidden - found).norm()) == pytest.approx(2 * 2**0.5, rel=1e-5)


def test_some_labels_are_made_wrong(digits):
    fed = cheats.federation(digits, cheats.GUARDS["none"])
    agent = fed.agents[2]
    for part in (0.0, 0.25, 1.0):
        wrong = cheats.SomeLabels(part=part).data(agent, 10)
        changed = wrong.y != agent.y
        assert int(changed.sum()) == part * 40
        assert torch.equal(wrong.y[changed], (agent.y[changed] + 1) % 10)


def test_the_record_holds_every_choice_with_numbers_in_their_ranges(record):
    assert set(record["runs"]) == {
        f"{kind}/{degree}/{guard}" for kind, degree, _ in cheats.choices()
        for guard in cheats.GUARDS}
    assert {(kind, degree) for kind, degrees in record["kinds"].items()
            for degree in degrees} == {choice[:2] for choice in cheats.choices()}
    for name, run in record["runs"].items():
        assert len(run["share"]) == cheats.ROUNDS, name
        assert all(0 <= at <= 1 for at in (*run["share"], *run["sent"])), name
        assert all(-1 <= at <= 1 for at in run["psi"]), name
        assert all(0 <= at <= 100 for at in run["accuracy"]), name


@pytest.mark.parametrize(("kind", "degree", "guard"), [
    ("noise", "50% noise", "none"), ("several names", "3 names", "all"),
    ("the others' sum", "with noise of 1.5 times its length", "news")])
def test_the_record_is_run_again(digits, record, kind, degree, guard):
    each = [cheats.measure(digits, cheats.KINDS[kind][degree], guard, seed)
            for seed in cheats.SEEDS]
    kept = record["runs"][f"{kind}/{degree}/{guard}"]
    for name, tolerance in (("share", 0.01), ("psi", 0.01), ("sent", 0.02),
                            ("accuracy", 1.0)):
        mean = torch.stack([one[name] for one in each]).double().mean(0)
        torch.testing.assert_close(mean, torch.tensor(kept[name]).double(),
                                   rtol=0, atol=tolerance)


def test_the_command_writes_a_file_that_is_read_back(monkeypatch, tmp_path):
    short = {"kinds": {"a": ["b"]}, "runs": {"a/b/c": {"psi": [1.0]}, "d": {}}}
    monkeypatch.setattr(cheats, "record", lambda progress: short)
    found = CliRunner().invoke(
        reproduce, ["cheats", "--output", str(tmp_path / "kept.json")])
    assert found.exit_code == 0 and "wrote" in found.output
    assert json.loads((tmp_path / "kept.json").read_text()) == short
    found = CliRunner().invoke(  # below a file
        reproduce, ["cheats", "--output", str(tmp_path / "kept.json" / "no.json")])
    assert found.exit_code == 1 and "kept.json" in found.output
