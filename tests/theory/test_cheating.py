"""The values of an attacker in formulas, against vectors and all permutations."""

import math

import pytest
import torch
from torch.testing import assert_close

from book.theory import cheating
from fairfl import cgsv
from fairfl.attacks import detection

F64 = torch.float64


def each(values, names, honest):
    """The value of every agent, the attacker's names first."""
    numbers = [values.attacker] * names + [values.honest] * honest
    return torch.tensor(numbers, dtype=F64)


@pytest.mark.parametrize("n", [1, 3, 6])
@pytest.mark.parametrize("rho", [0.0, 0.1, 0.6])
def test_the_closed_forms_are_the_values_of_vectors(n, rho):
    """Of vectors that have these cosines: the literal sum, and `cgsv.exact`."""
    top = cheating.sum_of_honest(n, rho)
    for gamma in (0.0, -rho, top, 0.5 * top):
        gram = cheating.one_gram(n, rho, gamma)
        values, basis = torch.linalg.eigh(gram)
        u = basis * values.clamp(min=0).sqrt()  # rows with these inner products
        assert_close(u @ u.T, gram)
        total = u.sum(0)
        expected = u @ total / (u.norm(dim=1) * total.norm())
        assert_close(each(cheating.psi(n, rho, gamma), 1, n), expected)
        assert_close(each(cheating.phi(n, rho, gamma), 1, n), cgsv.exact(gram))


def test_some_values_by_hand():
    psi = cheating.psi(4, 0.2, -0.2)  # g = .2, b = 1.4, H^2 = 5.8
    assert psi.attacker == pytest.approx(0.2 / math.sqrt(5.8))
    assert psi.honest == pytest.approx(1.4 / math.sqrt(5.8))
    assert cheating.psi(9, 0.3, 0.0).attacker > 0
    assert cheating.psi(2, 0.0, 0.0).attacker == pytest.approx(1 / math.sqrt(3))
    assert cheating.phi(2, 0.0, 0.0).attacker == pytest.approx(1 / 3)
    copies = cheating.copies_psi(3, 9, 0.0)
    assert copies.share(3, 9) == pytest.approx(9 / 18)
    assert cheating.copies_limit(1, 9, 0.0).attacker == pytest.approx(0.1)
    assert 2 * cheating.copies_limit(2, 9, 0.0).attacker == pytest.approx(1)
    assert cheating.expulsion(9, 0.0, 0.95) == 1


@pytest.mark.parametrize("wrong", [
    lambda: cheating.one_gram(3, 0.0, 0.9), lambda: cheating.copies_gram(0, 3, 0.1),
    lambda: cheating.copies_gram(2, 3, -0.6),
])
def test_cosines_that_no_vectors_have_are_refused(wrong):
    with pytest.raises(ValueError, match="no .* have"):
        wrong()


@pytest.mark.parametrize("k, rho", [(2, 0.1), (3, 0.5), (9, 0.3)])
def test_the_limit_of_copies_is_where_the_moving_average_goes(k, rho):
    gram = cheating.copies_gram(k, 9, rho)
    r = torch.full((k + 9,), 1 / (k + 9), dtype=F64)
    for _ in range(3000):
        r = 0.95 * r + 0.05 * gram @ r / (r @ gram @ r).sqrt()
        r = r / r.sum()
    assert_close(r, each(cheating.copies_limit(k, 9, rho), k, 9))


# ---- who judges more sharply


KINDS = {"noise": (lambda n, rho: 0.0, -1), "turned round": (lambda n, rho: -rho, -1),
         "sum": (cheating.sum_of_honest, 1)}
GRID = [0.001, *(k / 100 for k in range(1, 100)), 0.999]


def gap(n, rho, gamma, sign):
    """How much phi is sharper than the share of psi."""
    return sign * (cheating.phi(n, rho, gamma).attacker
                   - cheating.psi(n, rho, gamma).share(1, n))


@pytest.mark.parametrize("kind", KINDS)
def test_phi_is_sharper_among_eight_honest_agents_or_more(kind):
    gamma, sign = KINDS[kind]
    for n in (*range(8, 30), 100):
        assert all(gap(n, rho, gamma(n, rho), sign) > 0 for rho in GRID)
    for n in (2, 3, 4, 5, 6, 7):  # among fewer not where they hardly agree
        assert gap(n, 0.001, gamma(n, 0.001), sign) < 0
        signs = [gap(n, rho, gamma(n, rho), sign) > 0 for rho in GRID]
        assert signs == sorted(signs)  # from some cosine on, or never


def test_the_cosine_pays_two_names_more_only_among_one_or_two_others():
    def more(k, n, rho):
        exact = float(cgsv.exact(cheating.copies_gram(k, n, rho))[:k].sum())
        return exact > cheating.copies_psi(k, n, rho).share(k, n)

    fails = {(k, n) for n in range(1, 11) for k in range(2, 7)
             for rho in (0.0, 0.001, 0.01, 0.05, 0.09, 0.2, 0.5, 0.9)
             if not more(k, n, rho)}
    assert fails == {(2, 1), (2, 2)}
    assert not more(2, 1, 0.09) and more(2, 1, 0.1)
    assert not more(2, 2, 0.01) and more(2, 2, 0.02)


# ---- mixtures that hide in noise


@pytest.mark.parametrize("n", [2, 3, 9, 20])
@pytest.mark.parametrize("rho", [0.02, 0.1, 0.3, 0.6, 0.9])
def test_who_hides_among_equals_earns_what_they_earn(n, rho):
    """Below the camouflage a copier earns more than a head and has the smallest own
    part; above it is the other way round."""
    star = cheating.camouflage(n, rho)
    for part in (0.0, 0.1, 0.5, 0.95, 1.0, 1.05, 2.0):
        s = part * star
        gamma = cheating.hidden(cheating.sum_of_honest(n, rho), s)
        own = detection.mixtures(cheating.one_gram(n, rho, gamma)).residual
        share = cheating.psi(n, rho, gamma).share(1, n)
        exact = cheating.phi(n, rho, gamma).attacker
        if part <= 1:  # noise is at right angles to all others
            assert float(own[0]) == pytest.approx(s / math.sqrt(1 + s * s), abs=1e-6)
        if part == 1.0:
            assert_close(own, torch.full_like(own, cheating.own_part(n + 1, rho)),
                         rtol=0, atol=1e-6)
            assert share == pytest.approx(1 / (n + 1))
            assert exact == pytest.approx(1 / (n + 1))
        else:
            assert (own[0] < own[1:].min()) == (part < 1)
            assert (share > 1 / (n + 1)) == (exact > 1 / (n + 1)) == (part < 1)


def test_a_camouflage_needs_honest_agents_who_agree():
    assert cheating.camouflage(5, 1.0) == 0
    assert cheating.camouflage(1, 0.6) == pytest.approx(4 / 3)  # 1 / .36 - 1 = 16 / 9
    for rho in (0.0, -0.1, 1.1):
        with pytest.raises(ValueError, match="must lie in"):
            cheating.camouflage(3, rho)
