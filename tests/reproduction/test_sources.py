"""Records are read as they are; a correlation counts where it is more than noise."""

import math
from pathlib import Path

import pytest
from test_claims import write

from book.reproduction import plan
from book.reproduction.base import METHODS, Column
from book.reproduction.pages import claims, sources, tables
from book.reproduction.pages.intervals import Interval

PAPER = Path(__file__).resolve().parents[2] / "data" / "paper"


def test_numbers_of_records(tmp_path):
    column = Column("sst", 5, "pow")
    alone = [0.1, 0.2, 0.3, 0.4, 0.5]
    write(tmp_path, plan.run(column, "standalone", 0), alone)
    write(
        tmp_path,
        plan.run(column, "eu", 0),
        [0.5] * 5,
        trained=[0.2, 0.3, 0.4, 0.5, 0.6],
    )
    write(tmp_path, plan.run(column, "eu", 1), [0.3, 0.3, 0.3, 0.3, 0.8])
    here, trained = sources.Recorded(tmp_path), sources.Recorded(tmp_path, "trained")
    assert here.mean("eu", column.name) == pytest.approx({0: 50, 1: 40})
    assert here.best("eu", column.name) == pytest.approx({0: 50, 1: 80})
    assert trained.mean("eu", column.name) == pytest.approx({0: 40, 1: 40})
    assert math.isnan(here.rho("eu", column.name)[0])  # and seed 1 has no Standalone
    assert here.mean("fedavg", column.name) == {}


def test_fairness_of_records_is_of_the_convention(tmp_path):
    column = Column("sst", 5, "pow")
    write(tmp_path, plan.run(column, "standalone", 0), [0.1, 0.2, 0.3, 0.4, 0.5])
    write(
        tmp_path,
        plan.run(column, "dw", 0),
        [0.5, 0.4, 0.3, 0.2, 0.1],
        trained=[0.2, 0.3, 0.4, 0.5, 0.6],
    )
    assert sources.Recorded(tmp_path).rho("dw", column.name) == pytest.approx({0: -100})
    assert sources.Recorded(tmp_path, "trained").rho(
        "dw", column.name
    ) == pytest.approx({0: 100})


def test_times_of_records_leave_out_the_first_round(tmp_path):
    run = plan.run(Column("mnist", 5, "pow"), "eci", 0, "timing", rounds=10)
    write(tmp_path, run, times=[(100.0, 1.0), (3.0, 2.0), (5.0, 2.0)])
    here = sources.Recorded(tmp_path)
    assert here.timed("seconds", "eci", "mnist-5-pow") == {2: 3.0, 3: 5.0}
    assert here.timed("ratio", "eci", "mnist-5-pow") == {2: 1.5, 3: 2.5}
    assert here.ratio("eci", "mnist-5-pow") == {0: 2.0}
    assert here.ratio("cffl", "mnist-5-pow") == {}


def test_the_grid_is_compared_with_what_the_agents_reach_alone(tmp_path):
    write(
        tmp_path,
        plan.run(Column("digits", 5, "pow"), "standalone", 1),
        [0.5, 0.6, 0.7, 0.8, 0.9],
    )
    run = next(run for run in plan.grid() if run.settings.seed == 1)
    write(tmp_path, run, [0.6, 0.7, 0.8, 0.9, 1.0])
    options = run.settings.mechanism_options
    point = options["alpha"], run.settings.gamma.first, options["beta"]
    here = sources.Recorded(tmp_path)
    assert here.grid("gain", *point) == pytest.approx({1: 10})
    assert here.grid("rho", *point) == pytest.approx({1: 100})
    assert here.grid("clear_rho", *point) == pytest.approx({1: 100})
    # Most points are missing
    assert claims.grid_mean(here, "gain", claims.inside()) == {}


def test_the_ranges_of_the_paper():
    assert claims.inside() == {
        "alpha": [0.8, 0.95, 0.99],
        "gamma": [0.1, 0.5, 1.0],
        "beta": [1.0, 2.0],
    }


def test_fairness_counts_where_accuracies_differ_by_more_than_noise(tmp_path):
    """On 10,000 images an accuracy of 95 % has a standard error of .218 points."""
    column = Column("mnist", 10, "uni")
    steps = [k / 10 for k in range(10)]  # their standard deviation is .3028
    alone = [0.95 + 0.02 * k for k in steps]
    write(tmp_path, plan.run(column, "standalone", 0), alone)
    for method, points in (("rr", 2.0), ("eu", 1.0), ("dw", 0.0)):
        accuracy = [0.95 + points / 100 * k for k in steps]
        write(tmp_path, plan.run(column, method, 0), accuracy)
    source = sources.Recorded(tmp_path)
    assert source.clear_rho("rr", column.name) == pytest.approx({0: 100})
    for method in ("eu", "dw"):
        assert math.isnan(source.clear_rho(method, column.name)[0])
    assert source.rho("eu", column.name) == pytest.approx({0: 100})
    # And what the agents reach alone must differ, too
    write(tmp_path, plan.run(column, "standalone", 0), [0.95 + 0.01 * k for k in steps])
    assert math.isnan(source.clear_rho("rr", column.name)[0])


def test_a_column_that_ran_anew_is_read_from_there(tmp_path):
    column = Column("mnist", 10, "cla")
    write(tmp_path, plan.run(column, "eu", 0), [0.4] * 10)
    for method in METHODS:
        run = plan.run(column, method, 0)
        there = run._replace(file=run.file.replace("runs/", "tables/"))
        before = sources.Recorded(tmp_path).mean("eu", column.name)
        assert before == pytest.approx({0: 40})
        write(tmp_path, there, [0.6] * 10)
    assert sources.Recorded(tmp_path).mean("eu", column.name) == pytest.approx({0: 60})


def test_all_seeds_that_are_recorded_are_read(tmp_path):
    column = Column("mnist", 10, "cla")
    for seed in (0, 7, 12):
        write(tmp_path, plan.run(column, "eu", seed), [0.4] * 10)
    write(tmp_path, plan.run(column, "eu", 3, "raw"), [0.9] * 10)
    assert tables.cell(tmp_path, column, "eu").seeds == (0, 7, 12)
    assert tables.cell(tmp_path, column, "eu", variant="raw").seeds == (3,)


def test_the_authors_settings_have_agents_alone_of_their_own(tmp_path):
    column, variant = Column("mnist", 10, "cla"), "published_code"
    write(tmp_path, plan.run(column, "standalone", 0), [0.1] * 10)
    for method, level in (("standalone", 0.5), ("fedavg", 0.7)):
        run = plan.run(column, method, 0, variant)
        write(tmp_path, run._replace(file=run.file.replace("runs/", "authors/")),
              [level] * 10)
    found = tables.cell(tmp_path, column, "fedavg", variant=variant)
    assert found.mean.tolist() == [70] and found.alone.mean().item() == 50
    source = sources.Recorded(tmp_path, variant=variant)
    assert source.mean("fedavg", column.name) == pytest.approx({0: 70})


def test_published_numbers_are_intervals():
    found = sources.Published(PAPER).mean("eu", "mr-5-pow")
    assert found == {0: Interval(53.5, 54.5)}
