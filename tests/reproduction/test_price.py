"""What a fraction of the pay buys, by currency, and the record of it."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from book.reproduction import price
from book.reproduction.command import reproduce
from fairfl import datasets, models, vectors

RECORD = Path(__file__).resolve().parents[2] / "data" / "results" / "price.json"


@pytest.fixture(scope="module")
def course():
    """Two rounds, and so of no use but to see what is taken of them."""
    found = price.Course(datasets.load("digits"), "uni", 0, rounds=2)
    found.tested = []
    found.test = lambda models: found.tested.append(models) or 0.0
    return found


def taken(course, currency, fraction):
    price.CURRENCIES[currency](course, fraction)
    return course.tested[-1] - course.servers[0]


def test_all_currencies_at_full_pay_are_the_last_model(course):
    for name in price.CURRENCIES:
        if not name.startswith("width"):
            found = taken(course, name, 1.0)
            assert torch.allclose(found, course.whole.expand_as(found),
                                  atol=1e-12), name


def test_half_of_the_entries_by_size_and_by_lot(course):
    whole, half = course.whole, len(course.whole) // 2
    kept = taken(course, "largest entries", 0.5)
    assert int((kept != 0).sum()) == half
    assert kept.abs()[kept != 0].min() >= whole.abs()[kept == 0].max()
    drawn = taken(course, "random entries", 0.5)
    moved = int((whole != 0).sum())  # some entries have not: dead units
    assert int((drawn != 0).sum()) == pytest.approx(moved / 2, rel=0.03)
    assert torch.equal(drawn[drawn != 0], whole[drawn != 0])
    assert drawn.norm() < kept.norm()
    sums = course.servers.diff(dim=0)
    masked = [u * (u.abs() >= u.abs().sort().values[-half]) for u in sums]
    assert torch.allclose(taken(course, "largest entries, each round", 0.5),
                          sum(masked), atol=1e-14)


def test_half_of_the_rounds_of_the_updates_and_of_the_agents(course):
    one = course.servers[1] - course.servers[0]
    assert torch.equal(taken(course, "an older model", 0.5), one)
    found, each = taken(course, "some updates a round", 0.1), course.updates
    assert min((found - first - second).abs().max() for first in each[0]
               for second in each[1]) < 1e-12  # one update of each round
    ten = taken(course, "fewer agents", 1.0)
    assert torch.allclose(ten, course.whole, atol=1e-12)
    alone = taken(course, "fewer agents", 0.1)
    assert (course.alone - course.servers[0] - alone).abs().amax(1).min() < 1e-12


def test_a_part_of_the_way_and_noise(course):
    assert torch.allclose(taken(course, "part of the way", 0.25), course.whole / 4)
    own = taken(course, "part of the way from its own", 0.25)
    expected = 0.75 * (course.alone - course.servers[0]) + 0.25 * course.whole
    assert torch.allclose(own, expected, atol=1e-12)
    noise = taken(course, "noise", 0.25) - course.whole
    assert float(noise.norm() / course.whole.norm()) == pytest.approx(3**0.5)


def test_a_network_cut_to_a_width_is_the_small_one():
    whole, x = price.Slimmable((1.0, 0.5), 0), datasets.load("digits").test_x[:20]
    net = models.build("digits_cnn", 0)
    outputs = whole(x)
    assert outputs.shape == (20, 2, 10)
    assert torch.allclose(outputs[:, 0], net(x))
    with torch.no_grad():  # units beyond the half answer nothing
        net.conv1.weight[4:], net.conv1.bias[4:] = 0, 0
        net.conv2.weight[8:], net.conv2.bias[8:] = 0, 0
        net.fc1.weight[32:], net.fc1.bias[32:] = 0, 0
    assert torch.allclose(outputs[:, 1], net(x))
    assert torch.equal(vectors.flatten(whole),
                       vectors.flatten(models.build("digits_cnn", 0)))


def test_the_loss_of_all_widths_is_the_sum():
    outputs, y = torch.zeros(3, 2, 4), torch.tensor([0, 1, 3])
    outputs[:, 1, 1] = 2.0
    found = price.at_all_widths(outputs, y)
    each = [torch.nn.functional.cross_entropy(outputs[:, k], y, reduction="none")
            for k in (0, 1)]
    assert torch.allclose(found, each[0] + each[1])


def test_the_record_holds_every_currency():
    record = json.loads(RECORD.read_text())
    assert tuple(record["fractions"]) == price.FRACTIONS
    assert set(record["runs"]) == {
        f"{partition}/{seed}/{currency}" for partition, seed in price.choices()
        for currency in (*price.CURRENCIES, "alone")}
    for name, run in record["runs"].items():
        assert len(run) == (1 if name.endswith("alone") else len(price.FRACTIONS))
        assert all(0 <= at <= 100 for at in run), name
    for partition, seed in price.choices():
        ends = {record["runs"][f"{partition}/{seed}/{name}"][-1]
                for name in price.CURRENCIES if name != "width, trained for it"}
        assert len(ends) == 1  # all that is paid is the last model


@pytest.mark.slow
def test_the_record_is_run_again():
    record = json.loads(RECORD.read_text())
    for name, accuracy in price.measure(datasets.load("digits"), "uni", 1).items():
        kept = record["runs"][f"uni/1/{name}"]
        assert accuracy == pytest.approx(kept, abs=1.5), name


def test_the_command_writes_a_file_that_is_read_back(monkeypatch, tmp_path):
    short = {"agents": 10, "runs": {"uni/0/noise": [1.0], "uni/0/alone": []}}
    monkeypatch.setattr(price, "record", lambda progress: short)
    found = CliRunner().invoke(
        reproduce, ["price", "--output", str(tmp_path / "kept.json")])
    assert found.exit_code == 0 and "wrote" in found.output
    assert json.loads((tmp_path / "kept.json").read_text()) == short
