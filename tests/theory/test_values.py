"""What the chapters say of phi and psi, over ranges: counterexamples and searches."""

import math

import pytest
import torch

from fairfl import approximation, cgsv, rewards, shapley
from fairfl.randomness import generator

F64 = torch.float64


def drawn(k, agents=None, dimension=None):
    draws = generator(k, "values")
    agents = agents or int(torch.randint(2, 8, (), generator=draws))
    dimension = dimension or int(torch.randint(1, 6, (), generator=draws))
    u = torch.randn(agents, dimension, generator=draws, dtype=F64)
    u = u.round() if k % 3 == 0 else u  # ties, zeros
    return u, torch.rand(agents, generator=draws, dtype=F64) + 0.01


def test_with_positive_weights_of_sum_1_theorem_1_holds_with_l_1():
    for k in range(400):
        u, r = drawn(k)
        u, r = rewards.normalise(u, 1.0), r / r.sum()
        gram = cgsv.gram(u, r)
        inner = (u @ rewards.aggregate(u, r)).abs()
        if not inner.all():
            continue  # the theorem assumes |<u_i, u_N>| >= 1 / I > 0
        gap = (cgsv.exact(gram) - cgsv.psi(gram)).abs().max()
        assert gap <= 1 - 1 / len(u) + 1e-9 and 1 / inner.min() >= 1 - 1e-9


def test_the_identity_and_the_bounds_of_the_natural_factor():
    """By the definition: the mean over all coalitions T of the others, each size alike
    and each of a size alike."""
    seen = 0
    for k in range(80):
        u, r = drawn(k, agents=2 + k % 5)
        gram, n = cgsv.gram(u, r), len(u)
        members = shapley.coalitions(n)
        h = cgsv.squared_norms(gram).clamp(min=0).sqrt()
        if (h[1:] < 1e-6).any():
            continue
        seen += 1
        v, phi, psi = cgsv.game(gram)(members), cgsv.exact(gram), cgsv.psi(gram)
        for i in range(n):
            without = (~members[:, i]).nonzero().flatten()
            joined = without + 2**i
            sizes = members[without].sum(1).tolist()
            p = torch.tensor([1 / (n * math.comb(n - 1, m)) for m in sizes], dtype=F64)
            factor = float((p / h[joined]).sum() * gram[i, i].sqrt())
            rest = float((p * v[without] * (1 - h[without] / h[joined])).sum())
            assert float(phi[i]) == pytest.approx(factor * float(psi[i]) - rest)
            assert abs(float(phi[i]) - factor * float(psi[i])) <= factor - 1 / n + 1e-9
            if (gram >= 0).all():
                assert phi[i] <= factor * psi[i] + 1e-9
    assert seen > 40


def test_without_a_floor_eq_4_gives_weights_for_which_it_fails():
    u = torch.tensor([[1.0, 0], [1, 0], [-1, 0]], dtype=F64)
    psi = cgsv.cosine(u, rewards.aggregate(u, torch.full((3,), 1 / 3, dtype=F64)))
    r = rewards.importance(torch.zeros(3, dtype=F64), psi, floor=None)
    assert r.tolist() == pytest.approx([1, 1, -1])
    total, phi = rewards.aggregate(u, r), cgsv.exact(cgsv.gram(u, r))
    assert phi.tolist() == pytest.approx([1 / 3] * 3)
    assert float((phi - cgsv.cosine(u, total))[2]) == pytest.approx(4 / 3)
    assert float(1 / (u @ total).abs().min()) == pytest.approx(1 / 3)
    # and psi_3 is not v({3})
    assert cgsv.psi(cgsv.gram(u, r))[2] == 1 > cgsv.cosine(u, total)[2]


def test_a_negative_psi_takes_a_negative_cosine_and_a_negative_phi_does_not():
    seen = 0
    for k in range(400):
        u, r = drawn(k)
        for i in (cgsv.psi(cgsv.gram(u, r)) < -1e-9).nonzero().flatten().tolist():
            seen += 1
            assert (u[i] @ u.T).min() < 0
    assert seen > 100
    seven_and_one = torch.tensor([[1.0, 0]] * 7 + [[0, 1]], dtype=F64)
    assert cgsv.exact(cgsv.gram(seven_and_one))[7] < 0


def test_equal_updates_have_equal_values_if_their_weights_are_equal():
    twins = torch.tensor([[1.0, 0], [1, 0], [0, 1]], dtype=F64)
    gram = cgsv.gram(twins, torch.tensor([0.6, 0.2, 0.2], dtype=F64))
    assert cgsv.exact(gram).tolist() == pytest.approx([0.4966, 0.4269, 0.0765],
                                                      abs=1e-4)
    assert cgsv.psi(gram).tolist() == pytest.approx([0.9701, 0.9701, 0.2425], abs=1e-4)
    for k in range(100):
        u, r = drawn(k)
        u[-1], r[-1] = u[0], r[0]
        phi = cgsv.exact(cgsv.gram(u, r))
        torch.testing.assert_close(phi[-1], phi[0])


def test_the_cosines_of_three_that_nearly_cancel_sum_to_less_than_1():
    angles = torch.deg2rad(torch.tensor([0.0, 120, -122], dtype=F64))
    u = torch.stack([angles.cos(), angles.sin()], 1)
    assert float(cgsv.psi(cgsv.gram(u)).sum()) == pytest.approx(0.0349, abs=1e-4)


def test_the_share_in_the_sum_counts_lengths():
    """p_i = r_i |u_i| psi_i / sum, what the first-order law takes."""
    for k in range(50):
        u, r = drawn(k, dimension=5)
        total = rewards.aggregate(u, r)
        if not total.any():
            continue
        p = r * u.norm(dim=1) * cgsv.cosine(u, total)
        gram = cgsv.gram(u, r)
        torch.testing.assert_close(p / p.sum(), gram.sum(1) / gram.sum())


def test_at_nine_agents_the_cosine_is_nearly_right():
    assert approximation.slope(9, 0) == pytest.approx(0.99994, abs=5e-6)
    assert not math.isclose(approximation.slope(9, 0), 1, rel_tol=1e-5)
