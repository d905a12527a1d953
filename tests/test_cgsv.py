"""Eqs. (2) and (3): values by hand, a slow twin that averages over all permutations, and the axioms."""

import math
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fairfl import cgsv
from fairfl.randomness import generator

F64 = torch.float64


def slow(a):
    """The definition: the average marginal contribution over all N! permutations, from the vectors themselves."""
    a = np.asarray(a, dtype=float)
    total = a.sum(0)

    def value(members):
        u = a[list(members)].sum(0) if members else 0 * total
        # cancelling but for rounding counts as zero
        reachable = np.linalg.norm(a[list(members)], axis=1).sum() if members else 0
        small = np.linalg.norm(u) <= 1e-6 * reachable or np.linalg.norm(total) <= 1e-6 * np.linalg.norm(a, axis=1).sum()
        return 0.0 if small else u @ total / (np.linalg.norm(u) * np.linalg.norm(total))

    n = len(a)
    phi = np.zeros(n)
    for order in permutations(range(n)):
        for k, i in enumerate(order):
            phi[i] += value(order[: k + 1]) - value(order[:k])
    return phi / math.factorial(n)


def draw(n, d, seed):
    return torch.randn(n, d, generator=generator(seed, "cgsv"), dtype=F64)


def test_cosine_by_hand():
    updates = torch.tensor([[3.0, 4.0], [-1.0, 0.0], [0.0, 0.0], [0.0, 2.0]], dtype=F64)
    psi = cgsv.cosine(updates, torch.tensor([1.0, 0.0], dtype=F64))
    assert psi.tolist() == pytest.approx([0.6, -1, 0, 0])
    assert cgsv.cosine(updates, torch.zeros(2, dtype=F64)).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_cosine_beyond_the_range_of_squares(size):
    updates = torch.tensor([[3.0, 4.0], [0.0, 1.0]], dtype=F64) * size
    assert cgsv.cosine(updates, torch.tensor([size, 0.0], dtype=F64)).tolist() == pytest.approx([0.6, 0])


def test_two_agents_by_hand():
    # phi_1 = (psi_1 + 1 - psi_2) / 2 for any two updates.
    a = torch.tensor([[2.0, 0.0], [1.0, 1.0]], dtype=F64)
    total = a.sum(0)
    psi = cgsv.cosine(a, total)
    phi = cgsv.exact(cgsv.gram(a))
    assert phi[0].item() == pytest.approx((psi[0] + 1 - psi[1]).item() / 2)
    assert phi.sum().item() == pytest.approx(1)


def test_negative_without_any_negative_cosine():
    # Xu et al., Sec. 3.2, say a negative value means negative cosines. Seven copies of (1, 0) and one (0, 1):
    a = torch.tensor([[1.0, 0.0]] * 7 + [[0.0, 1.0]], dtype=F64)
    gram = cgsv.gram(a)
    phi = cgsv.exact(gram)
    assert (gram >= 0).all() and phi[-1] < 0
    assert phi[-1].item() == pytest.approx(-0.0078, abs=5e-5)


@pytest.mark.parametrize("n", range(1, 8))
def test_against_the_average_over_all_permutations(n):
    for seed in range(3 if n < 7 else 1):
        a = draw(n, 3, seed)
        assert cgsv.exact(cgsv.gram(a)).numpy() == pytest.approx(slow(a), abs=1e-10)


@pytest.mark.parametrize("a", [
    [[1, 0], [-1, 0]],  # all cancel
    [[1, 0], [-1, 0], [0, 1]],  # a pair cancels
    [[1, 2], [1, 2], [0, 0], [3, -1]],  # twins and a null player
    [[1, 1], [2, 2], [-0.5, -0.5]],  # rank one
    [[1e-9, 0], [0, 1], [1, 1]],
])
def test_corner_cases_against_the_slow_twin(a):
    a = torch.tensor(a, dtype=F64)
    assert cgsv.exact(cgsv.gram(a)).numpy() == pytest.approx(slow(a), abs=1e-10)


games = st.tuples(st.integers(1, 9), st.integers(1, 6), st.integers(0, 10**6))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(games, st.floats(1e-3, 1e3), st.data())
def test_axioms(game, factor, data):
    n, d, seed = game
    a = draw(n, d, seed)
    phi = cgsv.exact(cgsv.gram(a))
    assert phi.sum().item() == pytest.approx(1)  # efficiency
    torch.testing.assert_close(cgsv.exact(cgsv.gram(factor * a)), phi, rtol=0, atol=1e-9)  # scale
    order = data.draw(st.permutations(range(n)))
    torch.testing.assert_close(cgsv.exact(cgsv.gram(a[order])), phi[order], rtol=0, atol=1e-9)
    twin = cgsv.exact(cgsv.gram(torch.cat([a, a[:1]])))
    assert twin[0].item() == pytest.approx(twin[-1].item(), abs=1e-9)  # symmetry
    null = cgsv.exact(cgsv.gram(torch.cat([a, torch.zeros(1, d, dtype=F64)])))
    assert null[-1] == 0  # null player
    torch.testing.assert_close(null[:-1], phi, rtol=0, atol=1e-9)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(games, st.lists(st.floats(0.01, 1), min_size=9, max_size=9))
def test_weights_stand_inside_the_coalitions(game, parts):
    n, d, seed = game
    u, r = draw(n, d, seed), torch.tensor(parts[:n], dtype=F64)
    torch.testing.assert_close(cgsv.gram(u, r), cgsv.gram(r[:, None] * u))
    assert cgsv.exact(cgsv.gram(u, r)).sum().item() == pytest.approx(1)


def test_more_agents_than_a_block_holds():
    # 18 agents in six groups of three twins: as six agents with weights three times as large it is another game,
    # but twins must agree and the sum must be 1.
    a = draw(6, 4, 0).repeat(3, 1)
    phi = cgsv.exact(cgsv.gram(a))
    assert phi.sum().item() == pytest.approx(1)
    torch.testing.assert_close(phi[:6], phi[6:12], rtol=0, atol=1e-9)
    torch.testing.assert_close(phi[:6], phi[12:], rtol=0, atol=1e-9)


def test_numpy_in_numpy_out():
    a = draw(4, 5, 1)
    gram, phi = cgsv.gram(a.numpy()), cgsv.exact(cgsv.gram(a.numpy()))
    assert isinstance(gram, np.ndarray) and isinstance(phi, np.ndarray)
    assert phi == pytest.approx(cgsv.exact(cgsv.gram(a)).numpy())


def test_float32_updates_are_summed_in_float64():
    u = draw(3, 1000, 2).float()
    torch.testing.assert_close(cgsv.gram(u), u.double() @ u.double().T, rtol=1e-13, atol=1e-10)


@pytest.mark.parametrize("call, message", [
    (lambda: cgsv.exact(torch.ones(3, 2, dtype=F64)), "did you pass the updates"),
    (lambda: cgsv.exact(torch.eye(31, dtype=F64)), r"limit is 30 agents. Pass limit=31"),
    (lambda: cgsv.exact(torch.tensor([[math.nan]], dtype=F64)), r"rows of agents \[0\]"),
    (lambda: cgsv.exact(torch.tensor([[1.0, 2.0], [0.0, 1.0]], dtype=F64)), "symmetric"),
    (lambda: cgsv.gram(torch.tensor([[1.0], [math.inf]])), r"rows with NaN or infinity: \[1\]"),
    (lambda: cgsv.gram(torch.ones(2, 3), torch.ones(3)), "weights must be 2 finite numbers"),
    (lambda: cgsv.gram(torch.full((2, 3), 1e-200, dtype=F64)), "do not fit into float64"),
    (lambda: cgsv.gram(torch.ones(3)), "must have 2 dimensions"),
    (lambda: cgsv.gram(torch.ones(0, 3)), "at least one agent"),
    (lambda: cgsv.cosine(torch.ones(2, 3), torch.ones(4)), "updates have 3 parameters but the aggregate has 4"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
