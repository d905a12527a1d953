"""Cells of the tables from records made by hand: two agents, numbers that one can check
in the head."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from book.reproduction import plan
from book.reproduction.base import METHODS, Column
from book.reproduction.pages import tables
from fairfl.history import History
from fairfl.runs import records
from fairfl.runs.records import Record

PAPER = Path(__file__).resolve().parents[2] / "data" / "paper"
COLUMN = plan.COLUMNS["mnist-10-cla"]


def write(
    results, method, seed, downloaded, trained=None, variant="", column=COLUMN, **series
):
    """A record whose last accuracies, in [0, 1], are given; in the round before all are
    0."""
    n = len(downloaded)
    found = {
        "test_accuracy": [[0.0] * n, downloaded],
        "trained_test_accuracy": [[0.0] * n, trained or downloaded],
        **series,
    }
    run = plan.run(column, method, seed)
    plain = {
        name: {"rounds": [1, 2], "values": values} for name, values in found.items()
    }
    history = History.from_dict(
        {"agents": [str(i + 1) for i in range(n)], "series": plain}
    )
    file = results / run.file.replace(
        "-seed", f"-{variant}-seed" if variant else "-seed"
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    records.save(
        Record(replace(run.settings, rounds=2), history, {"seconds": 1.0}), file
    )


@pytest.fixture
def results(tmp_path):
    write(tmp_path, "standalone", 0, [0.2, 0.6, 0.7], [0.9, 0.9, 0.9])
    write(
        tmp_path,
        "cgsv-beta1",
        0,
        [0.5, 0.9, 0.7],
        [0.4, 0.6, 0.8],
        r=[[1.0, 0, 0], [0.2, 0.5, 0.3]],
    )
    write(tmp_path, "fedavg", 0, [0.8, 0.8, 0.8], [0.3, 0.7, 0.8])
    return tmp_path


def test_a_cell_holds_the_last_accuracies_in_percent_of_the_convention_asked_for(
    results,
):
    found = tables.cell(results, "mnist-10-cla", "cgsv-beta1")
    torch.testing.assert_close(
        found.accuracy, torch.tensor([[50.0, 90, 70]], dtype=torch.float64)
    )
    assert found.seeds == (0,) and (found.mean, found.best, found.worst) == (70, 90, 50)
    trained = tables.cell(results, COLUMN, "cgsv-beta1", "trained")
    torch.testing.assert_close(
        trained.accuracy, torch.tensor([[40.0, 60, 80]], dtype=torch.float64)
    )


@pytest.mark.parametrize("convention", tables.CONVENTIONS)
def test_alone_is_the_standalone_model_itself_whatever_the_convention(
    results, convention
):
    alone = tables.cell(results, COLUMN, "cgsv-beta1", convention).alone
    torch.testing.assert_close(
        alone, torch.tensor([[20.0, 60, 70]], dtype=torch.float64)
    )


def test_what_is_computed_from_both(results):
    found = tables.cell(results, COLUMN, "cgsv-beta1")
    torch.testing.assert_close(
        found.gain, torch.tensor([[30.0, 30, 0]], dtype=torch.float64)
    )
    # Deviations (-30, 10, 20) and (-20, 20, 0): 800 / sqrt(1400 * 800); ranks 1 2 3 and
    # 1 3 2: one half
    assert found.fairness.item() == pytest.approx(100 * 800 / math.sqrt(1400 * 800))
    assert found.rank_correlation.item() == pytest.approx(0.5)
    assert found.last("r").tolist() == [[0.2, 0.5, 0.3]]
    with pytest.raises(KeyError, match="psi"):
        found.last("psi")


def test_equal_models_have_no_fairness_and_unknown_agents_neither(results):
    assert tables.cell(results, COLUMN, "fedavg").fairness.isnan().all()
    assert not tables.cell(results, COLUMN, "fedavg", "trained").fairness.isnan().any()
    write(results, "fedavg", 1, [0.5, 0.6, 0.7])
    both = tables.cell(results, COLUMN, "fedavg")  # alone is recorded of seed 0 only
    assert both.seeds == (0, 1) and both.alone is None
    assert (
        both.fairness.isnan().tolist()
        == both.rank_correlation.isnan().tolist()
        == [True, True]
    )


def test_seeds_are_paired_with_their_own_standalone_run(results):
    write(results, "standalone", 2, [0.1, 0.1, 0.4])
    write(results, "cgsv-beta1", 2, [0.4, 0.4, 0.7])
    found = tables.cell(results, COLUMN, "cgsv-beta1")
    assert found.seeds == (0, 2)
    torch.testing.assert_close(
        found.gain[1], torch.full((3,), 30.0, dtype=torch.float64)
    )
    assert tables.cell(results, COLUMN, "cgsv-beta1", seeds=(2,)).seeds == (2,)


def test_what_is_not_recorded_is_none(results):
    assert tables.cell(results, COLUMN, "eci") is None
    assert tables.cell(results, "mnist-10-pow", "fedavg") is None
    assert tables.cell(results, COLUMN, "fedavg", variant="raw") is None
    assert tables.read(results, COLUMN, "fedavg", 1) is None


def test_a_record_that_comes_later_or_is_written_anew_is_seen(results):
    assert tables.cell(results, COLUMN, "eu") is None
    for accuracy in (0.5, 0.25):
        write(results, "eu", 0, [accuracy] * 3)
        assert tables.cell(results, COLUMN, "eu").mean.item() == pytest.approx(
            100 * accuracy
        )


def test_a_variant_is_another_run(results):
    write(results, "fedavg", 0, [0.1, 0.1, 0.1], variant="long-raw")
    assert tables.cell(
        results, COLUMN, "fedavg", variant="long-raw"
    ).mean.item() == pytest.approx(10)
    assert tables.cell(results, COLUMN, "fedavg").mean.item() == pytest.approx(80)


def test_differences_are_taken_seed_by_seed(results):
    for seed, low, high in ((1, 0.5, 0.7), (3, 0.2, 0.1)):
        write(results, "fedavg", seed, [low] * 3)
        write(results, "cgsv-beta1", seed, [high] * 3)
    write(results, "fedavg", 2, [0.5] * 3)  # has no partner
    ours, other = (
        tables.cell(results, COLUMN, method) for method in ("cgsv-beta1", "fedavg")
    )
    expected = torch.tensor([-10.0, 20, -10], dtype=torch.float64)
    torch.testing.assert_close(tables.differences(ours, other), expected)
    torch.testing.assert_close(
        tables.differences(ours, other, lambda found: found.best)[0],
        10 + 0 * expected[0],
    )


@pytest.mark.parametrize(
    "column, method, convention",
    [
        ("mnist-11-cla", "fedavg", "downloaded"),
        ("mnist-10-cla", "fedprox", "downloaded"),
        ("mnist-10-cla", "fedavg", "local"),
    ],
)
def test_unknown_names(tmp_path, column, method, convention):
    with pytest.raises(ValueError, match="unknown"):
        tables.cell(tmp_path, column, method, convention)


def test_published_numbers_go_by_our_names():
    table1, table2 = (
        tables.published(PAPER, name) for name in ("table1_accuracy", "table2_fairness")
    )
    for method in METHODS:
        for column in plan.COLUMNS.values():
            key = (*tables.as_published(method), column.name)
            assert (key in table1) == (column.dataset != "digits")
            assert (key in table2) == (
                column.dataset != "digits" and method != "standalone"
            )
    assert table1["CGSV", "1.5", "mnist-10-cla"] == {
        "mean_accuracy": 75,
        "max_accuracy": 95,
    }
    assert table2["FedAvg", "", "mnist-10-uni"] == {"pearson_rho": -45.6}
    table3 = tables.published(PAPER, "table3_overhead")
    assert table3["ECI", "", "mnist-5"] == {
        "overhead_seconds": 2377.33,
        "overhead_over_training": 16,
    }


def test_a_column_need_not_be_one_of_the_tables(tmp_path):
    column = Column("mnist", 3, "cla")
    write(tmp_path, "cgsv-beta1", 0, [0.1, 0.2, 0.3], column=column)
    assert tables.cell(tmp_path, column, "cgsv-beta1").best.item() == pytest.approx(30)
