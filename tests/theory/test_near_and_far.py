"""A loss that is not fair, and the guarantee near the minimum and far from it."""

import pytest
import torch

from book.theory import guarantee, near_and_far, quadratics, tilted
from fairfl import cgsv, rewards


def test_the_first_updates_have_the_wanted_values_and_point_to_the_minimum():
    u = tilted.first_updates()
    assert torch.allclose(u.norm(dim=1), torch.ones(3).double())
    psi = cgsv.cosine(u, u.mean(0))
    wanted = torch.tensor(tilted.WANTED, dtype=torch.float64)
    assert torch.allclose(psi / psi.sum(), wanted / wanted.sum(), atol=1e-12)
    along = -tilted.START / tilted.START.norm()
    assert float(cgsv.cosine(u.mean(0)[None], along)[0]) == pytest.approx(1)


def test_the_better_paid_agent_has_the_larger_loss():
    played = tilted.play()
    assert torch.allclose(played.totals[0], -tilted.START)
    assert played.totals[1].norm() < 1e-12 and played.server.norm() < 1e-12
    assert played.quotas.tolist() == [[2, 1, 0], [2, 1, 0]]
    for r in played.r:
        assert torch.allclose(r, torch.tensor(tilted.WANTED).double(), atol=1e-12)
    # agent 2 got the largest entry of the sum and nothing since
    got = tilted.START + rewards.mask(-tilted.START, 1)
    assert torch.allclose(played.models[1], got, atol=1e-12)
    assert torch.equal(played.models[2], tilted.START)
    losses = tilted.loss(played.models)
    assert losses[1:].tolist() == pytest.approx([0.5, 0.115])
    assert guarantee.premise(played.r[1], played.before, played.lengths)[1, 2]


def test_the_loss_is_that_of_the_matrix():
    w = torch.tensor([[1.0, 2.0], [0.0, -1.0]], dtype=torch.float64)
    assert tilted.loss(w).tolist() == pytest.approx([0.5 * (1 - 3.6 + 4), 0.5])
    assert tilted.loss(w, torch.eye(2).double()).tolist() == [2.5, 0.5]


@pytest.mark.parametrize("name", near_and_far.PROBLEMS)
def test_own_optima_are_own_only_where_they_are_spread(name):
    near, far = (near_and_far.problem(name, spread) for spread in (0.0, 0.3))
    assert near.agents == far.agents == 6
    at = torch.zeros(1, 6, len(near.optimum)).double() + near.optimum
    found = [task.gradients(at, torch.Generator().manual_seed(0))
             for task in (near, far)]
    # the noise is the same, so only the optima can make a difference
    assert not torch.equal(*found)


def test_what_is_watched_is_what_the_runs_show():
    found = near_and_far.watch("near", "kappa 3", rounds=12, last=4, runs=2)
    gamma, spread = near_and_far.SITUATIONS["near"]
    h = quadratics.run(near_and_far.problem("kappa 3", spread), gamma, 12, runs=2,
                       distance=3.0)
    pairs = premises = both = 0
    margins = []
    for t in range(8, 12):
        for s in range(2):
            for i in range(6):
                for j in range(6):
                    if i == j or h.r[t, s, i] < h.r[t, s, j]:
                        continue
                    pairs += 1
                    gap = h.before[t, s, j] - h.before[t, s, i]
                    if gap >= 2 * h.lengths[t, s, i]:
                        premises += 1
                        both += bool(h.losses[t, s, i] <= h.losses[t, s, j])
                        margins.append(float((gap - 2 * h.lengths[t, s, i])
                                             / (2 * h.error[t, s])))
    assert found.share.pairs == pairs
    assert found.share.premise == pytest.approx(premises / pairs)
    assert premises == 0 or found.share.given == pytest.approx(both / premises)
    assert len(found.margin) == premises == len(found.holds)
    assert int(found.holds.sum()) == both
    assert sorted(found.margin.tolist()) == pytest.approx(sorted(margins))
    assert found.certain and found.error == pytest.approx(float(h.error[-1].mean()))
