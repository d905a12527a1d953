"""Uploads as mixtures of the others: numbers worked out by hand, and the conditions
that a nearest mixture fulfils."""

import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from fairfl import cgsv
from fairfl.attacks import detection
from fairfl.randomness import generator

F64 = torch.float64
ROOT = 0.5**0.5


def of(*vectors, **options):
    u = torch.tensor(vectors, dtype=F64)
    return detection.mixtures(cgsv.gram(u), **options)


def drawn(agents, dimension, *key):
    draws = generator(0, "mixtures", agents, dimension, *key)
    return torch.randn(agents, dimension, generator=draws, dtype=F64)


def close(found, *expected, atol=1e-6):
    assert found.tolist() == pytest.approx(list(expected), abs=atol)


def test_by_hand():
    # (1, 1) is both; an axis is off the other two by half a right angle
    close(of([1, 0], [0, 1], [1, 1]).residual, ROOT, ROOT, 0)
    close(of([1, 0], [0, 1], [1, 1]).weights[2], ROOT, ROOT, 0)
    close(of([1, 0], [0, 1], [1, 1]).weights[0], 0, 0, ROOT)
    # (1, 2, 2) keeps a third of its length where nobody else goes
    close(of([1, 0, 0], [0, 1, 0], [1, 2, 2]).residual[2:], 2 / 3)
    # against the others nothing comes nearer than nothing
    close(of([1, 0], [-1, 0.5], [-1, -0.5]).residual[:1], 1)
    # -u is no mixture of u, and a difference of two is none
    close(of([1, 0], [-1, 0]).residual, 1, 1)
    close(of([1, 0, 0], [0, 1, 0], [1, -1, 0]).residual[2:], ROOT)


@pytest.mark.parametrize("agents, dimension", [(4, 300), (9, 1000), (9, 5)])
def test_a_positive_mixture_has_nothing_of_its_own_and_others_have(agents, dimension):
    u = drawn(agents, dimension) + 0.3
    parts = torch.rand(agents - 1, generator=generator(1, "parts"), dtype=F64) + 0.1
    u[-1] = parts @ u[:-1]
    found = detection.mixtures(cgsv.gram(u))
    assert found.residual[-1] < 1e-6
    if dimension > agents:
        assert found.residual[:-1].min() > 0.3
        lengths = u.norm(dim=1)
        assert_close(found.weights[-1, :-1], parts * lengths[:-1] / lengths[-1],
                     rtol=0, atol=1e-6)
    single = detection.mixtures(cgsv.gram(u.float()))
    assert single.residual[-1] < 1e-5


@pytest.mark.parametrize("rho", [0.0, 0.2, 0.8])
def test_with_noise_the_residual_rises_as_s_through_root_1_plus_s_squared(rho):
    common, own, noise = drawn(3, 4000), drawn(7, 4000, "own"), drawn(1, 4000, "noise")
    u = rho**0.5 * common[:1] + (1 - rho) ** 0.5 * own
    mixture = u.sum(0)
    for s in (0.03, 0.3, 3.0):
        # at right angles to all that is there
        basis = torch.linalg.qr(u.T).Q
        apart = noise[0] - basis @ (basis.T @ noise[0])
        fake = mixture + s * mixture.norm() * apart / apart.norm()
        found = detection.mixtures(cgsv.gram(torch.cat([u, fake[None]])))
        assert float(found.residual[-1]) == pytest.approx(s / math.sqrt(1 + s * s))


@pytest.mark.parametrize("agents", [2, 5, 12])
@pytest.mark.parametrize("rho", [-0.05, 0.0, 0.3, 0.9, 1.0])
def test_honest_agents_who_are_alike(agents, rho):
    gram = torch.full((agents, agents), rho, dtype=F64).fill_diagonal_(1)
    square = 1 - (agents - 1) * max(rho, 0) ** 2 / (1 + (agents - 2) * rho)
    found = detection.mixtures(gram).residual
    assert_close(found, torch.full_like(found, square**0.5), rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["plain", "copies", "opposite", "flat", "positive"])
def test_it_is_the_nearest_mixture(kind):
    """No weight can be raised or lowered with gain. In the last cases an update and its
    opposite would enter with huge weights, but for the ridge and the rounding."""
    sizes = [(2 + k % 9, 1 + k % 13, k) for k in range(40)]
    for agents, dimension, k in [*sizes, (11, 10, 2), (11, 10, 8), (9, 6, 36)]:
        u = drawn(agents, dimension, kind, k)
        if kind == "copies":
            u[agents // 2:] = 3 * u[: agents - agents // 2].clone()
        elif kind == "opposite":
            u[-1] = -2 * u[0]
        elif kind == "flat":
            u = u[:, :1].expand(-1, 4)
        elif kind == "positive":
            u = u.abs()
        found = detection.mixtures(cgsv.gram(u))
        units = u / u.norm(dim=1, keepdim=True)
        assert found.weights.min() >= 0 and not found.weights.diagonal().any()
        missed = units - found.weights @ units
        assert_close(missed.norm(dim=1), found.residual, rtol=0, atol=1e-6)
        slope = (missed @ units.T).fill_diagonal_(0)
        assert slope.max() < 1e-6 and (slope * found.weights).abs().max() < 1e-6


def test_lengths_and_the_order_of_agents_do_not_matter():
    u = drawn(8, 30) + 0.2
    u[5] = u[0] + 2 * u[3]
    found = detection.mixtures(cgsv.gram(u))
    order = torch.randperm(8, generator=generator(0, "order"))
    other = detection.mixtures(cgsv.gram(u[order]))
    assert_close(other.residual, found.residual[order], rtol=0, atol=1e-6)
    assert_close(other.weights, found.weights[order][:, order], rtol=0, atol=1e-5)
    scale = torch.logspace(-6, 6, 8, dtype=F64)[:, None]
    assert_close(detection.mixtures(cgsv.gram(scale * u)).residual, found.residual,
                 rtol=0, atol=1e-6)


def test_a_copy_and_what_it_copies_look_alike():
    u = drawn(5, 40)
    u[4] = 7 * u[1]
    close(detection.mixtures(cgsv.gram(u)).residual[[1, 4]], 0, 0)


def test_zeros_and_one_agent():
    assert of([2.0, 0.0]).residual.tolist() == [1.0]
    assert of([0.0, 0.0]).residual.tolist() == [0.0]
    found = of([0.0, 0.0], [1.0, 0.0], [1.0, 1.0])
    close(found.residual, 0, ROOT, ROOT)
    assert not found.weights[0].any() and not found.weights[:, 0].any()


def test_vectors_of_the_round_before_are_known_and_not_looked_at():
    now, before = drawn(4, 50, "now"), drawn(4, 50, "before")
    now[2] = before.sum(0)
    both = cgsv.gram(torch.cat([now, before]))
    assert detection.mixtures(cgsv.gram(now)).residual[2] > 0.5
    found = detection.mixtures(both, agents=4)
    assert found.residual[2] < 1e-6 and found.residual[[0, 1, 3]].min() > 0.5
    assert found.weights.shape == (4, 8) and found.weights[2, 4:].min() > 0.1


def test_the_kind_of_array_is_kept():
    gram = cgsv.gram(drawn(3, 4))
    found = detection.mixtures(gram.numpy())
    assert all(isinstance(part, np.ndarray) for part in found)
    assert_close(torch.from_numpy(found.residual), detection.mixtures(gram).residual)


@pytest.mark.parametrize("wrong, message", [
    ((torch.ones(2, 3), None), "a Gram matrix is square"),
    ((torch.eye(3), 0), "agents must be a whole number of at least 1"),
    ((torch.eye(3), 4), r"agents must lie in \[1, 3\], not 4"),
    ((torch.eye(3), 1.5), "agents must be a whole number"),
])
def test_bad_input_is_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        detection.mixtures(*wrong)
