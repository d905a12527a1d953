"""What agents take home for what they bring, the game of contributions, and the records
of both."""

import json
from itertools import combinations
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from book.reproduction import contribution_game, incentive
from book.reproduction.command import reproduce
from fairfl.training import plain

RESULTS = Path(__file__).resolve().parents[2] / "data" / "results"
TOLERANCE = 4  # right answers of 897; another machine sums in another order


@pytest.fixture(scope="module")
def record():
    return json.loads((RESULTS / "incentive.json").read_text())


@pytest.fixture(scope="module")
def game():
    return json.loads((RESULTS / "contribution-game.json").read_text())


def rows(x):
    return {tuple(row) for row in x.tolist()}


def test_the_gradient_written_out_is_that_of_plain_training():
    held = incentive.agents(1, (2, 7, 40, 160), (200,) * 4)
    fed = incentive.federation(1, held, "CGSV")
    start = fed.start()
    at = start.models + 0.1 * torch.randn(4, fed.layout.dimension, dtype=torch.float64)
    given = (fed.module, at, start.buffers, fed.agents, incentive.LOCAL, 3, 1)
    before = at.clone()
    (ours, _), (theirs, _) = incentive.full_batch(*given), plain.train(*given)
    assert theirs.abs().max() > 0.1 and torch.equal(at, before)
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-12)


def test_images_are_dealt_once_and_other_seeds_deal_them_otherwise():
    dealt = incentive.deal(0)
    parts = [rows(x) for x, _ in dealt]
    assert [len(y) for _, y in dealt] == [800, 897, 100]
    assert not any(one & two for one, two in combinations(parts, 2))
    assert len(set.union(*parts)) == 1797
    assert rows(incentive.deal(1).test[0]) != parts[1]
    for _, y in dealt:  # of each class about as much as in all
        assert torch.bincount(y).min() > 0.085 * len(y)


def test_who_brings_more_keeps_what_it_had_and_takes_none_of_anothers():
    few, many = incentive.with_samples(2, 10), incentive.with_samples(2, 320)
    assert torch.equal(many[0].x[:10], few[0].x)
    assert [len(agent.y) for agent in many] == [320, 40, 40, 40, 40]
    for one, two in combinations(many, 2):
        assert not rows(one.x) & rows(two.x)
    for one, two in zip(few[1:], many[1:], strict=True):
        assert torch.equal(one.x, two.x)
    full = incentive.agents(0, (162,) * 4, contribution_game.ROOMS)
    assert len(set.union(*(rows(agent.x) for agent in full))) == 4 * 162


def test_wrong_labels_are_agent_1s_and_grow():
    less, more = (incentive.with_wrong_labels(0, part) for part in (0.2, 0.6))
    wrong = [(agents[0].y != agents[0].true_y) for agents in (less, more)]
    assert [int(one.sum()) for one in wrong] == [16, 48]
    assert (wrong[1] | ~wrong[0]).all()
    assert all((a.y == (a.y if a.true_y is None else a.true_y)).all()
               for a in more[1:])


@pytest.mark.parametrize(("case", "sizes"), [
    ("alike", [40] * 5), ("unequal classes", [40] * 5), ("wrong labels", [40] * 5),
    ("one large agent", [320, 40, 40, 40, 40])])
def test_the_cases(case, sizes):
    held = incentive.CASES[case](3)
    assert [len(agent.y) for agent in held] == sizes
    if case == "unequal classes":
        assert [len(agent.y.unique()) for agent in held] == [1, 3, 5, 7, 10]
    if case == "wrong labels":
        wrong = [int((a.y != a.true_y).sum()) for a in held]
        assert wrong == [0, 0, 8, 16, 24]


def test_the_record_holds_every_run_of_every_seed(record):
    assert set(record["runs"]) == {name for name, _ in incentive.choices()}
    assert record["seeds"] == list(incentive.SEEDS)
    for name, run in record["runs"].items():
        for key, values in run.items():
            assert len(values) == len(incentive.SEEDS), name
            if key in ("right", "trained"):
                assert all(0 <= one <= incentive.TEST for row in values for one in row)
                assert all(len(row) == 5 for row in values)
        if "q" in run:
            assert all(0 <= q <= 1 for q in run["q"]), name


def test_the_game_holds_every_profile_of_every_seed(game):
    assert set(game["runs"]) == {
        f"{mechanism}/{'-'.join(map(str, profile))}"
        for mechanism in contribution_game.MECHANISMS
        for profile in contribution_game.PROFILES}
    assert len(game["profiles"]) == 70 == len(set(map(tuple, game["profiles"])))
    for name, run in game["runs"].items():
        assert len(run) == len(incentive.SEEDS), name
        assert all(0 <= one <= incentive.TEST for row in run for one in row), name
    assert torch.tensor(game["alone"]).shape == (len(incentive.SEEDS), 5, 4)


@pytest.mark.parametrize("name", [
    "samples/CGSV/10", "samples/energy 0.25/160", "labels/stale 2/0.4",
    "joined/Lin/unequal classes", "joined/CFFL/unequal sizes"])
def test_the_record_is_run_again(record, name):
    run, kept = dict(incentive.choices())[name], record["runs"][name]
    for k in (0, 7):
        for key, value in run(incentive.SEEDS[k]).items():
            gap = torch.tensor(value or 0) - torch.tensor(kept[key][k] or 0)
            exact = key in ("right", "trained")
            assert gap.abs().max() <= (TOLERANCE if exact else 0.01), key


@pytest.mark.parametrize(("mechanism", "profile"), [
    ("CGSV", (2, 54, 54, 54)), ("FedAvg", (2, 6, 18, 162)), ("IAFL", (6, 6, 18, 54)),
    ("energy 1", (54, 54, 162, 162))])
def test_the_game_is_played_again(game, mechanism, profile):
    kept = game["runs"][f"{mechanism}/{'-'.join(map(str, profile))}"]
    for k in (0, 5):
        found = contribution_game.measure(incentive.SEEDS[k], profile, mechanism)
        gap = torch.tensor(found) - torch.tensor(kept[k])
        assert gap.abs().max() <= TOLERANCE


def test_alone_is_a_level_for_each_agent(game):
    gap = torch.tensor(contribution_game.alone(1)) - torch.tensor(game["alone"][1])
    assert gap.abs().max() <= TOLERANCE


@pytest.mark.parametrize(("module", "name"), [
    (incentive, "incentive"), (contribution_game, "contribution-game")])
def test_the_commands_write_files_that_are_read_back(monkeypatch, tmp_path, module,
                                                     name):
    short = {"seeds": [0], "runs": {"a/b/c": {"right": [[1, 2]]}}}
    monkeypatch.setattr(module, "record", lambda progress: short)
    found = CliRunner().invoke(
        reproduce, [name, "--output", str(tmp_path / "kept.json")])
    assert found.exit_code == 0 and "wrote" in found.output
    assert json.loads((tmp_path / "kept.json").read_text()) == short
