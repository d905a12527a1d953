"""What r does, against vectors that one can draw and against a federation."""

from dataclasses import replace

import pytest
import torch

from book.reproduction import plan
from book.reproduction.pages import dynamics
from fairfl.runs import running


@pytest.mark.parametrize("scaling, gamma",
                         [("normalised", 0.5), ("clipped", 0.1), ("raw", 0.5)])
def test_mean_cosine_of_a_recorded_run_is_that_of_its_updates(scaling, gamma):
    settings = plan.run(plan.DIGITS[0], "cgsv-beta1", 0,
                        options={"scaling": scaling}).settings
    settings = replace(settings, rounds=3, size=40,
                       gamma=replace(settings.gamma, first=gamma))
    fed = running.federation(settings)
    record = running.run(settings)
    shares = dynamics.shares(record)
    found = dynamics.mean_cosine(shares, record.history["psi"])
    torch.testing.assert_close(shares.sum(1), torch.ones(3, dtype=torch.float64))
    for snapshot, p, cosine in zip(fed.rounds(3), shares, found, strict=True):
        u = snapshot.updates.double()
        lengths = u.norm(dim=1)
        weights = snapshot.step.log["weights"]
        summed = {"normalised": 0 * lengths + 1,
                  "clipped": lengths.clamp(max=fed.gamma(snapshot.t)), "raw": lengths}
        parts = weights * summed[scaling]
        torch.testing.assert_close(p, parts / parts.sum(), rtol=1e-6, atol=0)
        M, pairs = (u @ u.T) / lengths.outer(lengths), p.outer(p).fill_diagonal_(0)
        assert cosine.item() == pytest.approx(((pairs * M).sum() / pairs.sum()).item(),
                                              abs=1e-6)


def test_mean_cosine_by_hand():
    u = torch.tensor([[1.0, 0], [0.6, 0.8]], dtype=torch.float64)
    p = torch.tensor([0.25, 0.75], dtype=torch.float64)
    psi = u @ (p @ u) / (p @ u).norm()
    assert dynamics.mean_cosine(p[None], psi[None]).item() == pytest.approx(0.6)


def test_effective_agents_and_whom_the_server_hears():
    r = torch.tensor([[0.25, 0.25, 0.25, 0.25], [1, 0, 0, 0], [0.5, 0.5, 0, 0]])
    assert dynamics.effective_agents(r).tolist() == [4, 1, 2]
    assert dynamics.heard(r, torch.tensor([10.0, 20, 30, 40])).tolist() == [25, 10, 15]


def test_a_baseline_without_r_has_shares_too():
    settings = replace(plan.run(plan.DIGITS[0], "fedavg", 0).settings, rounds=2,
                       size=40)
    shares = dynamics.shares(running.run(settings))
    torch.testing.assert_close(shares, torch.full((2, 5), 0.2, dtype=torch.float64))


def test_the_sum_is_what_the_shares_say():
    """|u_N| from the record: normalised, it is Gamma times the length of the mean unit
    update."""
    settings = replace(plan.run(plan.DIGITS[0], "cgsv-beta1", 0).settings, rounds=2,
                       size=40)
    record = running.run(settings)
    shares, psi = dynamics.shares(record), record.history["psi"]
    gamma = torch.tensor([settings.gamma(t) for t in (1, 2)])
    length = record.history["aggregate_norm"].double()
    torch.testing.assert_close((shares * psi).sum(1), length / gamma, rtol=1e-6, atol=0)
