"""The page's table of candidates, on records made up."""

import pytest
import torch

from book.reproduction import tuning
from book.reproduction.pages import candidates
from fairfl.history import History
from fairfl.runs.records import Record, save


@pytest.fixture
def results(tmp_path):
    """MR: FedAvg gains with the travel, CGSV loses; of q-FFL one candidate ran."""
    for run in tuning.runs(("mr",)):
        settings = run.settings
        far = tuning.travel(settings) / 1000
        accuracy = {"fedavg": 0.6 + far, "cgsv": 0.7 - far}.get(settings.mechanism)
        if "qffl-lr0.002-q0.0001" in run.file:
            accuracy = 0.65
        if accuracy:
            history = History(("1", "2"))
            history._series["validation_accuracy"] = {
                settings.rounds: torch.tensor([accuracy - 0.1, accuracy + 0.1])}
            run.path(tmp_path).parent.mkdir(exist_ok=True)
            save(Record(settings, history, {}), run.path(tmp_path))
    return tmp_path


def test_the_best_stands_first_and_says_where_it_lacks_a_neighbour(results):
    rows = candidates.rows("mr", results)
    count = len(tuning.candidates("mr")["averaging"])
    assert [row[0] for row in rows] == ["FedAvg and CGSV"] * count + ["q-FFL"]
    # all means are .65, so the first candidate is the best: 1 (1 - .9^20) / .1
    assert rows[0][1:] == ("lr 0.0005, gamma 1, decay 0.9", [
        "9", "60.9, 69.1", "best, at an edge in lr and travel"])
    assert rows[1][2][2] == ""
    assert rows[-1][1:] == ("lr 0.002, q 0.0001", [
        "", "65.0", "best, at an edge in lr and q"])


def test_pairs_are_fedavg_and_cgsv_with_one_candidate(results):
    found = candidates.pairs("mr", results)
    assert len(found) == len(tuning.candidates("mr")["averaging"])
    for pair in found:
        assert pair.fedavg == pytest.approx(60 + pair.travel / 10)
        assert pair.cgsv == pytest.approx(70 - pair.travel / 10)
    assert {pair.lr for pair in found} == {5e-4, 1e-3}
