"""The plan behind tables and figures."""

import json
from dataclasses import replace

from book.reproduction import plan, targets
from book.reproduction.base import METHODS, Column
from fairfl.schedules import Schedule


def test_the_tables_have_twelve_rows_in_the_published_columns():
    runs = plan.tables(tuple(plan.COLUMNS.values()))
    first = [run for run in runs if run.settings.seed == 0]
    assert len(first) == 12 * len(plan.COLUMNS) and len(
        {run.file for run in runs}
    ) == len(runs)
    published = {
        ("mnist", 10): 3,
        ("mnist", 20): 3,
        ("cifar10", 10): 3,
        ("mr", 5): 1,
        ("sst", 5): 1,
    }
    for (dataset, agents), columns in published.items():
        found = [
            run
            for run in first
            if (run.settings.dataset, run.settings.agents) == (dataset, agents)
        ]
        assert len(found) == 12 * columns
    seeds = {
        run.settings.seed for run in runs if run.file.startswith("runs/mnist-10-cla")
    }
    assert seeds == {0, 1, 2, 3, 4}


def test_methods_of_a_column_differ_only_in_what_was_chosen_for_them():
    """Same agents, network, rounds and records, whatever the method."""
    for column in plan.COLUMNS.values():
        same = {
            (
                s.dataset,
                s.partition,
                s.agents,
                s.size,
                s.model,
                s.rounds,
                s.validation,
                s.recorded,
                json.dumps(s.partition_options),
                s.local.epochs,
                s.local.batch_size,
            )
            for method in METHODS
            for s in [plan.run(column, method, 0).settings]
        }
        assert len(same) == 1


def test_every_target_has_runs_and_all_has_them_all():
    every = {run.file: run.settings for run in plan.everything()}
    for name, target in targets.TARGETS.items():
        runs = target.runs()
        assert runs, name
        if name not in ("choice", "tuning", "anew", "later", "attribution", "authors",
                        "all"):
            assert all(every[run.file] == run.settings for run in runs), name


def test_variants_differ_in_what_they_say():
    column = Column("mnist", 10, "cla")
    base = plan.run(column, "cgsv-beta1", 0).settings
    found = {
        run.file: run.settings
        for run in (*plan.scalings(0), *plan.lock_in(0), *plan.precisions())
    }
    assert found["runs/mnist-10-cla-cgsv-beta1-constant-seed0.json"] == replace(
        base, gamma=Schedule(base.gamma.first)
    )
    clipped = found["runs/mnist-10-cla-fedavg-clipped-seed0.json"]
    assert (
        clipped.mechanism_options == {"scaling": "clipped"}
        and clipped.mechanism == "fedavg"
    )
    assert found["runs/mnist-10-cla-cgsv-beta1-long-raw-seed0.json"].rounds == 100
    assert (
        found["runs/mnist-10-pow-eci-bfloat16-seed0.json"].local.precision == "bfloat16"
    )


def test_the_runs_of_the_guarantee_come_in_pairs_that_differ_in_gamma():
    found = [run.settings for run in plan.guarantee()]
    assert len(found) == 4
    for settling, constant in (found[:2], found[2:]):
        assert constant.gamma == Schedule(0.5)
        assert settling == replace(constant, gamma=Schedule(0.5, 0.95))
