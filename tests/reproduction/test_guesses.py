"""What eight values give an agent that guesses, and the record of it."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from book.reproduction import guesses
from book.reproduction.command import reproduce
from book.reproduction.guesses import BothWays
from fairfl import datasets
from fairfl.mechanisms import CGSV
from fairfl.mechanisms.base import Round, Setting

RECORD = Path(__file__).resolve().parents[2] / "data" / "results" / "guesses.json"
# Two honest ones, a perfect guess of their sum, and noise that is at right angles
UPLOADS = torch.tensor([[1.0, 0, 0], [0, 2, 0], [1, 1, 0], [0, 0, 5]]).double()


def step(mechanism, updates=UPLOADS):
    n, dimension = updates.shape
    setting = Setting.of([str(k) for k in range(n)], dimension)
    seen = Round(t=1, lr=0.1, gamma=1.0, updates=updates)
    return mechanism.apply(mechanism.init(setting), seen, setting)


def test_both_ways_by_hand():
    three = UPLOADS[:3]  # u = (1, 0), (0, 1), (1, 1) / sqrt 2
    _, found = step(BothWays(), three)
    psi = torch.tensor([0.5**0.5, 0.5**0.5, 1.0]).double()
    a = 0.5**0.5
    s = a / (a**2 + (1 + a) ** 2) ** 0.5  # of the first with the other two
    apart = torch.tensor([s, s, 1.0]).double()
    assert torch.allclose(found.log["phi"], psi * (1 - apart))
    assert torch.allclose(step(BothWays(others=True), three)[1].log["phi"],
                          apart * (1 - apart))
    total = step(CGSV(), three)[1].aggregate
    assert torch.allclose(found.aggregate, total)  # the sum is that of CGSV
    state, _ = step(BothWays(), three)
    assert float(state["average"].sum()) == pytest.approx(1.0)
    assert int(state["average"].argmin()) == 2


def test_noise_is_paid_by_psi_and_not_by_the_others():
    psi, others = (step(BothWays(others=given))[1].log["phi"]
                   for given in (False, True))
    assert psi[3] > 0.35 and abs(float(others[3])) < 1e-12


def test_one_agent_and_zeros_move_nothing():
    for updates in (UPLOADS[:1], 0 * UPLOADS):
        for mechanism in (BothWays(), BothWays(others=True)):
            state, found = step(mechanism, updates)
            assert state["weights"].isfinite().all()
            assert found.log["phi"].isfinite().all()


def test_agents_in_another_order():
    order = torch.tensor([2, 0, 3, 1])
    first, second = step(BothWays())[1], step(BothWays(), UPLOADS[order])[1]
    assert torch.allclose(first.log["r"][order], second.log["r"])


def test_the_bad_agent_is_the_last_and_only_it():
    honest = guesses.settings("uni", "honest", 0)
    assert not honest.attacks and not any(honest.label_noise)
    line = guesses.settings("uni", "line", 0)
    assert line.attacks == {"5": {"kind": "guess", "at": "line"}}
    assert line.label_noise == (0, 0, 0, 0, 1)


def test_the_record_holds_every_run():
    record = json.loads(RECORD.read_text())
    assert set(record["runs"]) == {"/".join(map(str, one))
                                   for one in guesses.choices()}
    for name, run in record["runs"].items():
        assert abs(sum(run["share"]) - 1) < 0.003, name
        assert max(map(abs, run["value"])) <= 1, name
        assert all(0 <= at <= 100 for at in run["accuracy"]), name


@pytest.mark.slow
@pytest.mark.parametrize(("partition", "value", "upload", "seed"), [
    ("uni", "others, apart", "both", 1), ("cla", "fedce", "honest", 2)])
def test_a_run_is_run_again(partition, value, upload, seed):
    kept = json.loads(RECORD.read_text())["runs"][
        f"{partition}/{value}/{upload}/{seed}"]
    found = guesses.measure(datasets.load("digits"), partition, value, upload, seed)
    for name, tolerance in (("share", 0.01), ("value", 0.02), ("accuracy", 1.5)):
        torch.testing.assert_close(found[name], torch.tensor(kept[name]).double(),
                                   rtol=0, atol=tolerance)


def test_the_command_writes_a_file_that_is_read_back(monkeypatch, tmp_path):
    short = {"agents": 5, "runs": {"uni/psi/noise/0": {"share": [1.0]}, "a": {}}}
    monkeypatch.setattr(guesses, "record", lambda progress: short)
    found = CliRunner().invoke(
        reproduce, ["guesses", "--output", str(tmp_path / "kept.json")])
    assert found.exit_code == 0 and "wrote" in found.output
    assert json.loads((tmp_path / "kept.json").read_text()) == short
