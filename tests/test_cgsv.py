"""Eqs. (2) and (3): values by hand, a slow twin that averages over all permutations,
and the axioms."""

import math
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fairfl import cgsv, rewards, shapley
from fairfl.randomness import generator

F64 = torch.float64


def slow(a):
    """The definition: the average marginal contribution over all N! permutations, from
    the vectors themselves."""
    a = np.asarray(a, dtype=float)
    total = a.sum(0)

    def value(members):
        u = a[list(members)].sum(0) if members else 0 * total
        # cancelling but for rounding counts as zero
        reachable = np.linalg.norm(a[list(members)], axis=1).sum() if members else 0
        small = (
            np.linalg.norm(u) <= 1e-6 * reachable
            or np.linalg.norm(total) <= 1e-6 * np.linalg.norm(a, axis=1).sum()
        )
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


@pytest.mark.parametrize("size", [1e-150, 1e150])
def test_cosine_as_far_as_squares_reach(size):
    updates = torch.tensor([[3.0, 4.0], [0.0, 1.0]], dtype=F64) * size
    assert cgsv.cosine(
        updates, torch.tensor([size, 0.0], dtype=F64)
    ).tolist() == pytest.approx([0.6, 0])


def test_two_agents_by_hand():
    # phi_1 = (psi_1 + 1 - psi_2) / 2 for any two updates.
    a = torch.tensor([[2.0, 0.0], [1.0, 1.0]], dtype=F64)
    total = a.sum(0)
    psi = cgsv.cosine(a, total)
    phi = cgsv.exact(cgsv.gram(a))
    assert phi[0].item() == pytest.approx((psi[0] + 1 - psi[1]).item() / 2)
    assert phi.sum().item() == pytest.approx(1)


def test_negative_without_any_negative_cosine():
    # Xu et al., Sec. 3.2, say a negative value means negative cosines. Seven copies of
    # (1, 0) and one (0, 1):
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


@pytest.mark.parametrize(
    "a",
    [
        [[1, 0], [-1, 0]],  # all cancel
        [[1, 0], [-1, 0], [0, 1]],  # a pair cancels
        [[1, 2], [1, 2], [0, 0], [3, -1]],  # twins and a null player
        [[1, 1], [2, 2], [-0.5, -0.5]],  # rank one
        [[1e-9, 0], [0, 1], [1, 1]],
    ],
)
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
    torch.testing.assert_close(
        cgsv.exact(cgsv.gram(factor * a)), phi, rtol=0, atol=1e-9
    )  # scale
    order = data.draw(st.permutations(range(n)))
    torch.testing.assert_close(
        cgsv.exact(cgsv.gram(a[order])), phi[order], rtol=0, atol=1e-9
    )
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
    # 18 agents in six groups of three twins: as six agents with weights three times as
    # large it is another game, but twins must agree and the sum must be 1.
    a = draw(6, 4, 0).repeat(3, 1)
    phi = cgsv.exact(cgsv.gram(a))
    assert phi.sum().item() == pytest.approx(1)
    torch.testing.assert_close(phi[:6], phi[6:12], rtol=0, atol=1e-9)
    torch.testing.assert_close(phi[:6], phi[12:], rtol=0, atol=1e-9)


@pytest.mark.parametrize("value", ["cosine", "table"])
def test_no_operation_is_shared_by_threads_and_their_number_changes_nothing(
    value, monkeypatch
):
    # On a busy machine threads that share a small operation wait for each other: 1.4 s
    # instead of .013 s for 20 agents.
    seen, dot = set(), torch.dot

    def watched(a, b):
        seen.add(torch.get_num_threads())
        return dot(a, b)

    monkeypatch.setattr(torch, "dot", watched)
    gram, before, found = cgsv.gram(draw(18, 30, 0)), torch.get_num_threads(), []
    table = torch.randn(1 << 18, generator=generator(0, "table"), dtype=F64)
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        try:
            one = cgsv.exact(gram) if value == "cosine" else shapley.exact(table)
            assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(before)
        found.append(one)
    assert seen == {1}
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


def test_numpy_in_numpy_out():
    a = draw(4, 5, 1)
    gram, phi = cgsv.gram(a.numpy()), cgsv.exact(cgsv.gram(a.numpy()))
    assert isinstance(gram, np.ndarray) and isinstance(phi, np.ndarray)
    assert phi == pytest.approx(cgsv.exact(cgsv.gram(a)).numpy())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_taken_as_the_numbers_it_holds(dtype):
    u = draw(4, 30, 0).to(dtype)
    right = cgsv.gram(u.double())
    torch.testing.assert_close(cgsv.gram(u), right, rtol=1e-14, atol=0)
    total = rewards.aggregate(u, torch.ones(4))
    assert total.dtype == dtype
    cosines = cgsv.cosine(u.double(), total.double())
    torch.testing.assert_close(cgsv.cosine(u, total), cosines, rtol=1e-14, atol=1e-16)


def test_a_gram_matrix_in_float32_is_taken():
    u = draw(30, 3, 0).float()  # 27 eigenvalues are 0 but for rounding
    phi = cgsv.exact(cgsv.gram(u[:8]))
    torch.testing.assert_close(cgsv.exact(u[:8] @ u[:8].T), phi, rtol=0, atol=1e-4)
    assert len(cgsv.psi(u @ u.T)) == 30


def test_float32_updates_are_summed_in_float64():
    u = draw(3, 1000, 2).float()
    torch.testing.assert_close(
        cgsv.gram(u), u.double() @ u.double().T, rtol=1e-13, atol=1e-10
    )


@pytest.mark.parametrize("agents", [1, 3, 70])
def test_cosines_of_long_float32_vectors_are_those_of_float64(agents):
    # over many slices, the last of them shorter; sums in float32 would be off by 1e-9
    # at least
    u = torch.randn(agents, 70_001, generator=generator(0, "long")) + 0.3
    total, exact = u.sum(0).double(), u.double()
    right = exact @ total / (exact.norm(dim=1) * total.norm())
    torch.testing.assert_close(cgsv.cosine(u, total.float()), right, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: cgsv.exact(torch.ones(3, 2, dtype=F64)), "did you pass the updates"),
        (
            lambda: cgsv.exact(torch.eye(31, dtype=F64)),
            "limit is 30 agents. .*limit=31 insists",
        ),
        (
            lambda: cgsv.exact(torch.tensor([[math.nan]], dtype=F64)),
            r"rows of agents \[0\]",
        ),
        (
            lambda: cgsv.exact(torch.tensor([[1.0, 2.0], [0.0, 1.0]], dtype=F64)),
            "symmetric",
        ),
        (
            lambda: cgsv.psi([[1.0, 2], [2, 1]]),
            "gram is no Gram matrix: .* eigenvalue -1",
        ),
        (lambda: cgsv.exact([[0.0, 1], [1, 0]]), "gram is no Gram matrix"),
        (
            lambda: cgsv.exact(np.ma.masked_array(np.eye(2), np.eye(2))),
            "gram is a masked",
        ),
        (
            lambda: cgsv.gram(torch.ones(2, 3, dtype=torch.complex64)),
            "updates must be real",
        ),
        (lambda: cgsv.gram(torch.ones(2, 0)), r"updates is empty, of shape \(2, 0\)"),
        (
            lambda: cgsv.gram(torch.tensor([[1.0], [math.inf]])),
            r"rows with NaN or infinity: \[1\]",
        ),
        (
            lambda: cgsv.gram(torch.ones(2, 3), torch.ones(3)),
            "weights must be 2 finite numbers",
        ),
        (lambda: cgsv.gram(torch.full((2, 3), 1e200, dtype=F64)), "norm above 1e154"),
        (lambda: cgsv.gram(torch.ones(3)), "must have 2 dimensions"),
        (lambda: cgsv.gram(torch.ones(0, 3)), "at least one agent"),
        (
            lambda: cgsv.cosine(torch.ones(2, 3), torch.ones(4)),
            r"shape \(2, 3\) do not fit an aggregate of shape \(4,\)",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(2, 7), st.integers(1, 5), st.integers(0, 10**6))
def test_only_an_agent_without_an_update_is_a_null_player(n, d, seed):
    a = draw(n, d, seed)
    a[seed % n] = 0
    value = cgsv.game(cgsv.gram(a))
    members = shapley.coalitions(n)
    worth = value(members)
    for i in range(n):
        without = ~members[:, i]
        added = worth[torch.arange(2**n)[without] + 2**i] - worth[without]
        assert (added.abs().max() > 1e-9) == bool(a[i].any())


def test_the_game_and_psi_by_hand():
    a = torch.tensor(
        [[3.0, 0.0], [0.0, 4.0], [-3.0, 0.0], [0.0, 0.0]], dtype=F64
    )  # u_N = (0, 4)
    gram = cgsv.gram(a)
    members = torch.tensor(
        [
            [False] * 4,
            [True, True, False, False],
            [True, False, True, False],
            [True] * 4,
        ]
    )
    assert cgsv.game(gram)(members).tolist() == pytest.approx([0, 0.8, 0, 1])
    assert cgsv.psi(gram).tolist() == pytest.approx([0, 1, 0, 0])
    assert cgsv.psi(gram).tolist() == pytest.approx(cgsv.cosine(a, a.sum(0)).tolist())
    assert not cgsv.game(cgsv.gram(a[[0, 2]]))(
        members[:, :2]
    ).any()  # all cancel: nothing is worth anything


@pytest.mark.parametrize(
    "options",
    [{}, {"paired": False, "control": False}, {"control": False}, {"paired": False}],
)
def test_sampling_finds_the_exact_values(options):
    weights = torch.tensor([0.5, 0.1, 0.2, 0.1, 0.1, 0.3], dtype=F64)
    gram = cgsv.gram(draw(6, 8, 3), weights)
    gram = torch.cat([torch.cat([gram, torch.zeros(6, 1)], 1), torch.zeros(1, 7)]).to(
        F64
    )  # and one without an update
    found, phi = cgsv.sampled(gram, 0, 4000, **options), cgsv.exact(gram)
    assert found.values[6] == 0 and found.values.sum().item() == pytest.approx(1)
    assert ((found.values - phi).abs() <= 4 * found.standard_error + 1e-12).all()
    assert ((found.values - phi).abs() <= found.error).all()


def test_sampling_stops_at_the_asked_error_and_pairs_with_control_get_there_first():
    gram = cgsv.gram(draw(10, 50, 1))
    quick = cgsv.sampled(gram, 0, error=0.02)
    slow = cgsv.sampled(gram, 0, error=0.02, paired=False, control=False)
    for found in (quick, slow):
        assert (
            (found.values - cgsv.exact(gram)).abs().max() <= found.error.max() <= 0.02
        )
    assert quick.permutations < slow.permutations / 8


def test_sampling_goes_by_names_and_gives_back_what_it_got():
    gram, order = cgsv.gram(draw(5, 8, 2)), [3, 0, 4, 1, 2]
    first = cgsv.sampled(gram, 0, 20, names="abcde")
    again = cgsv.sampled(
        gram[order][:, order], 0, 20, names=["abcde"[i] for i in order]
    )
    torch.testing.assert_close(again.values, first.values[order])
    assert isinstance(cgsv.sampled(gram.numpy(), 0, 20).values, np.ndarray)
    assert not cgsv.sampled(torch.zeros(3, 3), 0, 4).values.any()
    with pytest.raises(ValueError, match="5 agents need 5 names"):
        cgsv.sampled(gram, 0, 4, names="abc")


def test_many_agents_show_how_far_the_computation_is(capsys):
    cgsv.exact(torch.eye(24, dtype=F64))
    assert "N = 24" not in capsys.readouterr().err
    assert cgsv.exact(torch.eye(25, dtype=F64))[0].item() == pytest.approx(1 / 25)
    assert "N = 25" in capsys.readouterr().err


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same():
    a = draw(19, 100, 4)
    gram = cgsv.gram(a.cuda())
    assert gram.is_cuda and cgsv.exact(gram).is_cuda
    torch.testing.assert_close(
        cgsv.exact(gram).cpu(), cgsv.exact(cgsv.gram(a)), rtol=0, atol=1e-10
    )
    torch.testing.assert_close(
        cgsv.sampled(gram, 0, 20).values.cpu(), cgsv.sampled(gram.cpu(), 0, 20).values
    )


def test_what_is_left_of_updates_that_cancel_is_worth_nothing():
    gram = cgsv.gram(torch.tensor([[1.0, 0.0], [-1.0, 3e-8], [0.0, 1.0]], dtype=F64))
    assert cgsv.game(gram)(torch.tensor([[True, True, False]])).item() == 0
