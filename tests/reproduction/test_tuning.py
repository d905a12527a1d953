"""The extended choice of settings: the same number for all, and what lies at an
edge."""

import pytest
import torch

from book.reproduction import choice, plan, tuning
from fairfl.history import History
from fairfl.runs.recommendations import recommended
from fairfl.runs.records import Record, save


def write(run, results, accuracy):
    history = History(("1", "2"))
    last = run.settings.rounds
    early, late = (torch.tensor([a, a - 0.1]) for a in (1 - accuracy, accuracy))
    history._series["validation_accuracy"] = {1: early, last: late}
    run.path(results).parent.mkdir(exist_ok=True)
    save(Record(run.settings, history, {}), run.path(results))


@pytest.mark.parametrize("dataset", tuning.ORDER)
def test_every_family_has_as_many_different_candidates(dataset):
    found = tuning.candidates(dataset)
    assert len({len(tried) for tried in found.values()}) == 1
    for family, tried in found.items():
        assert len({tuple(candidate.items()) for candidate in tried}) == len(tried)
        earlier = choice.candidates(dataset)
        assert all(c in tried for c in earlier.get(family, earlier["fedavg"]))


def test_runs_are_those_of_choice_and_more_on_seeds_that_no_table_has():
    found = list(tuning.runs())
    assert len({run.file for run in found}) == len(found)
    earlier = [run.settings for run in choice.runs()]
    assert all(settings in [run.settings for run in found] for settings in earlier)
    seeds = {run.settings.seed for run in found}
    assert not seeds & {run.settings.seed for run in plan.everything()}
    assert all(run.settings.recorded == "validation" for run in found)


@pytest.mark.parametrize("dataset", tuning.ORDER)
def test_a_constant_gamma_is_among_the_candidates(dataset):
    assert any(c["gamma_decay"] == 1 for c in tuning.candidates(dataset)["averaging"])


def test_travel_by_hand():
    settings = recommended("digits", rounds=3)
    assert tuning.travel(settings) == pytest.approx(0.5 * (1 + 0.97 + 0.97**2))


def test_a_score_is_the_mean_of_agents_partitions_and_seeds_in_the_last_round(tmp_path):
    candidate = tuning.candidates("digits")["qffl"][0]
    wanted = {"pow": (0.9, 0.7, 0.5, 0.6, 0.8, 0.7),
              "cla": (0.5, 0.3, 0.4, 0.6, 0.2, 0.4)}
    for run in tuning.runs(("digits",)):
        if "qffl" in run.file and "lr0.05-q0.1-" in run.file:
            accuracies = wanted[run.settings.partition]
            write(run, tmp_path, accuracies[run.settings.seed - 100])
    # the second agent has .1 less than the first
    [(found, (score,))] = tuning.scores("digits", "qffl", tmp_path)
    assert found == candidate and score == pytest.approx(50)


def test_fedavg_and_cgsv_share_the_candidate_with_the_best_mean(tmp_path):
    accuracies = {"fedavg": {0.05: 0.9, 0.15: 0.8, 0.3: 0.5},
                  "cgsv": {0.05: 0.5, 0.15: 0.7, 0.3: 0.85}}
    for run in tuning.runs(("mnist",)):
        found = accuracies.get(run.settings.mechanism, {})
        if accuracy := found.get(run.settings.local.lr.first):
            write(run, tmp_path, accuracy)
    best = tuning.best("mnist", "averaging", tmp_path)  # the first of equals
    assert best == {"lr": 0.15, "gamma": 0.5, "gamma_decay": 0.96}
    # a candidate that one of the two lacks does not count
    (tmp_path / next(run.file for run in tuning.runs(("mnist",))
                     if "cgsv-lr0.15-gamma0.5-decay0.96" in run.file)).unlink()
    assert tuning.best("mnist", "averaging", tmp_path)["gamma_decay"] == 0.98


@pytest.mark.parametrize(("best", "wanted"), [
    ({"lr": 0.05, "gamma": 0.5, "gamma_decay": 0.95}, ["lr", "travel"]),
    ({"lr": 0.1, "gamma": 2.0, "gamma_decay": 0.97}, ["lr"]),  # .2 but no .05 beside it
    ({"lr": 0.4, "gamma": 1.0, "gamma_decay": 0.97}, ["lr", "travel"]),
    ({"lr": 0.2, "gamma": 2.0, "gamma_decay": 0.97}, []),
])
def test_edges(tmp_path, best, wanted):
    for candidate in tuning.candidates("digits")["averaging"]:
        for mechanism in ("fedavg", "cgsv"):
            for run in tuning._runs("digits", mechanism, candidate):
                write(run, tmp_path, 0.8 if candidate == best else 0.5)
    assert tuning.edges("digits", "averaging", tmp_path) == wanted


def test_edges_need_a_run(tmp_path):
    with pytest.raises(ValueError, match="of averaging has been run on mnist"):
        tuning.edges("mnist", "averaging", tmp_path)
