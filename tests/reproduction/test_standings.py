"""Who is in front: words that follow from records, whatever these are."""

import json
import math

import pytest
from test_claims import write

from book.reproduction import plan
from book.reproduction.base import METHODS, Column
from book.reproduction.pages import answers, live, standings, winners
from book.reproduction.pages.sources import Recorded

SST = Column("sst", 5, "pow")
ALONE = [0.20, 0.22, 0.24, 0.26, 0.28]


def record(results, levels, seeds=(0, 1, 2), spread=0.002, column=SST):
    """All methods at 30 % but those in `levels`; a little more on each further seed."""
    for seed in seeds:
        for k, method in enumerate(METHODS):
            level = levels.get(method, 0.30) + spread * seed + 1e-5 * k
            accuracy = (ALONE if method == "standalone" else
                        [level + 0.02 * i for i in range(-2, 3)])
            write(results, plan.run(column, method, seed), accuracy)
    return Recorded(results)


def words(source, quantity="mean"):
    return {place.method: place.word
            for place in standings.standing(source, SST.name, quantity)}


def test_a_method_far_ahead_leads_and_all_others_are_behind(tmp_path):
    source = record(tmp_path, {"cffl": 0.5})
    found = words(source)
    assert found.pop("cffl") == standings.LEADS
    assert set(found.values()) == {standings.BEHIND}
    winner = winners.winner(source)
    assert winner.method == "cffl" and winner.alone == 1
    assert "**CFFL wins**" in winners.who_wins(winner)
    assert "**CFFL wins**" in answers.best(source)
    assert "**CFFL wins**" in answers.summary(source)


def test_methods_within_the_margin_are_not_told_apart(tmp_path):
    source = record(tmp_path, {})  # the margin on SST is about one point
    found = words(source)
    assert found.pop("standalone") == standings.BEHIND
    assert sorted(set(found.values())) == [standings.LEADS, standings.APART]
    winner = winners.winner(source)
    assert not winner.method and "**no method wins**" in winners.who_wins(winner)
    assert winner.single == ()


def test_rows_of_one_mechanism_do_not_stand_in_each_others_way(tmp_path):
    four = {method: 0.5 for method in METHODS if method.startswith("cgsv")}
    winner = winners.winner(record(tmp_path, four))
    assert METHODS[winner.method][0] == "cgsv" and winner.alone == 1
    assert not winners.winner(record(tmp_path, four | {"cffl": 0.5})).method


def test_a_single_seed_tells_nobody_apart(tmp_path):
    source = record(tmp_path, {"cffl": 0.5, "rr": 0.1}, seeds=(0,))
    assert set(words(source).values()) == {standings.LEADS, standings.APART}
    winner = winners.winner(source)
    assert winner.single == (SST.name,) and winner.columns == () and not winner.method
    assert "nobody wins" in winners.who_wins(winner)
    assert "single seed" in winners.who_is_behind(winner)
    assert all(math.isnan(place.low)
               for place in standings.standing(source, SST.name))


def test_a_difference_has_one_of_three_words(tmp_path):
    source = record(tmp_path, {"fedavg": 0.4, "cgsv-beta1": 0.3})
    compare = standings.compared
    assert compare(source, SST.name, "fedavg", "cgsv-beta1").word == "holds"
    assert compare(source, SST.name, "cgsv-beta1", "fedavg").word == "fails"
    assert compare(source, SST.name, "dw", "rr").word == "cannot tell"
    assert compare(source, "mr-5-pow", "dw", "rr") is None
    found = [compare(source, SST.name, *pair) for pair in
             (("fedavg", "dw"), ("dw", "fedavg"), ("dw", "rr"))]
    assert winners.tally(found) == (
        "*holds* on 1 and *fails* on 1 of 3 columns; on the other 1 one *cannot tell*")
    assert winners.tally(found[2:]) == "is open on one column: one *cannot tell*"
    assert winners.tally([None]) == "is not recorded"
    assert [standings.signed(x) for x in (-0.04, 0.3, -1)] == ["0.0", "+0.3", "−1.0"]
    row = standings.rows(found)[0]
    assert row[0] == "SST 5 POW" and row[1] == "3" and row[2] == "+10.0"


@pytest.mark.parametrize("quantity, number", [
    ("mean", 30.0), ("best", 34.0), ("worst", 26.0), ("gain", 6.0), ("least", 6.0)])
def test_each_quantity_by_hand(tmp_path, quantity, number):
    source = record(tmp_path, {"fedavg": 0.3}, seeds=(0,), spread=0)
    found = standings.values(source, quantity, "fedavg", SST.name)
    assert found[0] == pytest.approx(number, abs=0.01)


def test_a_fairness_without_differences_is_not_placed(tmp_path):
    source = record(tmp_path, {})
    for seed in range(3):
        write(tmp_path, plan.run(SST, "fedavg", seed), [0.3] * 5)
    places = standings.standing(source, SST.name, "rho")
    assert places[-1].method == "fedavg" and places[-1].word == standings.NO_NUMBER
    assert "standalone" not in {place.method for place in places}
    assert answers.kinds(source)["undefined"] == 1


def test_agents_that_do_better_alone_are_counted(tmp_path):
    source = record(tmp_path, {"cgsv-beta1": 0.23}, spread=0)
    assert answers.losing(source, "cgsv-beta1") == (5, 5)
    assert answers.losing(source, "fedavg") == (0, 5)
    assert "5 of 5 agents do better alone by" in answers.works(source)
    less = record(tmp_path, {"cgsv-beta1": 0.235}, spread=0)  # by .5; the margin is .9
    assert answers.losing(less, "cgsv-beta1") == (0, 5)


def test_without_records_every_answer_says_so(tmp_path):
    record(tmp_path, {}, seeds=(0,))
    for file in (tmp_path / "runs").glob("*.json"):
        file.unlink()
    source = Recorded(tmp_path)
    assert standings.columns(source, complete=False) == []
    assert "nobody wins" in answers.best(source)
    assert "an unknown number of points" in answers.works(source)
    assert "not recorded" in answers.goes_on(tmp_path)
    assert "an unknown number of points" in answers.on_text(source, {"sst": 28.6,
                                                                     "mr": 50.0})
    assert "0 of 0 columns" in answers.summary(source)
    assert standings.data(tmp_path)["columns"] == {}
    assert math.isnan(live.minutes("sst-5-pow", tmp_path))
    assert "no times are" in live.announcement("sst-5-pow", "cpu", tmp_path)


def test_the_data_of_the_explorable_are_the_places(tmp_path):
    source = record(tmp_path, {"cffl": 0.5})
    data = standings.data(tmp_path)
    assert list(data["columns"]) == [SST.name]
    assert set(data["places"]) == {f"{SST.name}/{quantity}/{convention}"
                                   for quantity in standings.QUANTITIES
                                   for convention in data["conventions"]}
    shown = data["places"][f"{SST.name}/mean/downloaded"]
    assert shown["words"].startswith("CFFL has the highest mean. Behind it: ")
    places = standings.standing(source, SST.name)
    assert [row[0] for row in shown["rows"]] == [
        standings.method_label(place.method) for place in places]
    assert shown["rows"][0][2] == pytest.approx(places[0].mean, abs=1e-3)
    json.dumps(data, allow_nan=False)


def test_what_runs_live_is_what_was_recorded(tmp_path):
    found = live.settings("sst-5-pow", results=tmp_path)
    assert found["qffl"] == plan.run(SST, "qffl", 0).settings
    short = live.settings("digits-5-cla", results=tmp_path)
    assert {one.rounds for one in short.values()} == {16}
    assert list(short) == list(live.METHODS)
    assert live.workers("sst-5-pow", "cpu") == 2
    assert live.workers("sst-5-pow", "cuda") == live.workers("digits-5-cla", "cpu") == 1
