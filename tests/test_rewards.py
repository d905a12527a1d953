"""Eqs. (1), (4), (5) on vectors short enough to compute by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fairfl import cgsv, rewards
from fairfl.mechanisms.base import SCALINGS

F64 = torch.float64


def vector(*entries):
    return torch.tensor(entries, dtype=F64)


# ---- eq. (1)


def test_updates_get_the_length_gamma():
    u = rewards.normalise(torch.tensor([[3.0, 4.0], [0.0, -2.0]], dtype=F64), gamma=0.5)
    torch.testing.assert_close(u, torch.tensor([[0.3, 0.4], [0.0, -0.5]], dtype=F64))


def test_a_zero_update_stays_zero_and_changes_no_other():
    u = rewards.normalise(torch.tensor([[0.0, 0.0], [6.0, 8.0]]), gamma=1.0)
    assert u[0].tolist() == [0.0, 0.0]
    torch.testing.assert_close(u[1], torch.tensor([0.6, 0.8]))


@pytest.mark.parametrize("size", [1e-150, 1e-30, 1.0, 1e30, 1e150])
def test_norms_as_far_as_their_squares_reach(size):
    d = torch.tensor([[3.0, -4.0, 0.0]], dtype=F64) * size
    torch.testing.assert_close(rewards.norms(d), vector(5 * size), rtol=1e-14, atol=0)
    right = torch.tensor([[1.2, -1.6, 0.0]], dtype=F64)
    torch.testing.assert_close(rewards.normalise(d, 2.0), right)


def test_norms_beyond_that_are_zero_or_refused():
    d = torch.tensor([[3.0, -4.0]], dtype=F64)
    assert rewards.norms(1e-200 * d).tolist() == [0.0]
    with pytest.raises(ValueError, match=r"\[0\] \(or a norm above 1e154\)"):
        rewards.norms(1e200 * d)


def test_lengths_of_any_size_beside_each_other_in_float32_too():
    tiny = 3 * 2.0**-149  # the smallest numbers that float32 has
    d = torch.tensor([[tiny, 0.0], [3e38, 0.0], [0.0, 0.0], [-0.3, 0.4]])
    torch.testing.assert_close(
        rewards.norms(d), vector(tiny, 3e38, 0.0, 0.5), rtol=1e-6, atol=0
    )
    u = rewards.normalise(d, 2.0)
    torch.testing.assert_close(
        u, torch.tensor([[2.0, 0.0], [2.0, 0.0], [0.0, 0.0], [-1.2, 1.6]])
    )


def test_long_rows_are_summed_in_float64_slice_by_slice():
    d = torch.full((2, 2_000_003), 0.1)
    d[:, -1] = 500.0
    exact = math.sqrt(2_000_002 * float(d[0, 0]) ** 2 + 500**2)
    torch.testing.assert_close(
        rewards.norms(d), vector(exact, exact), rtol=1e-12, atol=0
    )
    assert torch.equal(
        rewards.aggregate(d, vector(1.0, 0.5)), (1.5 * d[0].double()).float()
    )


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_updates_that_are_not_finite_are_refused(wrong):
    d = torch.ones(3, 4)
    d[1, 2] = wrong
    for function in (
        lambda: rewards.normalise(d, 1.0),
        lambda: rewards.clip(d, 1.0),
        lambda: rewards.aggregate(d, torch.ones(3)),
    ):
        with pytest.raises(
            ValueError,
            match=r"updates must be finite; rows with NaN or infinity: \[1\]",
        ):
            function()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, F64])
@pytest.mark.parametrize("epsilon", [0.0, 1e-7, 1e-40])
def test_zero_stays_zero_in_every_precision(dtype, epsilon):
    d = torch.tensor([[0.0, 0.0], [3.0, 4.0], [6e-8, 0.0]]).to(dtype)
    u = rewards.normalise(d, 0.5, epsilon)
    assert u.dtype == dtype and u[0].tolist() == [0.0, 0.0]
    short = d[2, 0].item() and 0.5 * d[2, 0].item() / (d[2, 0].item() + epsilon)
    right = torch.tensor([[0.3, 0.4], [short, 0.0]])
    torch.testing.assert_close(u[1:].float(), right, rtol=5e-3, atol=0)


def test_a_long_update_in_half_precision_comes_to_its_length():
    """Gamma / |Delta w| is 8e-8, where float16 has steps of 6e-8."""
    u = rewards.normalise(torch.full((1, 10_000), 6e4).to(torch.float16), 0.5)
    torch.testing.assert_close(u.double(), torch.full_like(u.double(), 0.005),
                               rtol=1e-3, atol=0)


def test_epsilon_leaves_tiny_updates_short():
    u = rewards.normalise(
        torch.tensor([[3e-7, 4e-7]], dtype=F64), gamma=1.0, epsilon=1e-7
    )
    torch.testing.assert_close(u, torch.tensor([[0.5, 2 / 3]], dtype=F64))


def test_clipping_shortens_only_the_long():
    d = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]], dtype=F64)
    torch.testing.assert_close(
        rewards.clip(d, 1.0),
        torch.tensor([[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]], dtype=F64),
    )


@pytest.mark.parametrize("gamma", [0.0, -1.0, math.nan])
def test_gamma_must_be_positive(gamma):
    with pytest.raises(ValueError, match="gamma must be a positive, finite number"):
        rewards.normalise(torch.ones(1, 2), gamma)


def test_the_sum_is_weighted_and_changes_nothing():
    updates, weights = (
        torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=F64),
        vector(0.25, 0.75),
    )
    before = updates.clone()
    assert rewards.aggregate(updates, weights).tolist() == [0.25, 1.5]
    assert torch.equal(updates, before)


def test_float32_updates_are_summed_in_float64():
    # One large and 2**12 tiny entries that a float32 accumulator loses one by one.
    updates = torch.full((4097, 1), 2.0**-13)
    updates[0] = 4096.0
    total = rewards.aggregate(updates, torch.ones(4097))
    assert total.dtype == torch.float32
    assert total.item() == 4096.5


def test_updates_that_cancel_but_for_rounding_sum_to_zero():
    angles = torch.tensor([0.0, 2 * math.pi / 3, 4 * math.pi / 3], dtype=F64)
    updates = torch.stack([angles.cos(), angles.sin()], dim=1)
    assert updates.sum(0).abs().max() > 0  # rounding is left
    assert rewards.aggregate(updates, torch.ones(3)).tolist() == [0.0, 0.0]
    assert rewards.aggregate(updates[:2], torch.ones(2)).norm() == pytest.approx(1.0)


def test_a_sum_knows_its_length_and_inner_products():
    draws = torch.Generator().manual_seed(0)
    d = torch.randn(3, 70_001, generator=draws) + 0.2
    found, weights = rewards.summed(d, vector(0.2, -0.5, 2.0)), vector(0.2, -0.5, 2.0)
    u_n = found.vector.double()  # rounded as it is sent
    assert torch.equal(found.vector, rewards.aggregate(d, weights))
    torch.testing.assert_close(u_n, weights @ d.double(), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(found.length, u_n.norm(), rtol=1e-13, atol=0)
    torch.testing.assert_close(found.inner, d.double() @ u_n, rtol=1e-13, atol=0)
    third = vector(1.0, 0.1).expand(3, 2) * vector(0.1, 0.2, -0.3)[:, None]
    assert third.sum(0).any()  # rounding
    nothing = rewards.summed(third, torch.ones(3))
    assert not (nothing.vector.any() or nothing.inner.any() or nothing.length.any())


def test_no_bit_depends_on_the_number_of_threads():
    d = torch.randn(5, 300_001, generator=torch.Generator().manual_seed(0))
    found, before = [], torch.get_num_threads()
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        found.append((rewards.norms(d), *rewards.summed(d, torch.ones(5))))
    torch.set_num_threads(before)
    for first, *others in zip(*found, strict=True):
        assert all(torch.equal(first, other) for other in others)


def test_weights_must_fit():
    with pytest.raises(
        ValueError, match=r"\(2, 4\) do not fit weights of shape \(3,\)"
    ):
        rewards.aggregate(torch.ones(2, 4), torch.ones(3))
    with pytest.raises(
        ValueError, match=r"NaN or infinite entries, at positions \[1\]"
    ):
        rewards.aggregate(torch.ones(2, 4), vector(1.0, math.nan))


# ---- eq. (4)


def test_the_moving_average():
    r = rewards.importance(vector(0.5, 0.3, 0.2), vector(0.9, 0.1, -0.2), alpha=0.8)
    average = [
        0.8 * 0.5 + 0.2 * 0.9,
        0.8 * 0.3 + 0.2 * 0.1,
        0.8 * 0.2 - 0.2 * 0.2,
    ]  # .58 .26 .12
    torch.testing.assert_close(r, vector(*average) / 0.96)


def test_from_zero_the_first_coefficients_are_the_shares_of_psi_whatever_alpha():
    psi = vector(0.9, 0.6, 0.3)
    for alpha in (0.0, 0.5, 0.95):
        torch.testing.assert_close(
            rewards.importance(torch.zeros(3), psi, alpha), psi / 1.8
        )


def test_the_floor_is_applied_before_normalising():
    r = rewards.importance(vector(0.0, 0.0), vector(0.5, -0.5), alpha=0.0, floor=1e-3)
    torch.testing.assert_close(r, vector(0.5, 0.001) / 0.501)


def test_without_a_floor_negative_weights_are_possible_but_not_a_negative_sum():
    r = rewards.importance(vector(0.0, 0.0), vector(0.5, -0.25), alpha=0.0, floor=None)
    assert r.tolist() == [2.0, -1.0]
    with pytest.raises(ValueError, match="positive sum"):
        rewards.importance(vector(0.0, 0.0), vector(0.25, -0.5), alpha=0.0, floor=None)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, math.nan])
def test_alpha_must_be_a_share(alpha):
    with pytest.raises(ValueError, match="alpha must lie in"):
        rewards.importance(vector(0.5, 0.5), vector(0.5, 0.5), alpha)


# ---- eq. (5)


def test_quotas_by_hand():
    # tanh(.5) = .46212, tanh(.3) = .29131, tanh(.2) = .19738; ratios 1, .63039, .42711
    assert rewards.quotas(vector(0.5, 0.3, 0.2), 1.0, 6).tolist() == [6, 3, 2]
    assert rewards.quotas(vector(0.5, 0.3, 0.2), 1.0, 1000).tolist() == [1000, 630, 427]


def test_equal_agents_and_infinite_altruism_get_everything():
    assert (
        rewards.quotas(torch.full((7,), 1 / 7, dtype=F64), 0.3, 100).tolist()
        == [100] * 7
    )
    assert (
        rewards.quotas(vector(0.9, 0.1 - 1e-9, 1e-9), math.inf, 100).tolist()
        == [100] * 3
    )


def test_a_whole_number_lost_to_rounding_is_kept():
    assert 100 * 0.29 < 29  # in floating point
    assert rewards.count(vector(0.29), 100).tolist() == [29]


def test_a_negative_coefficient_downloads_nothing():
    assert rewards.quotas(vector(1.2, -0.2), 1.0, 10).tolist() == [10, 0]


@pytest.mark.parametrize("beta", [0.0, -1.0, math.nan])
def test_beta_must_be_positive(beta):
    with pytest.raises(ValueError, match="beta must be a positive number"):
        rewards.quality(vector(0.5, 0.5), beta)


def test_some_coefficient_must_be_positive():
    with pytest.raises(ValueError, match="positive importance"):
        rewards.quality(vector(0.0, 0.0), 1.0)


@settings(derandomize=True, deadline=None)
@given(
    st.lists(st.floats(1e-4, 1), min_size=1, max_size=8),
    st.floats(0.01, 50),
    st.floats(1.01, 3),
)
def test_more_altruism_never_lowers_a_quota_and_the_best_agent_has_all(
    parts, beta, more
):
    r = vector(*parts) / sum(parts)
    few, many = rewards.quotas(r, beta, 1000), rewards.quotas(r, more * beta, 1000)
    assert few.max() == many.max() == 1000
    assert (many >= few).all()
    assert few[r.argmax()] == 1000


# ---- several federations at a time


def test_leading_dimensions_give_what_each_federation_gives():
    draws = torch.Generator().manual_seed(0)
    updates = torch.randn(2, 3, 4, 6, generator=draws, dtype=F64)
    updates[1, 2, 1] = 0
    updates[0, 1] = updates[0, 1, :1] * vector(1, -2, 0.5, 0.5)[:, None]  # they cancel
    r = torch.rand(2, 3, 4, generator=draws, dtype=F64)
    r[0, 1] = 1.0
    u = rewards.normalise(updates, 0.5)
    total = rewards.aggregate(updates, r)
    psi = cgsv.cosine(updates, total)
    after = rewards.importance(r, psi, 0.8)
    q = rewards.quotas(after, 2.0, 6)
    masked = rewards.mask(total[..., None, :], q)
    assert not total[0, 1].any() and total[0, 0].any()
    for one in np.ndindex(2, 3):
        assert torch.equal(u[one], rewards.normalise(updates[one], 0.5))
        right = rewards.aggregate(updates[one], r[one])
        torch.testing.assert_close(total[one], right, rtol=1e-14, atol=1e-15)
        right = cgsv.cosine(updates[one], total[one])
        torch.testing.assert_close(psi[one], right, rtol=1e-14, atol=1e-15)
        assert torch.equal(after[one], rewards.importance(r[one], psi[one], 0.8))
        assert torch.equal(q[one], rewards.quotas(after[one], 2.0, 6))
        for i, count in enumerate(q[one].tolist()):
            assert torch.equal(masked[one][i], rewards.mask(total[one], count))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda r: rewards.quality(-r, 1.0), "eq. .5. needs a positive importance"),
        (
            lambda r: rewards.importance(r, -r, 0.0, None),
            "eq. .4. divides by a positive sum",
        ),
        (
            lambda r: rewards.quality(torch.tensor([[1.0, math.nan]]), 1.0),
            r"r holds NaN or infinite entries, at positions \[\[0, 1\]\]",
        ),
        (
            lambda r: rewards.quality(r.to(torch.complex64), 1.0),
            "one real number for each",
        ),
        (
            lambda r: rewards.quality(torch.zeros(2, 0), 1.0),
            r"not torch.float32 of shape \(2, 0\)",
        ),
    ],
)
def test_one_federation_that_is_wrong_is_enough(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.tensor([[0.5, 0.5], [-0.5, -0.5]]))


# ---- the mask


def test_mask_by_hand():
    u = vector(0.1, -3.0, 2.0, 0.0, -2.0)
    assert rewards.mask(u, 0).tolist() == [0, 0, 0, 0, 0]
    assert rewards.mask(u, 1).tolist() == [0, -3, 0, 0, 0]
    assert rewards.mask(u, 2).tolist() == [
        0,
        -3,
        2,
        0,
        0,
    ]  # of two equal magnitudes the earlier
    assert rewards.mask(u, 3).tolist() == [0, -3, 2, 0, -2]
    assert torch.equal(rewards.mask(u, 5), u)
    assert rewards.mask(u, -1).tolist() == [0, 0, 0, 0, 0]
    with pytest.raises(ValueError, match="cannot keep 6 of 5"):
        rewards.mask(u, 6)


def test_of_many_equal_magnitudes_the_earlier_are_kept():
    # Long enough for a sorting routine that does not keep the order of equal entries.
    u = torch.ones(20_000)
    u[::2] = -1
    assert torch.equal(rewards.mask(u, 7_000).nonzero().flatten(), torch.arange(7_000))


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=12), st.data())
def test_the_mask_lemma(entries, data):
    u = vector(*map(float, entries))
    q = data.draw(st.integers(0, len(u)))
    v = rewards.mask(u, q)
    total, kept = float(u @ u), float(v @ v)
    assert total == pytest.approx(
        kept + float((u - v) @ (u - v))
    )  # an orthogonal projection
    assert kept >= q / len(u) * total - 1e-12
    if q < len(u):
        larger = rewards.mask(u, q + 1)
        assert torch.equal(rewards.mask(larger, q), v)  # nested


# ---- how much altruism


def test_altruism_bounds_by_hand():
    assert rewards.altruism_bound(0.5, 0.1) == pytest.approx(5.493061)  # ln(3) / 0.2
    assert rewards.sharp_altruism_bound(0.5, 0.18, agents=5) == 0.0  # .18 / .28 > .5
    assert rewards.sharp_altruism_bound(0.5, 0.15, agents=5) == pytest.approx(
        2.92, abs=0.005
    )


@settings(derandomize=True, deadline=None)
@given(st.integers(2, 12), st.floats(0.05, 1), st.floats(0.05, 0.9))
def test_the_sharp_bound_is_enough_and_no_smaller_one_is(agents, part, c):
    weakest = part / agents
    beta = rewards.sharp_altruism_bound(c, weakest, agents)
    worst = torch.full((agents,), weakest, dtype=F64)
    worst[0] = 1 - (agents - 1) * weakest
    assert beta <= rewards.altruism_bound(c, weakest) + 1e-9
    if beta > 0:
        assert rewards.quality(worst, beta).min() == pytest.approx(c, abs=1e-6)
        assert rewards.quality(worst, 0.9 * beta).min() < c
    else:
        assert rewards.quality(worst, 1e-6).min() >= c - 1e-6


def test_bounds_reject_what_cannot_be():
    with pytest.raises(ValueError, match="strictly between"):
        rewards.altruism_bound(1.0, 0.1)
    with pytest.raises(ValueError, match="cannot sum to 1"):
        rewards.sharp_altruism_bound(0.5, 0.3, agents=5)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_factors_are_what_scaling_multiplies_by(dtype):
    d = torch.tensor([[3.0, 4.0], [0.0, 0.0], [0.0, 0.1], [-1.0, 0.0]], dtype=dtype)
    lengths = rewards.norms(d)
    assert rewards.factors(lengths, 0.5).tolist() == pytest.approx([0.1, 0, 5, 0.5])
    for scaling, function in SCALINGS.items():
        found = rewards.factors(lengths, 0.5, scaling)
        assert found.dtype == F64
        torch.testing.assert_close(d * found[:, None].to(dtype), function(d, 0.5))
    assert rewards.factors(lengths, 0.5, epsilon=5.0).tolist() == pytest.approx(
        [0.05, 0.1, 0.5 / 5.1, 0.5 / 6]
    )
    with pytest.raises(ValueError, match="unknown scaling 'none'"):
        rewards.factors(lengths, 0.5, "none")
    with pytest.raises(ValueError, match="gamma must be a positive, finite number"):
        rewards.factors(lengths, 0.0)
