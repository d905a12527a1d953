"""The first-order law and the certificate, against all coalitions one by one."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fairfl import approximation, cgsv, shapley

MEMBERS = {n: shapley.coalitions(n).double().numpy() for n in range(1, 9)}


def typical(rng):
    """Gaussian, correlated, graded, non-negative, two camps, near twins and opposites;
    equal or unequal norms."""
    n, d = int(rng.integers(3, 9)), int(2 ** rng.uniform(1, 9))
    u, kind = rng.normal(size=(n, d)), rng.integers(6)
    if kind == 1:
        u += rng.uniform(0, 3) * rng.normal(size=d)
    elif kind == 2:
        u *= np.geomspace(1, rng.uniform(1.5, 10), n)[:, None]
    elif kind == 3:
        u = abs(u)
    elif kind == 4:
        u[: n // 2] += 2 * rng.normal(size=d)
    elif kind == 5:
        u[1], u[2] = u[0] + 0.05 * u[1], -u[0] + 0.05 * u[2]
    return u / np.linalg.norm(u, axis=1, keepdims=True) if rng.random() < 0.5 else u


def adversarial(rng):
    """Twins, opposites, coalitions that nearly cancel, rank one, huge and tiny norms,
    null players."""
    n, d = int(rng.integers(1, 9)), int(rng.integers(1, 8))
    u, kind = rng.normal(size=(n, d)), rng.integers(8)
    if kind == 0:
        u = u[rng.integers(0, n, n)]
    elif kind == 1:
        u[n // 2 :] = -u[: n - n // 2] * (1 - 10 ** rng.uniform(-12, -1))
    elif kind == 2 and n > 1:
        u[-1] = -u[:-1].sum(0) * (1 - 10 ** rng.uniform(-7, -1))
    elif kind == 3:
        u = rng.normal(size=(n, 1)) * rng.normal(size=d)
    elif kind == 4:
        u *= 10.0 ** rng.uniform(-140, 140)
    elif kind == 5:
        u *= 10.0 ** rng.uniform(-12, 12, size=(n, 1))
    elif kind == 6:
        u[rng.random(n) < 0.4] = 0
    elif kind == 7 and n > 2:
        u[2] = -(u[0] + u[1]) * (1 + 10 ** rng.uniform(-12, -2))
    return u


def check_certificate(gram):
    phi, found = cgsv.exact(gram), approximation.certificate(gram)
    assert (found.lower <= phi).all() and (phi <= found.upper).all(), gram
    sure = approximation.certified(gram)
    assert not (sure & (phi[:, None] < phi - 1e-12)).any(), gram


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.integers(0, 2**32 - 1))
def test_the_certificate_is_never_violated(seed):
    check_certificate(cgsv.gram(typical(np.random.default_rng(seed))))


@settings(derandomize=True, deadline=None, max_examples=600)
@given(st.integers(0, 2**32 - 1))
def test_the_certificate_is_never_violated_by_adversaries(seed):
    check_certificate(cgsv.gram(adversarial(np.random.default_rng(seed))))


def to_50_digits(updates):
    """phi of these very vectors by the definition, in 50 digits."""
    n = len(updates)
    a = [[Decimal(float(x)) for x in row] for row in updates]
    gram = [[sum(x * y for x, y in zip(u, v, strict=True)) for v in a] for u in a]
    length = sum(map(sum, gram)).sqrt()
    value = [Decimal(0)] * 2**n
    for s in range(1, 2**n):
        inside = [j for j in range(n) if s >> j & 1]
        square = sum(gram[i][j] for i in inside for j in inside)
        value[s] = sum(sum(gram[j]) for j in inside) / (length * square.sqrt())
    phi = [Decimal(0)] * n
    for i in range(n):
        for s in range(2**n):
            if not s >> i & 1:
                weight = n * math.comb(n - 1, s.bit_count())
                phi[i] += (value[s | 1 << i] - value[s]) / weight
    return phi


def cancelling(rng):
    """Updates of unequal norms whose sum is 10^-5.5 to 1 times as long."""
    n, d = int(rng.integers(2, 7)), int(rng.integers(2, 6))
    u = rng.normal(size=(n, d)) * 10.0 ** rng.uniform(-2, 2, size=(n, 1))
    rest = 10 ** rng.uniform(-5.5, 0) * rng.normal(size=d) * np.linalg.norm(u)
    u[-1] = rest - u[:-1].sum(0)
    return u


@pytest.mark.parametrize("seed", range(61))
def test_near_cancelling_the_certificate_holds_to_50_digits(seed):
    example = np.array([[1, 0.3], [-1, -0.3 + 1e-5]])
    u = cancelling(np.random.default_rng(seed)) if seed else example
    found = approximation.certificate(cgsv.gram(u))
    with localcontext(prec=50):
        phi = to_50_digits(u)
        for low, value, high in zip(found.lower, phi, found.upper, strict=True):
            assert Decimal(float(low)) <= value <= Decimal(float(high))
        sure = approximation.certified(cgsv.gram(u))
        assert all(phi[i] > phi[j] for i, j in zip(*sure.nonzero(), strict=True))


def test_rounding_does_not_matter_where_nothing_cancels():
    gram = cgsv.gram(np.array([[1, 0.3], [1, -0.3]]))
    assert approximation.certificate(gram).radius.max() < 1e-14


def test_the_certificate_is_tight():
    rng = np.random.default_rng(0)
    ratios, decided, better = [], [], []
    for _ in range(300):
        gram = cgsv.gram(typical(rng))
        phi, psi = cgsv.exact(gram), cgsv.psi(gram)
        share, found = psi / psi.sum(), approximation.certificate(gram)
        ratios.extend(abs(phi - share) / found.bound(share))
        sure = approximation.certified(gram)
        decided.extend((sure | sure.T)[np.triu_indices(len(gram), 1)])
        better.append(
            abs(approximation.first_order(gram) - phi).sum() < abs(share - phi).sum()
        )
    assert np.median(ratios) >= 0.1
    assert np.mean(decided) >= 0.25
    assert np.mean(better) >= 0.75


def test_cheating_against_all_coalitions():
    """The second-order game and the error terms, with every coalition looked at."""
    rng = np.random.default_rng(1)
    for _ in range(40):
        gram = cgsv.gram(typical(rng))
        n, inside, developed = (
            len(gram),
            MEMBERS[len(gram)],
            approximation._Developed(torch.tensor(gram)),
        )
        size = inside.sum(1).astype(int)
        mean = np.concatenate([[1], cgsv.mean_squares(torch.tensor(gram)).numpy()])
        squares = np.array(
            [
                np.mean([row @ gram @ row for row in inside[size == s]])
                for s in range(1, n + 1)
            ]
        )
        assert mean[1:] == pytest.approx(squares)
        x = np.einsum("mi,ij,mj->m", inside, gram, inside) / mean[size]
        worth = (
            inside
            @ gram.sum(1)
            / math.sqrt(gram.sum())
            / np.sqrt(mean[size])
            * (3 - x)
            / 2
        )
        assert developed.value().numpy() == pytest.approx(shapley.exact(worth))
        spread = (x - 1) ** 2
        spread[0] = 0
        least = max(np.linalg.eigvalsh(gram)[0], 0)
        y = math.sqrt(min(s * least / mean[s] for s in range(1, n + 1)))
        factor = (y + 2) / (2 * (y + 1) ** 2)
        # the weight of a coalition among those with i, of those without i, is in
        # `fold`; here by the definition
        joined, before = np.zeros(n), np.zeros(n)
        for i in range(n):
            for m in range(n):
                without = (inside[:, i] == 0) & (size == m)
                before[i] += spread[without].mean() / n
                joined[i] += spread[np.flatnonzero(without) | 1 << i].mean() / n
        found = developed.errors()
        assert found[0].numpy() == pytest.approx(factor * joined, rel=1e-6, abs=1e-12)
        assert found[1].numpy() == pytest.approx(factor * before, rel=1e-6, abs=1e-12)


def test_the_first_order_law_has_an_error_of_second_order():
    rng = np.random.default_rng(2)
    n = 6
    excess = rng.normal(size=(n, n))
    excess = excess + excess.T
    base = np.eye(n) + 0.3
    errors = [
        abs(
            cgsv.exact(base + t * excess) - approximation.first_order(base + t * excess)
        ).max()
        for t in (1e-2, 1e-3, 1e-4)
    ]
    assert errors[1] < 0.015 * errors[0] and errors[2] < 0.015 * errors[1]


def test_the_slope_in_numbers():
    assert approximation.slope(3, 0) == pytest.approx(math.sqrt(3) / 2)
    assert approximation.slope(9, 0) == pytest.approx(0.9999, abs=5e-5)
    assert approximation.slope(20, 1) == pytest.approx(1.449, abs=5e-4)
    rng = np.random.default_rng(3)  # unit vectors: the law of all agents has this slope
    u = rng.normal(size=(7, 4000))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    gram = cgsv.gram(u)
    psi = cgsv.psi(gram)
    rho = (gram.sum() - 7) / 42
    law = 1 / 7 + approximation.slope(7, rho) * (psi / psi.sum() - 1 / 7)
    assert law == pytest.approx(approximation.first_order(gram), abs=1e-12)


def test_few_agents_null_players_and_a_cancelling_sum():
    for n in (1, 2):
        gram = cgsv.gram(np.random.default_rng(n).normal(size=(n, 3)))
        assert approximation.first_order(gram) == pytest.approx(cgsv.exact(gram))
    gram = cgsv.gram(np.array([[1.0, 0], [0, 0], [0.5, 1]]))
    assert approximation.certificate(gram).bound(np.zeros(3))[1] == 0
    assert (
        approximation.certified(gram)[0, 1]
        and not approximation.certified(gram)[1].any()
    )
    nothing = cgsv.gram(np.array([[1.0, 0], [-1, 0]]))
    assert (
        not approximation.first_order(nothing).any()
        and not approximation.certificate(nothing).upper.any()
    )


def test_torch_in_torch_out():
    gram = cgsv.gram(
        torch.randn(
            4, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64
        )
    )
    radius = approximation.certificate(gram).radius
    for found in (
        approximation.first_order(gram),
        radius,
        approximation.certified(gram),
    ):
        assert isinstance(found, torch.Tensor)
    assert isinstance(approximation.first_order(gram.numpy()), np.ndarray)


@pytest.mark.parametrize(
    "call",
    [
        lambda: approximation.slope(2, 0),
        lambda: approximation.slope(4, -0.5),
        lambda: approximation.slope(4, 1.1),
    ],
)
def test_bad_input(call):
    with pytest.raises(ValueError, match="at least 3 agents"):
        call()
