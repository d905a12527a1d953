"""The recorded cosines of real updates: they fit the rest of the record, and running it again gives them."""

from pathlib import Path

import pytest
import torch

from book.reproduction import experiments
from fairfl import cgsv, datasets, probes
from fairfl.runs import records, running

RESULTS = Path(__file__).resolve().parents[2] / "data" / "results"
KINDS = ("uni", "pow", "cla", "noise")


def record(kind):
    return records.load(RESULTS / f"updates-{kind}-mnist-seed0.json")


def test_the_records_are_those_of_the_command():
    assert {f"updates-{kind}" for kind in KINDS} == set(experiments.updates())
    for kind in KINDS:
        assert record(kind).settings == experiments.updates()[f"updates-{kind}"]


@pytest.mark.parametrize("kind", KINDS)
def test_cosines_and_weights_give_the_logged_values(kind):
    history = record(kind).history
    for t, cosines in zip(history.rounds("cosines").tolist(), history["cosines"], strict=True):
        r = history["weights"][t - 1]
        psi = cgsv.psi(r[:, None] * cosines * r)
        torch.testing.assert_close(psi, history["psi"][t - 1], rtol=0, atol=1e-5)


def test_the_first_round_run_again_gives_the_record():
    try:
        data = datasets.load("mnist", download=False)
    except datasets.DataError as error:
        pytest.skip(f"needs MNIST: {error}")
    recorded = record("cla")
    again = running.federation(recorded.settings, data).run(1, (probes.log, probes.cosines))
    recorded = recorded.history.until(1)
    for name in ("cosines", "psi", "r", "weights"):
        torch.testing.assert_close(recorded[name].double(), again[name].double(), rtol=0, atol=1e-4)
    for other in ("pow", "noise"):
        assert (record(other).history.until(1)["cosines"] - again["cosines"]).abs().max() > 1e-2
