"""The benchmark of the engine: its loops are right on their own, it compares, and it
says what it measured."""

import json
import statistics
import sys
import time

import pytest
import torch
from click.testing import CliRunner

from book.reproduction.__main__ import reproduce
from book.reproduction.bench import cases, common, engine, reference, subjects
from book.reproduction.bench.cases import Case, Method, Options
from book.reproduction.bench.common import Disagreement
from fairfl import cgsv, datasets, downloads, models, rewards, vectors

F64 = torch.float64
OPTIONS = Options(repeats=2, root=None, seed=0, quick=True)


def call(*arguments):
    return CliRunner().invoke(reproduce,
                              ["bench", "engine", "--quick", "--repeats", "1",
                               *arguments])


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    file = tmp_path_factory.mktemp("bench") / "out.json"
    result = call("--output", str(file))
    assert result.exit_code == 0, result.output
    return result.output, json.loads(file.read_text())


@pytest.mark.slow
def test_all_parts_are_measured(measured):
    _, found = measured
    elsewhere = {part
                 for part, here in (("gpu", torch.cuda.is_available()),
                                    ("memory", sys.platform == "linux")) if not here}
    assert {row["part"] for row in found["rows"]} == set(engine.PARTS) - elsewhere
    assert found["settings"] == {"parts": list(engine.PARTS), "repeats": 1, "seed": 0,
                                 "quick": True}
    assert found["threads"] == torch.get_num_threads()
    assert set(found["load"]) == {"before", "after"}
    # Nothing is judged at such sizes
    assert all(row["wanted"] is None for row in found["rows"])


@pytest.mark.slow
def test_speed_is_the_quotient_of_medians_to_the_first_method(measured):
    _, found = measured
    first = {}
    for row in found["rows"]:
        assert row["median"] == statistics.median(row["values"])
        assert len(row["values"]) == 1
        assert row["data"] == "digits" or row["data"].startswith("random numbers")
        if row["unit"] == "seconds":
            base = first.setdefault((row["part"], row["case"]), row["median"])
            assert row["result"] == pytest.approx(base / row["median"])


@pytest.mark.slow
def test_the_table_shows_what_the_file_holds(measured):
    output, found = measured
    for row in found["rows"]:
        if row["unit"] == "seconds":
            assert f"{row['method']:32} {1000 * row['median']:10.2f} ms" in output
            assert f"{row['result']:.2f} times as fast" in output
        assert f"{row['part']}: {row['case']} ({row['data']})" in output


def test_the_table_says_what_was_missed():
    rows = [cases.row("p", "c", "d", "m", "seconds", [1.0, 3.0, 2.0], 4.0, wanted)
            for wanted in (3.9, 4.1)]
    rows += [cases.row("p", "c", "d", "m", "of the training's time", [0.02], 0.02,
                       wanted) for wanted in (0.01, 0.03)]
    found = {"device": "CPU", "threads": 1, "gpu": None,
             "load": {"before": 0.0, "after": 0.0}, "rows": rows}
    verdicts = [line.rsplit(" ", 1)[1] for line in engine.table(found)
                if "wanted" in line]
    assert verdicts == ["yes", "MISSED", "MISSED", "yes"]


@pytest.mark.slow
def test_parts_can_be_chosen_and_unknown_ones_are_refused():
    result = call("--part", "digits")
    assert result.exit_code == 0
    assert "digits, float32, 20 agents" in result.output
    assert "server:" not in result.output
    result = call("--part", "colour")
    assert result.exit_code == 2
    assert "known are server, round, evaluation" in result.output


def test_a_wrong_answer_stops_the_benchmark(monkeypatch):
    right = downloads.limits
    monkeypatch.setattr(downloads, "limits", lambda entries, counts, ties: right(
        entries, (counts - 1).clamp(min=0), ties))
    result = call("--part", "server")
    assert result.exit_code == 1
    assert "'one sort a layer, ties kept' differs from" in result.output


@pytest.mark.parametrize("gap", [1.1e-3, float("nan")])
def test_answers_must_be_near_those_of_the_twin_and_are_not_timed_before(gap):
    calls = []

    def method(answer):
        return lambda: (calls.append(1), torch.tensor([answer]))[1]

    case = Case("c", "d",
                {"a": Method(method(1.0)), "b": Method(method(1.0 + gap), "a")},
                tolerance=1e-3)
    with pytest.raises(Disagreement, match="p, c: 'b' differs from 'a'"):
        cases.compare("p", case, OPTIONS)
    assert len(calls) == 2
    near = case._replace(methods=case.methods | {"b": Method(method(1.0005), "a")})
    assert [row["method"] for row in cases.compare("p", near, OPTIONS)] == ["a", "b"]


# ---- the loops to compare with


def test_the_textbook_networks_are_ours():
    pairs = [("mnist_cnn", {}, reference.MnistCNN(), torch.randn(3, 1, 28, 28)),
             ("digits_cnn", {}, reference.DigitsCNN(), torch.randn(3, 1, 8, 8)),
             ("text_cnn", {"vocabulary": 20, "classes": 3}, reference.TextCNN(20, 3),
              torch.tensor([[4, 5, 0], [7, 0, 0]]))]
    for name, options, literal, x in pairs:
        ours = models.build(name, 0, torch.float32, **options)
        vectors.load(literal, vectors.flatten(ours))
        torch.testing.assert_close(literal(x), ours(x), rtol=1e-4, atol=1e-5)
        if hasattr(ours, "noise"):
            draws = [torch.Generator().manual_seed(0) for _ in range(2)]
            assert torch.equal(literal.noise(5, draws[0]), ours.noise(5, draws[1]))


def test_the_literal_reward_by_hand():
    total, held = torch.tensor([1.0, -3.0, 2.0, 4.0, 4.0]), torch.ones(2, 5)
    reference.reward(total, torch.tensor([0.5, 1.0], dtype=F64),
                     [slice(0, 3), slice(3, 5)], held)
    # Floor(1.5) = 1 of three, and a tie
    assert held.tolist() == [[1, -2, 1, 5, 5], [2, -2, 3, 5, 5]]
    held = torch.zeros(2, 5)
    reference.ranked(total, torch.tensor([0.3, 0.6], dtype=F64), held)
    assert held.tolist() == [[0, 0, 0, 4, 0], [0, -3, 0, 4, 4]]


def test_the_literal_server_finds_the_values():
    updates = torch.randn(3, 40, generator=torch.Generator().manual_seed(0), dtype=F64)
    weights, held = torch.tensor([0.2, 0.3, 0.5], dtype=F64), torch.zeros(3, 40,
                                                                          dtype=F64)
    psi = reference.serve(updates, weights, 0.5, 1.0, [slice(0, 40)], held)
    u = rewards.normalise(updates, 0.5)
    torch.testing.assert_close(psi, cgsv.cosine(u, rewards.aggregate(u, weights)))
    best = psi.argmax()
    torch.testing.assert_close(held[best], rewards.aggregate(u, weights))


# ---- data


def test_random_numbers_take_the_place_of_missing_data(tmp_path):
    found = subjects.sst(2, tmp_path, 0, False)
    assert found.data == "random numbers in the shape of sst"
    x = torch.cat([agent.x for agent in found.agents])
    assert x.shape == (8544,
                       56) and x.min() == 0 and x.max() <= 16_582 and (x[:, 0]
                                                                       > 0).all()
    found = subjects.mnist(5, tmp_path, 0, False)
    assert found.agents[0].x.shape[1:] == (1, 28, 28) and len(found.test[1]) == 10_000
    assert sum(len(agent.y) for agent in found.agents) == 3000


def test_real_data_are_used_where_they_lie():
    try:
        data = datasets.load("mnist", download=False)
    except datasets.DataError as error:
        pytest.skip(str(error))
    found = subjects.mnist(5, None, 0, False)
    assert found.data == "mnist" and torch.equal(found.test[0], data.test_x)


def test_a_short_call_is_repeated_in_its_turn_and_the_mean_counts():
    calls = []
    timed, answers = common.take_turns(
        {"short": lambda: (calls.append(1), time.sleep(0.002))[0],
         "long": lambda: time.sleep(0.06)}, 2, warm=True, turn=0.05)
    assert len(timed["short"]) == len(timed["long"]) == 2
    assert 4 <= len(calls) <= 60 and answers == {"short": None, "long": None}
    assert all(0.002 <= took < 0.05 for took in timed["short"])
    assert all(took >= 0.06 for took in timed["long"])
