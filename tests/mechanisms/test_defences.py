"""Corrections against agents that cheat: slow twins, numbers worked out by hand."""

import pytest
import torch
from hand import F64, crowd, f64, normal, seen
from torch.testing import assert_close

from fairfl import rewards
from fairfl.mechanisms import CGSV, Guarded, defences


def draws(seed=0):
    """Updates of five agents with twelve parameters, which agree somewhat."""
    return normal(5, 12, seed=seed) + 0.5


def run(mechanism, rounds):
    place, _ = crowd(*rounds[0].shape)
    state, steps = mechanism.init(place), []
    for t, updates in enumerate(rounds, start=1):
        state, step = mechanism.apply(state, seen(updates, t), place)
        steps.append(step)
    return steps


def twin(rounds, others, news, power, alpha=0.95, beta=1.0):
    """The same, with vectors and loops: (sum, values, r) after each round."""
    n, d = rounds[0].shape
    r = torch.arange(1, n + 1, dtype=F64) / sum(range(1, n + 1))
    average = torch.zeros(n, dtype=F64)
    sent, found = [torch.zeros(d, dtype=F64)] * n, []

    def cos(a, b):
        lengths = a.norm() * b.norm()
        return float(a @ b / lengths) if lengths > 0 else 0.0

    for updates in rounds:
        u = [row / row.norm() for row in updates]
        s = torch.eye(n, dtype=F64)
        weights = r
        if power:
            for i in range(n):
                for j in range(n):
                    s[i, j] = 1 if i == j else max(0.0, cos(u[i], u[j])) ** power
            weights = r / s.sum(1)
            weights = weights / weights.sum()
        total = sum(w * x for w, x in zip(weights, u, strict=True))
        values = []
        for i in range(n):
            counted = 1 - s[i] if others else torch.ones(n, dtype=F64)
            against = sum(counted[j] * weights[j] * u[j] for j in range(n))
            value = cos(u[i], against)
            if news:
                value -= cos(u[i], sent[i]) * cos(sent[i], against)
            values.append(value)
        values = f64(*values)
        average = (alpha * average + (1 - alpha) * values).clamp(min=1e-3)
        r = average = average / average.sum()
        q = [int(d * float(x) + 1e-9) for x in rewards.quality(r, beta)]
        sent = [rewards.mask(total, k) for k in q]
        found.append((total, values, r, q))
    return found


@pytest.mark.parametrize("others", [False, True])
@pytest.mark.parametrize("news", [False, True])
@pytest.mark.parametrize("power", [None, 2.0, 8.0])
def test_the_mechanism_is_its_slow_twin(others, news, power):
    rounds = [draws(seed=t) for t in range(4)]
    for updates in rounds:
        updates[3] = updates[1]  # a copy
    steps = run(Guarded(others=others, news=news, crowding=power), rounds)
    twins = twin(rounds, others, news, power)
    for step, (total, values, r, q) in zip(steps, twins, strict=True):
        assert_close(step.aggregate, total)
        assert_close(step.log["psi"], values)
        assert_close(step.log["r"], r)
        assert step.log["q"].tolist() == q


def test_with_everything_off_it_is_cgsv():
    rounds = [draws(seed=t) for t in range(4)]
    exactly = {"rtol": 0, "atol": 1e-13}
    for one, other in zip(run(Guarded(), rounds), run(CGSV(), rounds), strict=True):
        assert_close(one.aggregate, other.aggregate, **exactly)
        for name in ("psi", "r", "q", "weights"):
            assert_close(one.log[name], other.log[name], **exactly)


def test_values_by_hand():
    """Unit vectors at 0, 90 and 45 degrees, summed with weights 2, 1, 0."""
    c = 0.5**0.5
    cosines = torch.tensor([[1, 0, c], [0, 1, c], [c, c, 1]], dtype=F64)
    weights = f64(2, 1, 0)
    found = defences.values(cosines, weights.expand(3, 3))
    assert found.tolist() == pytest.approx([2 / 5**0.5, 1 / 5**0.5, 3 * c / 5**0.5])
    alone = torch.eye(3, dtype=F64)
    judged = defences.judges(weights, alone)
    assert judged.tolist() == [[0, 1, 0], [2, 0, 0], [2, 1, 0]]
    assert_close(defences.values(cosines, judged), f64(0, 0, 3 * c / 5**0.5))
    downloads = torch.zeros(3, 3, dtype=F64)
    # It had been sent the first direction: cos(u, v) = c, cos(v, u_N) = 2 / sqrt 5
    downloads[2] = cosines[0]
    found = defences.values(cosines, weights.expand(3, 3), downloads)
    assert float(found[2]) == pytest.approx(c / 5**0.5)


def test_what_is_left_to_judge_may_cancel():
    cosines = torch.tensor([[1.0, -1, 0.6], [-1, 1, -0.6], [0.6, -0.6, 1]], dtype=F64)
    weights = torch.ones(3, dtype=F64)
    judged = defences.judges(weights, torch.eye(3, dtype=F64))
    found = defences.values(cosines, judged)
    assert found[2] == 0 and found.isfinite().all()  # the first two cancel
    alone = torch.ones(1, 1, dtype=F64)
    assert not defences.values(alone, torch.zeros_like(alone)).any()


def test_copies_share_one_weight():
    cosines = torch.eye(4, dtype=F64)
    cosines[:2, :2] = 1
    alike = defences.likeness(cosines, 8.0)
    r = f64(0.25, 0.25, 0.3, 0.2)
    weights = defences.shared(r, alike)
    assert weights.tolist() == pytest.approx([1 / 6, 1 / 6, 0.4, 0.8 / 3])
    assert torch.equal(defences.likeness(cosines, None), torch.eye(4, dtype=F64))
    half = torch.tensor([[1, 0.5], [0.5, 1]], dtype=F64)
    assert defences.likeness(half, 8.0)[0].tolist() == pytest.approx([1, 0.00390625])
    assert defences.likeness(-half, 8.0)[0].tolist() == [1, 0]
    assert torch.equal(half, torch.tensor([[1, 0.5], [0.5, 1]], dtype=F64))  # unchanged


def test_a_download_sent_back_is_worth_nothing():
    mechanism, (place, _) = Guarded(news=True), crowd(5, 12)
    state, step = mechanism.apply(mechanism.init(place), seen(draws()), place)
    updates = draws(seed=1)
    updates[2] = 7.0 * step.reward.row(2)
    _, step = mechanism.apply(state, seen(updates, 2), place)
    psi = step.log["psi"].abs()
    assert psi[2] < 1e-14 and psi[:2].min() > 0.01
    state = {name: state[name] for name in ("weights", "average")}
    _, plain = CGSV().apply(state, seen(updates, 2), place)
    assert plain.log["psi"][2] > 0.2


@pytest.mark.parametrize("wrong, message", [
    ({"crowding": 0.0}, "crowding must be a positive, finite"),
    ({"crowding": -1.0}, "crowding"), ({"beta": 0}, "beta"),
    ({"valuation": "exact"}, "by the cosine, not by 'exact'"),
])
def test_options_outside_their_range(wrong, message):
    with pytest.raises(ValueError, match=message):
        Guarded(**wrong)
    with pytest.raises(ValueError, match="crowding must be a positive"):
        defences.likeness(torch.eye(2), 0.0)
