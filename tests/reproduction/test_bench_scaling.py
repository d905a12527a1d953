"""The benchmark of one step of the server, against N and D."""

import json
import statistics
import sys

import torch
from click.testing import CliRunner

from book.reproduction.__main__ import reproduce
from book.reproduction.bench import scaling
from fairfl import cgsv


def call(*arguments):
    return CliRunner().invoke(reproduce, ["bench", "server", "--repeats", "2",
                                          *arguments])


def test_the_table_shows_what_the_file_holds(tmp_path):
    file = tmp_path / "out.json"
    result = call("--case", "4", "3000", "--case", "8", "2000000",
                  "--output", str(file))
    assert result.exit_code == 0, result.output
    found = json.loads(file.read_text())
    assert found["settings"] == {"cases": [[4, 3000], [8, 2_000_000]], "repeats": 2,
                                 "seed": 0}
    assert [(row["N"], row["D"]) for row in found["rows"]] == [(4, 3000),
                                                               (8, 2_000_000)]
    for row in found["rows"]:
        assert len(row["all_seconds"]) == 2
        assert row["seconds"] == statistics.median(row["all_seconds"])
        assert row["readings"] == row["seconds"] / row["reading_seconds"]
        assert row["updates_bytes"] == 4 * row["N"] * row["D"]
        assert f"{1000 * row['seconds']:10.2f} {row['readings']:9.1f}" in result.output
    if sys.platform == "linux":
        # the updates, the sum, one download at a time, and what sorting it takes, which
        # hangs on the CPU; all downloads at a time would be eight more
        parts = found["rows"][1]["peak_bytes"] / (4 * 2_000_000)
        assert 10 <= parts <= 18


def test_the_step_values_the_updates_and_makes_every_download(monkeypatch):
    made = []
    right = scaling.CGSV.apply

    def apply(self, *arguments):
        state, found = right(self, *arguments)
        row = found.reward.row
        found.reward.row = lambda i: made.append(i) or row(i)
        return state, found

    monkeypatch.setattr(scaling.CGSV, "apply", apply)
    u = scaling.updates(5, 400, 0)
    psi = scaling.step(u)()
    unit = u.double() / u.double().norm(dim=1, keepdim=True)
    torch.testing.assert_close(psi, cgsv.cosine(unit, unit.sum(0)), rtol=1e-6, atol=0)
    assert sorted(made) == list(range(5))
    assert psi.min() > 0  # a part is common to all


def test_what_does_not_fit_is_left_out_and_named(monkeypatch):
    monkeypatch.setattr(scaling, "free", lambda: 40_000.0)
    found = scaling.server([(10, 1000), (2, 1000)], repeats=1)
    assert found["left_out"] == [[10, 1000]]
    assert [row["N"] for row in found["rows"]] == [2]
    assert "   10      1000 left out" in list(scaling.table(found))[-1]


def test_the_grid_reaches_a_thousand_agents_and_25_million_parameters():
    found = scaling.cases()
    assert (1000, 100_000) in found and (10, 25_000_000) in found
    assert max(n * d for n, d in found[:-1]) <= scaling.MOST
    assert found[-1] == (100, 25_000_000)
    assert scaling.free() > 0


def test_the_record_holds_the_grid(request):
    file = request.config.rootpath / "data/results/bench-server.json"
    found = json.loads(file.read_text())
    measured = {(row["N"], row["D"]) for row in found["rows"]}
    left_out = {tuple(case) for case in found["left_out"]}
    assert measured | left_out == set(scaling.cases())
    # no second copy of the updates where they are many
    assert all(row["peak_bytes"] < 1.5 * row["updates_bytes"] for row in found["rows"]
               if row["N"] >= 20 and row["D"] >= 1_000_000)
