"""How the settings were chosen."""

from pathlib import Path

import pytest
import torch

from book.reproduction import choice, plan
from fairfl.history import History
from fairfl.runs import records
from fairfl.runs.recommendations import CHOSEN, recommended

RESULTS = Path(__file__).resolve().parents[2] / "data" / "results"


def test_every_family_has_as_many_candidates():
    for dataset in choice.ROUNDS:
        assert {len(tried) for tried in choice.candidates(dataset).values()} == {4}
    assert {run.settings.seed for run in choice.runs()} == {choice.SEED}
    tables = {run.settings.seed for run in plan.everything()}
    assert choice.SEED not in tables


@pytest.mark.parametrize("dataset", CHOSEN)
def test_the_settings_are_those_that_did_best_on_the_validation_set(dataset):
    assert choice.best(dataset, RESULTS) == CHOSEN[dataset]
    for mechanism in ("dw", "rr", "eu", "eci"):
        assert (
            recommended(dataset, mechanism=mechanism).local
            == recommended(dataset, mechanism="fedavg").local
        )


def test_the_best_candidate_is_the_highest_after_the_last_round(tmp_path):
    """The mean over agents and partitions decides, not an earlier round, not one
    partition."""
    for run in choice.runs(("digits",)):
        history = History(("1", "2"))
        number, partition = int(run.file[-6]), run.settings.partition
        late = {1: 0.5, 2: 0.6, 3: 0.7 if partition == "pow" else 0.55, 4: 0.2}[number]
        early = 0.9 if number == 4 else 0.1
        curve = {10: torch.tensor([early, early]), 30: torch.tensor([late, late - 0.1])}
        history._series["validation_accuracy"] = curve
        records.save(records.Record(run.settings, history, {}), run.path(tmp_path))
    scores = choice.scores("digits", tmp_path)
    assert scores["cgsv"][2] == {10: pytest.approx(10), 30: pytest.approx(57.5)}
    assert choice.best("digits", tmp_path) == {
        name: tried[2] for name, tried in choice.candidates("digits").items()
    }
