"""The mechanisms that came later: candidates, rows of the tables, the table itself."""

import json
import math
import statistics
from pathlib import Path

import nbformat
import pytest
from test_claims import write

from book.reproduction import anew, plan, tuning
from book.reproduction.base import LATER, METHODS, Column
from book.reproduction.pages import later
from fairfl import mechanisms

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "data" / "results"
POW, CLA = Column("digits", 5, "pow"), Column("digits", 5, "cla")


@pytest.mark.parametrize(("dataset", "number"), [("digits", 20), ("mnist", 10)])
def test_they_have_as_many_candidates_as_the_others_or_as_each_other(dataset, number):
    found = tuning.later_candidates(dataset)
    assert set(found) == {anew.family(method) for method in LATER}
    assert {len(tried) for tried in found.values()} == {number}
    for tried in found.values():
        assert len({tuple(candidate.items()) for candidate in tried}) == number
    assert len(tuning.candidates("digits")["averaging"]) == 20


def test_their_runs_have_names_of_their_own_and_settings_that_the_mechanism_takes():
    found = list(tuning.later_runs("digits"))
    others = {run.file for run in tuning.runs()}
    wanted = 20 * 2 * (5 * 3 + 6)  # six seeds of Lin
    assert len({run.file for run in found} - others) == len(found) == wanted
    for run in found:
        mechanisms.build(run.settings.mechanism, **run.settings.mechanism_options)
        told = run.settings.mechanism_options.get("contributions")
        assert (told == "classes") == (run.settings.mechanism == "iafl"
                                       and run.settings.partition == "cla")


def test_no_candidate_differs_in_how_differently_it_pays():
    pays = {"beta", "ratio", "explore", "kappa", "recovery", "mu", "pull",
            "keep_own"}
    for tried in tuning.later_candidates("mnist").values():
        assert not pays & {name for candidate in tried for name in candidate}


def test_what_was_chosen_is_the_best_and_has_neighbours():
    for family in tuning.later_candidates("digits"):
        assert anew.CHOSEN["digits"][family] == tuning.best("digits", family, RESULTS)
        assert not tuning.edges("digits", family, RESULTS)


def test_rows_differ_in_what_they_are_named_after_only():
    kept, sent = (anew.run(CLA, method, 1).settings for method in ("rffl", "rffl-sent"))
    assert sent.mechanism_options == kept.mechanism_options | {"keep_own": False}
    assert (sent.local, sent.gamma) == (kept.local, kept.gamma)
    iafl = anew.run(CLA, "iafl-recovering", 1).settings.mechanism_options
    assert iafl == {"contributions": "classes", "recovery": 0.1}
    assert anew.run(POW, "iafl", 1).settings.mechanism_options == {}


def test_rows_on_mnist_are_planned_as_soon_as_settings_are_chosen(monkeypatch):
    columns = plan.MNIST_10[:2]
    monkeypatch.setitem(anew.CHOSEN, "mnist", {})
    assert not list(anew.later(columns))
    monkeypatch.setitem(anew.CHOSEN, "mnist", anew.CHOSEN["digits"])
    found = [run.settings for run in anew.later(columns)]
    assert len(found) == len(LATER) * 2 * 3
    assert ({(s.agents, s.partition, s.seed) for s in found}
            == {(10, kind, seed) for kind in ("pow", "cla") for seed in (0, 1, 2)})


def test_a_row_by_hand(tmp_path):
    """Digits have 597 test samples: at 75 % a standard error is 1.8 points."""
    for seed, more in ((0, 0.0), (1, 0.02)):
        for method in METHODS:
            alone = [0.5, 0.6, 0.7, 0.8, 0.9]
            write(tmp_path, anew.run(POW, method, seed),
                  alone if method == "standalone" else [0.7] * 5)
        write(tmp_path, anew.run(POW, "shapfed", seed),
              [0.7 + more, 0.72 + more, 0.75 + more, 0.78 + more, 0.80 + more])
    (alone, shapfed) = later.rows(tmp_path, "digits-5-pow", ("standalone", "shapfed"))
    assert alone[:2] == ["Standalone", "70.0&nbsp;±&nbsp;0.0"] and alone[5] == ""
    # 75 and 77; t of one degree of freedom at 90 % is 6.31: 6.31 * 1
    assert shapfed[:3] == ["ShapFed", "76.0&nbsp;±&nbsp;6.3", "10.0&nbsp;±&nbsp;0.0"]
    assert shapfed[3:] == ["100 (2)", "4.1", "1.5"]
    # agent 5 in both seeds; agent 4 in seed 0: 2 points are more than 1.8


def test_equal_models_have_no_rho(tmp_path):
    for method in METHODS:
        write(tmp_path, anew.run(POW, method, 0), [0.7] * 5)
    write(tmp_path, anew.run(POW, "fedce", 0), [0.8] * 5)
    [row] = later.rows(tmp_path, "digits-5-pow", ("fedce",))
    assert row == ["FedCE", "80.0", "0.0", "", "0.0", "0.0"]


def shown(partition):
    """The rows of the table in the chapter: method -> cells."""
    notebook = nbformat.read(ROOT / "book" / "the_competition.ipynb", 4)
    texts = (output["data"]["text/markdown"] for cell in notebook.cells
             if cell.cell_type == "code" for output in cell.outputs
             if "text/markdown" in output.get("data", {}))
    table = next(text for text in texts if text.startswith(f"| {partition} |"))
    lines = ([cell.strip() for cell in line.split("|")[1:-1]]
             for line in table.splitlines()[2:])
    return {name: cells for name, *cells in lines}


def accuracies(partition, method):
    """(seeds, agents) percent, read without the library."""
    folder = RESULTS / "tables"
    files = [folder / f"digits-5-{partition}-{method}-seed{seed}.json"
             for seed in (0, 1, 2)]
    return [[100 * a for a in json.loads(file.read_text())["history"]["series"]
             ["test_accuracy"]["values"][-1]] for file in files]


@pytest.mark.parametrize("partition", ["pow", "cla"])
def test_each_number_of_the_chapters_table_is_in_a_record(partition):
    table = shown(partition.upper())
    alone = accuracies(partition, "standalone")
    assert len(table) == len(later.SHOWN)
    for method, cells in zip(later.SHOWN, table.values(), strict=True):
        found = accuracies(partition, method)
        # t of two degrees of freedom at 90 % is 2.92
        for cell, values in ((cells[0], [statistics.mean(a) for a in found]),
                             (cells[1], [max(a) - min(a) for a in found])):
            half = 2.92 * statistics.stdev(values) / math.sqrt(3)
            assert [*map(float, cell.split("&nbsp;±&nbsp;"))] == pytest.approx(
                [statistics.mean(values), half], abs=0.06)
        deviation = [statistics.stdev(a) for a in found]
        assert float(cells[3]) == pytest.approx(statistics.mean(deviation), abs=0.06)
        if method == "standalone":
            assert cells[2] == cells[4] == ""
            continue
        mean = statistics.mean(map(statistics.mean, found))
        worse = [sum(b - a > error(mean) for a, b in zip(*both, strict=True))
                 for both in zip(found, alone, strict=True)]
        assert float(cells[4]) == pytest.approx(statistics.mean(worse), abs=0.06)
        rho = [100 * statistics.correlation(a, b)
               for a, b, spread in zip(found, alone, deviation, strict=True)
               if spread > 2 * error(statistics.mean(a))]
        assert cells[2] == (f"{statistics.mean(rho):.0f} ({len(rho)})" if rho else "")


def error(percent):
    """One standard error of an accuracy on the 597 test samples."""
    return math.sqrt(percent * (100 - percent) / 597)
