"""The recorded cosines of real updates fit the rest of the record."""

from pathlib import Path

import pytest
import torch

from book.reproduction import experiments
from fairfl import cgsv
from fairfl.runs import records

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
    rounds = history.rounds("cosines").tolist()
    for t, cosines in zip(rounds, history["cosines"], strict=True):
        r = history["weights"][t - 1]
        psi = cgsv.psi(r[:, None] * cosines * r)
        torch.testing.assert_close(psi, history["psi"][t - 1], rtol=0, atol=1e-5)


def test_the_kinds_differ():
    first = [record(kind).history["cosines"][0] for kind in KINDS]
    for i, one in enumerate(first):
        for other in first[:i]:
            assert (one - other).abs().max() > 1e-2
