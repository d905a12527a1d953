"""The recorded runs of the comparison on real data: what they show, and that they can be repeated."""

import os
from pathlib import Path

import pytest
import torch

from fairfl import datasets, metrics, partition, probes
from fairfl.runs import records, running

RESULTS = Path(__file__).resolve().parents[2] / "data" / "results"
NAMES = ["mnist-pow-5-cgsv-beta1-seed0", "mnist-pow-5-cgsv-betainf-seed0", "mnist-pow-10-cgsv-beta1-seed0",
         "mnist-pow-10-cgsv-betainf-seed0", *(f"mnist-{kind}-10-standalone-seed0" for kind in ("uni", "pow", "cla")),
         *(f"sst-pow-5-{method}-seed{seed}" for method in ("cgsv-beta1", "standalone") for seed in (0, 1, 2))]


def load(name):
    return records.load(RESULTS / f"{name}.json")


def accuracies(name):
    """Final test accuracies in percent, (N,)."""
    return 100 * load(name).history["test_accuracy"][-1]


@pytest.mark.parametrize("name", NAMES)
def test_a_record_is_named_by_its_settings_and_of_original_data(name):
    record = load(name)
    assert record.settings.name == name
    assert record.about["data"]["original"] and record.history.rounds("weights" if "cgsv" in name else
                                                                     "server_distance")[-1] == record.settings.rounds
    assert record.history.rounds("test_accuracy")[-1] == record.settings.rounds
    assert record.history.rounds("trained_test_accuracy")[-1] == record.settings.rounds


@pytest.mark.parametrize("agents, least, gamma", [(5, 93.0, ""), (10, 96.5, ""), (10, 96.5, "-gamma0.96")])
def test_mnist_with_unequal_sizes(agents, least, gamma):
    fair, equal = (load(f"mnist-pow-{agents}-cgsv-beta{beta}-seed0") for beta in (f"1{gamma}", "inf"))
    assert fair.settings.rounds == (25 if agents == 5 else 60)
    assert 100 * fair.history["test_accuracy"][-1].mean() > least
    q = fair.history["q"][-1].double() / fair.about["parameters"]
    assert q.min() < 0.6 and q.max() == 1
    pool = torch.zeros(60_000, 1), torch.zeros(60_000, dtype=torch.int64)
    sizes = [len(agent.y) for agent in partition.power_law(pool, agents, 600, 0)]
    assert metrics.rank_correlation(sizes, fair.history["r"].mean(0)) >= 0.8
    # At the slower decay r begins to drift at the end, when updates have little left to say.
    last = -10 if agents == 10 and not gamma else -1
    assert metrics.rank_correlation(sizes, fair.history["r"][last]) >= 0.8
    assert (equal.history["q"] == equal.about["parameters"]).all()
    assert (equal.history["server_distance"] < 1e-3).all()
    assert fair.history["server_distance"][-1].argmax() == fair.history["r"][-1].argmin()
    assert fair.history["server_distance"][-1].max() > 0.1


def test_sst_beats_standing_alone_and_the_constant_answer():
    for seed in (0, 1, 2):
        together, alone = (accuracies(f"sst-pow-5-{name}-seed{seed}") for name in ("cgsv-beta1", "standalone"))
        assert together.mean() > alone.mean() and together.mean() > 28.6


def test_standing_alone_on_mnist_is_what_the_paper_has():
    found = {kind: accuracies(f"mnist-{kind}-10-standalone-seed0").mean() for kind in ("uni", "pow", "cla")}
    assert 90 <= found["uni"] <= 93
    assert abs(found["pow"] - 88) <= 3 and abs(found["cla"] - 53) <= 3


@pytest.mark.parametrize("name", ["mnist-pow-5-cgsv-beta1-seed0", "sst-pow-5-cgsv-beta1-seed0"])
def test_the_first_round_run_again_gives_the_record(name):
    record = load(name)
    if not os.environ.get("FAIRFL_REQUIRE_ALL") and datasets.status(record.settings.dataset).state != "intact":
        pytest.skip(f"{record.settings.dataset} is missing")
    data = datasets.load(record.settings.dataset, download=False)
    assert data.sha256 == record.about["data"]["sha256"]
    again = running.federation(record.settings, data).run(1, (probes.log, probes.server_distance))
    torch.testing.assert_close(again["psi"][0], record.history["psi"][0], rtol=0, atol=2e-3)
    travel = record.history["server_travel"][0].item()
    assert again["server_travel"][0].item() == pytest.approx(travel, rel=1e-4)
    change = (again["q"][0] - record.history["q"][0]).abs().max() / record.about["parameters"]
    assert change < 5e-3
