"""The benchmark compares what must agree, and says what it measured."""

import json
import sys
from importlib.util import find_spec

import pytest
import torch
from click.testing import CliRunner

from book.reproduction.__main__ import reproduce
from book.reproduction.bench import valuation
from fairfl import cgsv


def call(*arguments):
    return CliRunner().invoke(
        reproduce,
        ["bench", "valuation", "--repeats", "2", "--permutations", "10", *arguments],
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    file = tmp_path_factory.mktemp("bench") / "out.json"
    result = call("--case", "4", "30", "--case", "5", "20", "--output", str(file))
    assert result.exit_code == 0, result.output
    return result.output, json.loads(file.read_text())


def test_the_table_shows_what_the_file_holds(measured):
    output, found = measured
    lines = [line.split() for line in output.splitlines()]
    for row in found["rows"]:
        (line,) = [
            line
            for line in lines
            if line[:2] == [str(row["agents"]), str(row["dimension"])]
            and " ".join(line[2:]).startswith(
                row["method"] + " " + f"{1000 * row['median']:.3f}"
            )
        ]
        assert float(line[-1]) == pytest.approx(row["ratio"], rel=1e-3)


def test_ratios_are_quotients_of_medians_to_the_exact_value(measured):
    _, found = measured
    assert {(row["agents"], row["dimension"]) for row in found["rows"]} == {
        (4, 30),
        (5, 20),
    }
    for row in found["rows"]:
        (exact,) = [
            other
            for other in found["rows"]
            if other["method"] == "exact" and other["agents"] == row["agents"]
        ]
        assert row["ratio"] == pytest.approx(row["median"] / exact["median"])
        assert min(row["seconds"]) <= row["median"] <= max(row["seconds"])
        assert len(row["seconds"]) == 2
        assert (row["peak_bytes"] is None) == (sys.platform != "linux")
    assert found["settings"]["seed"] == 0
    assert found["versions"]["torch"] == torch.__version__


def test_the_peak_counts_what_a_call_needs(monkeypatch):
    if sys.platform != "linux":
        pytest.skip("needs Linux")
    small, large = (
        valuation.needed("exact, beyond the gram matrix", n, 8, 10, 0) for n in (4, 18)
    )
    # 2^18 doubles for each of several tables would be more
    assert small < 3e7 and small < large < 64e6


def test_the_literal_twins_are_right_on_their_own():
    u = valuation.updates(4, 9, 1)
    torch.testing.assert_close(valuation.literal(u), cgsv.exact(cgsv.gram(u)))
    two = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    assert valuation.literal(two).tolist() == pytest.approx([0.5, 0.5])
    assert valuation.literal_sampling(two, 10, 0).sum().item() == pytest.approx(1)


@pytest.mark.parametrize("name", ["exact", "sampled"])
def test_a_wrong_value_stops_the_benchmark(monkeypatch, name):
    right = getattr(cgsv, name)

    def wrong(*arguments, **options):
        found = right(*arguments, **options)
        return (
            found + 1e-6
            if name == "exact"
            else found._replace(values=found.values + 1e-6)
        )

    monkeypatch.setattr(cgsv, name, wrong)
    result = call("--case", "4", "30")
    assert result.exit_code == 1 and "differ by" in result.output


def test_a_long_literal_loop_is_left_out_with_a_word(monkeypatch):
    monkeypatch.setattr(valuation, "LITERAL", 100)
    result = call("--case", "4", "30")
    assert result.exit_code == 0
    assert "the literal coalition loop was left out: 2^N D = 5e+02" in result.output
    assert "literal coalition loop  " not in result.output


def test_peers_ask_for_shapiq():
    if find_spec("shapiq"):
        assert call("--case", "10", "20", "--peers").exit_code == 0
    else:
        result = call("--case", "10", "20", "--peers")
        assert result.exit_code == 1 and "pip install shapiq" in result.output


def test_the_peer_gets_our_game_and_its_values_by_agent(monkeypatch):
    class ExactComputer:
        """As shapiq's: called with an index, it answers values by tuples of players."""

        def __init__(self, game, n_players):
            self.table = torch.as_tensor(
                game(valuation.shapley.coalitions(n_players).numpy())
            )

        def __call__(self, index):
            assert index == "SV"
            return {
                (i,): value
                for i, value in enumerate(valuation.shapley.exact(self.table).tolist())
            }

    monkeypatch.setitem(sys.modules, "shapiq", type(sys)("shapiq"))
    sys.modules["shapiq"].ExactComputer = ExactComputer
    gram = cgsv.gram(valuation.updates(5, 9, 0))
    torch.testing.assert_close(valuation.peer(gram), cgsv.exact(gram))


@pytest.mark.parametrize(
    "arguments",
    [["--case", "4"], ["--case", "0", "5"], ["--repeats", "0"], ["--colour"]],
)
def test_wrong_usage_is_exit_code_2(arguments):
    assert call(*arguments).exit_code == 2
