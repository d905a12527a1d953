"""Federations on quadratics: the batched mechanism against the real one, gradients
against differences."""

import pytest
import torch

from book.theory import quadratics
from fairfl import mechanisms
from fairfl.mechanisms.base import Round, Setting
from fairfl.randomness import generator
from fairfl.schedules import Schedule


def quadratic(kappa=5.0, noise=1.0, agents=4, dimension=6, spread=1.0):
    optima = spread * torch.randn(agents, dimension, generator=generator(1, "optima"),
                                  dtype=torch.float64)
    return quadratics.Quadratic(quadratics.hessian(dimension, kappa), optima,
                                noise * torch.linspace(0, 1, agents).double())


def logistic(ridge=0.1):
    x = torch.randn(40, 3, generator=generator(1, "x"), dtype=torch.float64)
    labels = torch.randint(0, 2, (3, 40), generator=generator(1, "y")).double()
    return quadratics.Logistic(x, labels, torch.tensor([1, 4, 9]), ridge)


def test_the_batched_step_is_that_of_the_mechanism():
    """Each of three federations by itself through `mechanisms.CGSV`, over several
    rounds, on drawn updates; one agent uploads nothing, and nobody does in the first
    round of one federation and in the fifth of another."""
    agents, d = 4, 9
    ones = torch.ones(agents, dtype=torch.int64)
    setting = Setting(tuple("abcd"), d, ones, ones, (slice(0, d),))
    mechanism = mechanisms.CGSV(beta=2.0)
    states = [mechanism.init(setting) for _ in range(3)]
    average = torch.zeros(3, agents).double()
    weights = torch.full((3, agents), 1 / agents).double()
    draws = generator(0, "step")
    for t in range(1, 8):
        updates = torch.randn(3, agents, d, generator=draws, dtype=torch.float64) + 1
        updates[1, 2] = 0
        if t == 5:
            updates[0] = 0
        if t == 1:
            updates[2] = 0
        gamma = 0.5 * 0.9**t
        total, v, average, weights = quadratics.step(
            updates, average, weights, gamma, 0.95, 2.0, 1e-3
        )
        for s in range(3):
            round = Round(t, 0.1, gamma, updates[s], torch.zeros(agents, d),
                          torch.zeros(d), None, None)
            states[s], answer = mechanism.apply(states[s], round, setting)
            torch.testing.assert_close(total[s], answer.aggregate, rtol=1e-12,
                                       atol=1e-14)
            torch.testing.assert_close(weights[s], answer.log["r"], rtol=1e-12,
                                       atol=1e-14)
            kept = [int(min(q, d)) if total[s].any() else 0 for q in answer.log["q"]]
            assert v[s].count_nonzero(-1).tolist() == kept
            for i in range(agents):
                torch.testing.assert_close(v[s, i], answer.reward.row(i), rtol=1e-12,
                                           atol=1e-14)


def test_opposite_updates_cancel_and_nothing_moves():
    updates = torch.tensor([[[1.0, 1.1], [-3.0, -3.3], [-1.0, -1.1]]]).double()
    # .5 = .32 + .18 but for rounding
    start = torch.tensor([[0.5, 0.32, 0.18]]).double()
    total, v, average, r = quadratics.step(updates, start, start, 0.5, 0.95, 1.0, 1e-3)
    assert not total.any() and not v.any() and torch.equal(r, start)
    assert torch.equal(average, start)


@pytest.mark.parametrize("problem", [quadratic(noise=0.0), logistic()],
                         ids=["quadratic", "logistic"])
def test_optimum_and_parabolas(problem):
    """No gradient at w*; F between the parabolas mu/2 and L/2 |w - w*|^2."""
    w = problem.optimum.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(problem.loss(w), w)
    assert slope.norm() < 1e-9
    points = problem.optimum + 3 * torch.randn(500, len(w),
                                               generator=generator(0, "points"),
                                               dtype=torch.float64)
    rise = problem.loss(points) - problem.loss(problem.optimum)
    squares = (points - problem.optimum).square().sum(-1)
    assert (rise >= problem.convexity / 2 * squares * (1 - 1e-9)).all()
    assert (rise <= problem.smoothness / 2 * squares * (1 + 1e-9)).all()


def test_gradients_of_quadratics_are_those_of_the_local_losses():
    problem = quadratic(noise=0.0)
    models = torch.randn(2, 4, 6, generator=generator(0, "models"), dtype=torch.float64)
    found = problem.gradients(models, generator(0, "none"))
    w = models.clone().requires_grad_(True)
    gaps = w - problem.optima
    local = torch.einsum("snd,de,sne->sn", gaps, problem.hessian, gaps) / 2
    torch.testing.assert_close(found, torch.autograd.grad(local.sum(), w)[0])
    # and their mean is the gradient of F, where all hold one model
    w = models[:, :1].expand(-1, 4, -1)
    single = models[:, 0].clone().requires_grad_(True)
    slope = torch.autograd.grad(problem.loss(single).sum(), single)[0]
    torch.testing.assert_close(problem.gradients(w, generator(0, "none")).mean(1),
                               slope)


def test_noise_has_the_size_that_was_asked_for():
    problem = quadratic()
    # each agent at its own optimum: what is left is noise
    models = problem.optima.expand(4000, -1, -1)
    found = problem.gradients(models, generator(0, "noise"))
    torch.testing.assert_close(found.std(dim=(0, 2)), problem.noise, rtol=0.03,
                               atol=1e-9)


def test_batches_have_the_full_gradient_as_their_mean_and_vary_less_when_larger():
    problem = logistic()
    models = torch.randn(3, 3, generator=generator(0, "models"),
                         dtype=torch.float64).expand(4000, -1, -1)
    found = problem.gradients(models, generator(0, "batches"))
    w = models[0].clone().requires_grad_(True)
    logits = w @ problem.x.T
    local = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, problem.labels, reduction="none"
    ).mean(1)
    local = local + problem.ridge / 2 * w.square().sum(1)
    torch.testing.assert_close(found.mean(0), torch.autograd.grad(local.sum(), w)[0],
                               rtol=0, atol=0.06)
    spread = found.std(dim=0).norm(dim=1)
    assert spread[0] > 1.5 * spread[1] > 1.5 * spread[2]


def test_a_run_records_what_happens():
    problem = quadratic()
    found = quadratics.run(problem, Schedule(0.5, 0.9), rounds=20, runs=3, distance=2.0)
    assert found.r.shape == (20, 3, 4) and found.error.shape == (20, 3)
    torch.testing.assert_close(found.error[0], torch.full((3,), 2.0).double())
    assert not found.before[0].any() and torch.equal(found.before[1:], found.after[:-1])
    torch.testing.assert_close(found.r.sum(-1), torch.ones(20, 3).double())
    assert (found.lengths <= found.total[..., None] + 1e-12).all()
    torch.testing.assert_close((found.models - found.server[:, None]).norm(dim=-1),
                               found.after[-1])
    torch.testing.assert_close(problem.loss(found.models), found.losses[-1])
    again = quadratics.run(problem, Schedule(0.5, 0.9), rounds=20, runs=3, distance=2.0)
    other = quadratics.run(problem, Schedule(0.5, 0.9), rounds=20, runs=3, distance=2.0,
                           seed=1)
    assert torch.equal(again.losses, found.losses)
    assert not torch.equal(other.losses, found.losses)


def test_equal_weights_bring_the_server_to_the_geometric_median():
    """Two agents at 0 and one at 1 on a line: their median is 0, their mean 1/3."""
    eye = torch.ones(1, 1, dtype=torch.float64)
    optima = torch.tensor([[0.0], [0.0], [1.0]], dtype=torch.float64)
    problem = quadratics.Quadratic(eye, optima, torch.zeros(3).double())
    end = quadratics.run(problem, Schedule(0.5, 0.95), 200, alpha=1.0,
                         distance=1.0).server
    assert end.abs().max() < 1e-3


def test_a_hessian_has_the_condition_number_that_was_asked_for():
    for kappa in (1.0, 10.0):
        matrix = quadratics.hessian(5, kappa)
        values = torch.linalg.eigvalsh(matrix)
        assert (values[-1] / values[0]).item() == pytest.approx(kappa)
        assert torch.equal(matrix, matrix.T)


def test_what_does_not_fit_is_named():
    eye = torch.eye(3, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"does not fit optima of shape \(4, 2\)"):
        quadratics.Quadratic(eye, torch.zeros(4, 2).double(), torch.zeros(4).double())
    with pytest.raises(ValueError,
                       match="noise must be one number >= 0 for each of 4 agents"):
        quadratics.Quadratic(eye, torch.zeros(4, 3).double(), -torch.ones(4).double())
    with pytest.raises(ValueError, match="positive definite"):
        quadratics.Quadratic(-eye, torch.zeros(4, 3).double(), torch.zeros(4).double())
    with pytest.raises(ValueError, match="at least 1, not 0.5"):
        quadratics.hessian(3, 0.5)
    with pytest.raises(ValueError, match="ridge must be a positive, finite number"):
        logistic(ridge=0.0)
    with pytest.raises(ValueError, match="rounds must be a whole number of at least 1"):
        quadratics.run(quadratic(), Schedule(0.5), 0)
