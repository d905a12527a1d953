"""The memory of eq. (4) against hand-computed vectors, and against twins that are slow
and plainly right."""

import math
from itertools import product
from pathlib import Path

import pytest
import torch

from book.theory import memory
from fairfl import cgsv, rewards, shapley
from fairfl.mechanisms import CGSV
from fairfl.mechanisms.base import Round, Setting
from fairfl.randomness import generator
from fairfl.runs.records import load

pytestmark = pytest.mark.slow

F64 = torch.float64
RESULTS = Path(__file__).resolve().parents[2] / "data" / "results"


def vector(*entries):
    return torch.tensor(entries, dtype=F64)


def random_cosines(agents, dimension, *key, positive=False):
    u = torch.randn(agents, dimension,
                    generator=generator(0, "cosines", agents, dimension, *key),
                    dtype=F64)
    u = u.abs() if positive else u
    u = u / u.norm(dim=1, keepdim=True)
    return u, u @ u.T


# ---- as an average


def test_weights_of_rounds_by_hand():
    # alpha = 1/2; sums 2, 1, 3: e = 1, 1/2, 3/4
    psi = vector(1.5, 0.5), vector(0.25, 0.75), vector(1.0, 2.0)
    e = memory.attention(torch.stack(psi), alpha=0.5)
    assert e.tolist() == [1.0, 0.5, 0.75]
    omega = memory.past(e)
    assert omega.tolist() == [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.125, 0.125, 0.75]]


def test_a_weighted_mean_of_shares_is_what_the_rounds_give_one_by_one():
    psi = torch.rand(12, 4, generator=generator(0, "psi"), dtype=F64) - 0.1
    r, one_by_one = torch.zeros(4, dtype=F64), []
    for row in psi:
        r = rewards.importance(r, row, 0.8, floor=None)
        one_by_one.append(r)
    omega = memory.past(memory.attention(psi, 0.8))
    torch.testing.assert_close(omega @ (psi / psi.sum(1, keepdim=True)),
                               torch.stack(one_by_one), rtol=0, atol=1e-13)
    torch.testing.assert_close(omega.sum(1), torch.ones(12, dtype=F64))


def test_the_first_round_has_the_weight_one_for_every_alpha():
    for alpha in (0.0, 0.5, 0.99):
        assert memory.attention(torch.rand(3, 2, dtype=F64), alpha)[0] == 1


@pytest.mark.parametrize("floor", [1e-3, 0.1])
def test_lifted_values_do_without_a_floor_what_the_floor_does(floor):
    draws = generator(0, "lifted")
    for _ in range(50):
        r = torch.rand(5, generator=draws, dtype=F64)
        psi = 2 * torch.rand(5, generator=draws, dtype=F64) - 1
        r = r / r.sum()
        with_floor = rewards.importance(r, psi, 0.9, floor)
        without = rewards.importance(r, memory.lifted(psi, r, 0.9, floor), 0.9,
                                     floor=None)
        torch.testing.assert_close(without, with_floor, rtol=0, atol=1e-14)
    lifted = memory.lifted(vector(0.5, -1.0), vector(0.9, 0.1), 0.9, 0.1).tolist()
    assert lifted == pytest.approx([0.5, 0.1])


@pytest.mark.parametrize("name", ["fig2-mnist-seed0", "updates-noise-mnist-seed0",
                                  "updates-uni-mnist-seed0"])
def test_recorded_coefficients_follow_from_recorded_values(name):
    history = load(RESULTS / f"{name}.json").history
    before = torch.cat([torch.zeros_like(history["r"][:1]), history["r"][:-1]])
    psi = memory.lifted(history["psi"], before)
    r = memory.past(memory.attention(psi)) @ (psi / psi.sum(1, keepdim=True))
    assert (r - history["r"]).abs().max() < 1e-7
    wrong = memory.past(memory.attention(psi, 0.9)) @ (psi / psi.sum(1, keepdim=True))
    assert (wrong - history["r"]).abs().max() > 1e-4  # another alpha does not fit


# ---- as an iteration


def test_values_from_cosines_are_the_cosines_of_the_updates():
    u, cosines = random_cosines(6, 20)
    r = torch.rand(6, generator=generator(0, "r"), dtype=F64)
    torch.testing.assert_close(memory.values(cosines, r),
                               cgsv.cosine(u, rewards.aggregate(u, r)))
    torch.testing.assert_close(memory.values(cosines, r),
                               cgsv.psi(r[:, None] * cosines * r))


def test_values_by_hand():
    cosines = torch.tensor([[1, 0.5], [0.5, 1]], dtype=F64)
    # u_N = (u_1 + u_2) / 2 has the squared length (1 + .5) / 2
    both = memory.values(cosines, vector(0.5, 0.5)).tolist()
    assert both == pytest.approx([0.75 / math.sqrt(0.75)] * 2)
    opposed = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=F64)
    assert memory.values(opposed, vector(0.5, 0.5)).tolist() == [0, 0]
    assert memory.frozen(opposed, vector(0.5, 0.5), 3).tolist() == [[0.5, 0.5]] * 4


def test_a_frozen_run_is_the_mechanism_given_the_same_updates_in_every_round():
    u, cosines = random_cosines(5, 12)
    setting = Setting(tuple("abcde"), 12, torch.tensor([10, 20, 30, 40, 50]),
                      torch.ones(5), (slice(0, 12),))
    mechanism = CGSV()
    state, trace = mechanism.init(setting), []
    for t in range(1, 30):
        seen = Round(t, 0.1, 0.5, u, torch.zeros(5, 12), torch.zeros(12), None, None)
        state, step = mechanism.apply(state, seen, setting)
        trace.append(step.log["r"])
    ours = memory.frozen(cosines, trace[0], 28)
    torch.testing.assert_close(ours, torch.stack(trace), rtol=0, atol=1e-12)


def test_perron_by_hand_and_by_brute_force():
    # (1, sqrt 2, 1)
    cosines = torch.tensor([[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]], dtype=F64)
    whole = 2 + math.sqrt(2)
    torch.testing.assert_close(memory.perron(cosines),
                               vector(1, math.sqrt(2), 1) / whole)
    assert memory.contraction(cosines, 0.0) == pytest.approx(1 / (1 + math.sqrt(0.5)))
    assert memory.contraction(cosines, 0.5) == pytest.approx(2 / (2 + math.sqrt(0.5)))
    assert memory.contraction(torch.ones(1, 1, dtype=F64), 0.5) == pytest.approx(0.5)
    power = torch.ones(3, dtype=F64)
    for _ in range(200):
        power = cosines @ power
        power = power / power.sum()
    torch.testing.assert_close(memory.perron(cosines), power)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 0.95])
def test_the_angle_shrinks_by_theta_in_every_round(alpha):
    for case in range(5):
        _, cosines = random_cosines(5, 8, case, positive=True)
        z, theta = memory.perron(cosines), memory.contraction(cosines, alpha)
        start = torch.rand(5, generator=generator(case, "start"), dtype=F64) ** 4
        trace = memory.frozen(cosines, start, 40, alpha, floor=None)
        along = trace @ z / z.norm()
        tan = (trace - along[:, None] * z / z.norm()).norm(dim=1) / along
        sure = tan[1:] > 1e-7
        assert sure.sum() >= 2 and (tan[1:] <= theta * tan[:-1] + 1e-12)[sure].all()
        # and the rate is not much better: at the end it is the one of the theorem's
        # proof, with the k_t of the end
        k = (1 - alpha) / float(z @ cosines @ z) ** 0.5
        largest = torch.linalg.eigvalsh(cosines).flip(0)
        rate = float((alpha + k * largest[1]) / (alpha + k * largest[0]))
        last = int(sure.nonzero()[-1])
        assert tan[last + 1] / tan[last] == pytest.approx(rate, abs=0.05)
        assert rate <= theta + 1e-12


def test_top_eigenvector_has_length_one_and_a_sign():
    _, cosines = random_cosines(6, 4)
    v = memory.top_eigenvector(cosines)
    assert v.norm() == pytest.approx(1) and v[v.abs().argmax()] > 0
    torch.testing.assert_close(cosines @ v, torch.linalg.eigvalsh(cosines)[-1] * v)


@pytest.mark.parametrize("rho", [0.4, 0.0, -0.15])
def test_growth_of_differences_is_exact(rho):
    r = vector(0.3, 0.25, 0.2, 0.15, 0.1)
    after = memory.frozen(memory.equal_cosines(5, rho), r, 1)[1].tolist()
    factor = memory.growth(r, rho)
    for i, j in product(range(5), repeat=2):
        wanted = factor * float(r[i] - r[j])
        assert after[i] - after[j] == pytest.approx(wanted, abs=1e-14)
    found = factor < 1, factor == pytest.approx(1), factor > 1
    assert found == (rho > 0, rho == 0, rho < 0)


def test_a_little_disagreement_ends_with_one_winner():
    trace = memory.frozen(memory.equal_cosines(6, -0.05),
                          vector(0.3, 0.2, 0.2, 0.1, 0.1, 0.1), 300)
    assert trace[-1].tolist() == pytest.approx([0.995] + [0.001] * 5, abs=1e-4)


def test_agreement_by_hand():
    assert memory.agreement(torch.ones(3, 3), vector(1, 1, 1)) == pytest.approx(3)
    assert memory.agreement(torch.eye(3), vector(5, 1, 0)) == pytest.approx(1)
    apart = memory.agreement(memory.equal_cosines(2, -0.5), vector(1, 1))
    assert apart == pytest.approx(0.5)


def test_agreement_never_falls_and_rest_is_a_camp():
    floor, rested = 1e-12, 0
    for case in range(12):
        _, cosines = random_cosines(5, 3, case)
        start = torch.rand(5, generator=generator(case, "start"), dtype=F64)
        trace = memory.frozen(cosines, start, 2000, 0.3, floor)
        climb = torch.stack([memory.agreement(cosines, row) for row in trace[:60]])
        assert (climb.diff() > -1e-9).all()
        end, inside = trace[-1], trace[-1] > 1e-6
        if (trace[-1] - trace[-2]).abs().max() < 1e-12:
            rested += 1
            pull = cosines @ end
            torch.testing.assert_close(pull[inside] / end[inside],
                                       torch.full_like(end[inside], float(
                memory.agreement(cosines, end))), rtol=1e-5, atol=1e-5)
            assert (pull[~inside] < 1e-6).all()
    assert rested >= 6


def test_two_hills_and_the_ridge_between_them():
    a, b, c = 2, 3, 0.45
    cosines = torch.ones(5, 5, dtype=F64)
    cosines[:a, a:] = cosines[a:, :a] = -c
    zeta = (-(a - b) + math.sqrt((a - b) ** 2 + 4 * a * b * c**2)) / (2 * b * c)
    for part, winners in ((-1e-3, slice(a, None)), (1e-3, slice(a))):
        x = zeta / (1 + zeta) + part
        start = torch.tensor([x / a] * a + [(1 - x) / b] * b, dtype=F64)
        assert memory.frozen(cosines, start, 1500)[-1][winners].sum() > 0.99


def test_recorded_updates_late_in_a_run_have_two_camps_and_six_end_at_the_floor():
    history = load(RESULTS / "updates-cla-mnist-seed0.json").history
    cosines, r = history["cosines"][-1], history["r"][-1]
    own = memory.frozen(cosines, r, 800)[-1]
    other = memory.frozen(cosines, torch.ones(10), 800)[-1]
    assert (own < 1.5e-3).tolist() == [True] * 6 + [False] * 4
    assert (other < 1.5e-3).tolist() == [False] * 6 + [True] * 4
    with pytest.raises(ValueError, match="negative cosine"):
        memory.perron(cosines)


def test_with_exact_values_and_no_floor_r_is_the_shapley_value_of_the_averaged_game():
    alpha, games = 0.7, []
    weights, average = torch.full((4,), 0.25, dtype=F64), torch.zeros(4, dtype=F64)
    for t in range(6):
        _, cosines = random_cosines(4, 5, t)
        gram = weights[:, None] * cosines * weights
        games.append(cgsv.game(gram)(shapley.coalitions(4)))
        average = weights = rewards.importance(average, cgsv.exact(gram), alpha,
                                               floor=None)
    omega = [alpha**5] + [(1 - alpha) * alpha ** (5 - t) for t in range(1, 6)]
    table = sum(weight * game for weight, game in zip(omega, games, strict=True))
    torch.testing.assert_close(average, shapley.exact(table), rtol=0, atol=1e-13)
    torch.testing.assert_close(memory.past(vector(1, *[1 - alpha] * 5))[-1],
                               vector(*omega))


# ---- bad input


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: memory.attention(torch.ones(2, 2), 1.0), "alpha"),
        (lambda: memory.attention(torch.ones(2)), "rounds, agents"),
        (lambda: memory.attention(torch.tensor([[1.0, 1.0], [-20.0, 0.0]])),
         "in round 2 the averages sum to -0.05"),
        (lambda: memory.past(vector(0.5, 0.5)), "starts with 1"),
        (lambda: memory.lifted(torch.ones(2), torch.ones(3)), "shape"),
        (lambda: memory.values(torch.eye(2), vector(1, 1, 1)), "r has 3 agents"),
        (lambda: memory.values(torch.eye(2), vector(1, math.nan)), r"positions \[1\]"),
        (lambda: memory.frozen(torch.eye(2), vector(0, 0), 1), "positive sum"),
        (lambda: memory.frozen(torch.ones(2, 3), vector(1, 1), 1), "square"),
        (lambda: memory.frozen(2 * torch.eye(2), vector(1, 1), 1), "diagonal"),
        (lambda: memory.frozen(torch.tensor([[1.0, 0.2], [0.3, 1.0]]), vector(1, 1), 1),
         "symmetric"),
        (lambda: memory.frozen(memory.equal_cosines(3, -0.6), vector(1, 1, 1), 1),
         "no vectors"),
        (lambda: memory.frozen(torch.tensor([[1.0, math.nan], [math.nan, 1.0]]),
                               vector(1, 1), 1), r"agents \[0, 1\]"),
        (lambda: memory.agreement(torch.eye(2), vector(0, 0)), "zero"),
        (lambda: memory.perron(torch.eye(3)), r"agents \[1, 2\]"),
        (lambda: memory.perron(memory.equal_cosines(3, -0.1)), "agents 0 and 1"),
        (lambda: memory.contraction(torch.eye(2)), "groups"),
        (lambda: memory.growth(vector(0.5, 0.5), -1.0), "rho"),
        (lambda: memory.growth(vector(1.0), 0.5), "2 agents"),
    ],
)
def test_bad_input_is_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()


# ---- what the hypotheses are for


def test_from_nineteen_agents_on_the_floor_reaches_a_fair_share():
    for agents in range(2, 40):
        fair = torch.full((agents,), 1 / agents, dtype=F64)
        u = torch.ones(agents, 1, dtype=F64)
        u[0] = -1
        psi = cgsv.cosine(u, rewards.aggregate(u, fair))
        raised = rewards.importance(fair, psi)[0] > rewards.importance(
            fair, psi, floor=None)[0] + 1e-12
        against = agents > 2  # of two opposite ones the sum cancels
        assert raised == (against and 1 / agents < (1e-3 + 0.05) / 0.95)


def test_a_winner_needs_a_lead_of_its_own_and_may_need_thousands_of_rounds():
    def end(rho, *start, rounds):
        return memory.frozen(memory.equal_cosines(5, rho), vector(*start), rounds)[-1]

    tied = end(-0.05, 0.22, 0.22, 0.2, 0.19, 0.17, rounds=2000)
    torch.testing.assert_close(tied[0], tied[1])
    assert tied[0] > 0.49
    start = 0.21, 0.1975, 0.1975, 0.1975, 0.1975
    assert end(-0.05, *start, rounds=300)[0] > 0.98
    assert end(-0.001, *start, rounds=6000)[0] < 0.5


def test_with_alpha_1_or_negative_weights_the_statements_do_not_hold():
    still = memory.frozen(memory.equal_cosines(3, 0.5), vector(0.5, 0.3, 0.2), 20,
                          alpha=1.0)
    torch.testing.assert_close(still[-1], still[0])  # differences do not shrink
    falls = 0
    for k in range(60):
        _, cosines = random_cosines(5, 3, "negative start", k)
        start = torch.randn(5, generator=generator(k, "start"), dtype=F64)
        start[0] += 1.5 - start.sum()
        trace = memory.frozen(cosines, start, 2, alpha=0.3, floor=1e-12)
        agreed = torch.stack([memory.agreement(cosines, row) for row in trace])
        falls += bool((agreed.diff() < -1e-9).any())
    assert falls > 0
