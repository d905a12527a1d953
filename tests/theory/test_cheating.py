"""The values of an attacker in formulas, against vectors and all permutations."""

import math

import pytest
import torch
from torch.testing import assert_close

from book.theory import cheating
from fairfl import cgsv

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
