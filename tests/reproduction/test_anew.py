"""The tables with the settings chosen anew, what they rest on, and the authors' own."""

import math
from dataclasses import replace

import pytest

from book.reproduction import anew, experiments, plan, tuning
from book.reproduction.base import METHODS, Column
from fairfl.schedules import Schedule

CLA = Column("mnist", 10, "cla")


@pytest.mark.parametrize("dataset", anew.CHOSEN)
def test_what_was_chosen_is_among_the_candidates(dataset):
    tried = tuning.candidates(dataset) | tuning.later_candidates(dataset)
    assert set(tuning.FAMILIES) <= set(anew.CHOSEN[dataset]) <= set(tried)
    for family, chosen in anew.CHOSEN[dataset].items():
        assert chosen in tried[family]


def test_methods_that_sum_normalised_updates_share_learning_rate_and_travel():
    found = {method: anew.run(CLA, method, 0).settings for method in METHODS}
    shared = {method for method, settings in found.items()
              if (settings.local, settings.gamma)
              == (found["fedavg"].local, found["fedavg"].gamma)}
    assert shared == set(METHODS) - {"standalone", "qffl", "cffl"}
    assert found["cgsv-beta2"].mechanism_options == {"beta": 2.0}
    assert found["cffl"].mechanism_options == {"alpha": 0.5}


def test_they_differ_from_the_tables_of_the_plan_in_what_was_chosen_only():
    for column in (CLA, Column("digits", 5, "pow")):
        for method in METHODS:
            one, two = (module.run(column, method, 1).settings
                        for module in (plan, anew))
            lr, options = one.local.lr.first, one.mechanism_options
            two = replace(two, gamma=one.gamma, mechanism_options=options,
                          local=replace(two.local, lr=replace(two.local.lr, first=lr)))
            assert one == two


def test_the_attribution_has_nine_cells_a_seed_five_seeds_on_cla():
    found = list(anew.attribution())
    assert len({run.file for run in found}) == len(found) == 9 * (5 + 3)
    by_file = {run.file: run.settings.mechanism_options for run in found}
    name = "tables/mnist-10-cla-cgsv-beta1-betainf-raw-seed4.json"
    assert by_file[name] == {"beta": math.inf, "scaling": "raw"}
    assert by_file["tables/mnist-10-pow-fedavg-seed2.json"] == {}
    # one learning rate and one Gamma: only what is named differs
    assert len({(run.settings.local, run.settings.gamma) for run in found}) == 1


def test_long_training_keeps_the_number_of_epochs():
    found = [run.settings for run in anew.long_training()]
    assert {s.rounds * s.local.epochs for s in found} == {120} and len(found) == 6


def test_the_authors_settings_are_those_of_the_presets():
    found = {run.file: run.settings for run in experiments.authors_tables()}
    assert len(found) == 3 * 3 * 3 + 3 * 3
    name = "authors/mnist-10-{}-cgsv-beta1-earlier_published_code-seed2.json"
    cla, power = (found[name.format(kind)] for kind in ("cla", "pow"))
    assert cla.rounds == 200 and cla.gamma == Schedule(0.5)
    assert (cla.local.last_batch, cla.local.epochs) == ("only", 3)
    assert cla.mechanism_options["mask"] == "layers" and cla.validation == 0
    assert cla.partition_options == {"replace": True}
    assert power.partition_options == {"law": "arithmetic"}
    now = found[name.format("cla").replace("earlier_", "").replace("seed2", "seed0")]
    assert now.local.last_batch == "keep" and now.local.decay_per == "epoch"
