"""The recorded runs behind Fig. 2: what the chapter says of them."""

from pathlib import Path

import pytest
import torch

from book.reproduction import experiments
from fairfl import rewards
from fairfl.runs import records, running

RESULTS = Path(__file__).resolve().parents[2] / "data" / "results"
SEEDS = (0, 1, 2)


def record(seed):
    return records.load(RESULTS / f"fig2-mnist-seed{seed}.json")


@pytest.mark.parametrize("seed", SEEDS)
def test_agents_are_ordered_by_their_labels(seed):
    history, dimension = record(seed).history, record(seed).about["parameters"]
    psi = history["psi"].mean(0)
    sparsity = 1 - history["q"].double().mean(0) / dimension
    distance = history["server_distance"][-1]
    assert (psi / psi.sum())[3:].min() > psi[0] / psi.sum() and psi[0] > psi[1] > psi[2]
    assert sparsity[3:].max() < sparsity[0] < sparsity[1] < sparsity[2]
    assert distance[3:].max() < distance[0] < distance[1] < distance[2]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_quotas_are_eq_5_of_the_coefficients(seed):
    found = record(seed)
    assert len(found.history["r"]) == found.settings.rounds
    beta, dimension = (
        found.settings.mechanism_options["beta"],
        found.about["parameters"],
    )
    for r, q in zip(found.history["r"], found.history["q"], strict=True):
        assert torch.equal(rewards.quotas(r, beta, dimension), q)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_coefficients_are_eq_4_of_the_values(seed):
    history = record(seed).history
    average = torch.zeros(5, dtype=torch.float64)
    for psi, r in zip(history["psi"], history["r"], strict=True):
        average = rewards.importance(average, psi, alpha=0.95)
        torch.testing.assert_close(average, r)
        average = r


@pytest.mark.parametrize("seed", SEEDS)
def test_the_records_are_of_the_settings_in_the_code(seed):
    found = record(seed)
    assert found.settings == experiments.label_noise("mnist", seed)
    assert found.about["data"]["original"] and found.about["precision"] == "float32"


@pytest.mark.slow
def test_the_digits_version_has_the_same_order():
    found = running.run(experiments.label_noise("digits", seed=1))
    psi, distance = found.history["psi"].mean(0), found.history["server_distance"][-1]
    assert psi[3:].min() > psi[0] > psi[1] > psi[2]
    assert distance[3:].max() < distance[0] < distance[1] < distance[2]
