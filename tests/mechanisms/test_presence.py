"""Agents that are absent, come late or leave, in every mechanism."""

from dataclasses import replace

import pytest
import torch
from hand import F64, SETTING, crowd, curved, downloads, f64, losses_of, normal, seen
from test_every_mechanism import ALL, every

from fairfl import rewards
from fairfl.mechanisms import CFFL, CGSV, ECI, RR, FedAvg, Guarded, Standalone, presence
from fairfl.mechanisms.base import Mechanism, Round, Setting, Step

VALUES = ("psi", "phi", "value", "losses", "distance")  # what the absent have none of
KEPT = ("r", "c", "ci")  # what they keep


def part(updates, present, t=1, accuracy=curved):
    """The round of those present; the losses are those of `losses_of`."""
    some = losses_of(len(updates))[present]
    round = seen(updates[present], t=t, accuracy=accuracy, losses=lambda: some)
    return replace(round, server=torch.zeros(updates.shape[1]).to(updates),
                   present=present)


def patterns(n, rounds, seed=0):
    """Who is present in each round; nobody in one, one agent in another, and all."""
    draws = torch.Generator().manual_seed(seed)
    found = torch.rand(rounds, n, generator=draws) < 0.6
    found[1], found[2], found[4] = False, torch.arange(n) == n - 1, True
    return found


def course(mechanism, setting, updates, present):
    """(state before, present, state after, step) of each round."""
    state = mechanism.init(setting)
    for t, here in enumerate(present, start=1):
        round = part(updates.roll(t, dims=1), here, t)
        new, step = presence.step(mechanism, state, round, setting)
        yield state, here, new, step
        state = new


@every
def test_with_all_present_it_is_what_apply_answers(mechanism):
    setting, updates = crowd(5)
    everybody = torch.ones(5, dtype=torch.bool)
    state = mechanism.init(setting)
    for t, present in ((1, everybody), (2, None)):
        round = replace(part(updates, everybody, t), present=present)
        plain, expected = mechanism.apply(state, round, setting)
        state, found = presence.step(mechanism, state, round, setting)
        assert all(torch.equal(state[name], plain[name]) for name in plain)
        assert torch.equal(found.aggregate, expected.aggregate)
        assert torch.equal(downloads(found.reward), downloads(expected.reward))
        assert found.log.keys() == expected.log.keys()


@every
def test_the_first_round_of_some_is_that_of_a_federation_of_them(mechanism):
    """From the weights with which a federation of those alone would begin."""
    setting, updates = crowd(5)
    here = torch.tensor([True, False, True, True, False])
    alone = Setting.of(["1", "3", "4"], 6, [1, 3, 4], blocks=setting.blocks)
    round = replace(part(updates, here), present=None)
    _, expected = mechanism.apply(mechanism.init(alone), round, alone)
    _, found = presence.step(mechanism, mechanism.init(setting), part(updates, here),
                             setting)
    torch.testing.assert_close(found.aggregate, expected.aggregate)
    torch.testing.assert_close(
        downloads(found.reward)[here], downloads(expected.reward))
    assert torch.equal(found.reward.kept[here], expected.reward.kept)
    for name in set(expected.log) - set(KEPT):
        torch.testing.assert_close(found.log[name][here].to(expected.log[name]),
                                   expected.log[name])


@every
def test_the_absent_have_no_value_keep_their_standing_and_are_paid_nothing(mechanism):
    setting, updates = crowd(5)
    for before, here, after, step in course(mechanism, setting, updates,
                                            patterns(5, 9)):
        away = ~here
        assert step.reward.kept.shape == (5,) and not step.reward.kept[away].any()
        assert not downloads(step.reward)[away].any()
        assert {step.reward.kind(i) for i in away.nonzero()} <= {"nothing"}
        held = normal(5, 6) * away[:, None]  # those of `seen` are 0
        models = held.clone()
        step.reward.add_to(models)
        torch.testing.assert_close(models, held + downloads(step.reward))
        for name in ("weights", "c", "ci", "visited", "reputable"):
            if name in before:
                assert torch.equal(after[name][away], before[name][away])
        assert after.keys() == before.keys()
        for name in mechanism.shares:
            if after[name].any():
                torch.testing.assert_close(after[name].sum(), f64(1).squeeze())
        for name, value in step.log.items():
            assert value.shape == (5,)
            assert not value[here].double().isnan().any()
            if name in VALUES:
                assert value[away].isnan().all()
            if name in ("weights", "q"):
                assert not value[away].any()
        summing = "weights" in step.log and step.log["weights"].any()  # not of `Lin`
        if summing and type(mechanism) is not type(ALL["qffl"]):
            torch.testing.assert_close(step.log["weights"].sum(), f64(1).squeeze())


@every
def test_where_nobody_is_present_nothing_changes(mechanism):
    setting, updates = crowd(4)
    state = next(iter(course(mechanism, setting, updates, patterns(4, 5))))[2]
    nobody = torch.zeros(4, dtype=torch.bool)
    new, (total, reward, log) = presence.step(
        mechanism, state, part(updates, nobody, 2), setting)
    assert all(torch.equal(new[name], state[name]) for name in state)
    assert not total.any() and total.shape == (6,) and not downloads(reward).any()
    assert {reward.kind(i) for i in range(4)} == {"nothing"} and not log["q"].any()


@every
def test_the_order_of_the_agents_does_not_matter_with_some_absent(mechanism):
    setting, updates = crowd(5)
    order, present = torch.tensor([3, 0, 4, 2, 1]), patterns(5, 7)
    moved = replace(setting, keys=tuple(setting.keys[i] for i in order),
                    sizes=setting.sizes[order])
    state, other = mechanism.init(setting), mechanism.init(moved)
    for t, here in enumerate(present, start=1):
        shifted = part(updates[order], here[order], t)
        some = losses_of(5)[order][here[order]]
        shifted = replace(shifted, losses=lambda some=some: some)
        state, step = presence.step(mechanism, state, part(updates, here, t), setting)
        other, again = presence.step(mechanism, other, shifted, moved)
        torch.testing.assert_close(again.aggregate, step.aggregate)
        torch.testing.assert_close(
            downloads(again.reward), downloads(step.reward)[order])
        for name, value in step.log.items():
            torch.testing.assert_close(again.log[name], value[order], equal_nan=True)


@every
def test_a_step_with_absent_agents_changes_none_of_its_arguments(mechanism):
    setting, updates = crowd(4)
    here = torch.tensor([True, True, False, True])
    state, round = mechanism.init(setting), part(updates, here)
    for _ in range(2):
        before = {name: value.clone() for name, value in state.items()}
        new, _ = presence.step(mechanism, state, round, setting)
        assert all(torch.equal(state[name], before[name]) for name in state)
        assert torch.equal(round.updates, updates[here])
        state = new


def test_those_present_share_what_they_had_together_by_hand():
    """Agents 1 and 3 hold .2 and .5: .7 in all, 2/7 and 5/7 in their round. Their
    values, 1 and 1 for equal updates, move the shares to .8 (2/7) + .2, .8 (5/7) + .2
    over 1.2."""
    r = f64(0.2, 0.3, 0.5)
    state = {"weights": r, "average": r}
    updates = f64(1, 0, 0, 0, 0, 0).repeat(3, 1)
    here = torch.tensor([True, False, True])
    new, step = presence.step(CGSV(alpha=0.8), state, part(updates, here), SETTING)
    first, third = (0.7 * (0.8 * held + 0.2) / 1.2 for held in (2 / 7, 5 / 7))
    expected = f64(first, 0.3, third)
    torch.testing.assert_close(new["weights"], expected)
    assert torch.equal(new["average"], new["weights"])
    torch.testing.assert_close(step.log["weights"], f64(2 / 7, 0, 5 / 7))
    torch.testing.assert_close(step.log["psi"], f64(1, torch.nan, 1), equal_nan=True)
    assert torch.equal(step.log["r"], new["weights"])


def test_who_misses_the_first_round_goes_on_from_its_first_weight():
    setting, updates = crowd(3)
    some, everybody = torch.tensor([True, True, False]), torch.ones(3, dtype=torch.bool)
    state, _ = presence.step(
        CGSV(), CGSV().init(setting), part(updates, some), setting)
    assert state["average"][2] == 0.5  # three of six samples, not the 0 of eq. (4)
    new, step = presence.step(CGSV(), state, part(updates, everybody, 2), setting)
    moved = (0.95 * state["weights"] + 0.05 * step.log["psi"]).clamp(1e-3)
    torch.testing.assert_close(new["weights"], moved / moved.sum())


def test_negative_weights_that_cannot_be_shared_are_refused():
    r = f64(-0.5, 0.25, 1.25)
    here = torch.tensor([True, True, False])
    state = {"weights": r, "average": r}
    with pytest.raises(ValueError, match="must have a positive sum .use a floor.*-0.5"):
        presence.step(CGSV(floor=None), state, part(normal(3, 6), here), SETTING)


def test_a_download_of_an_earlier_round_is_no_last_download():
    """For an absent agent of `Guarded(news=True)`."""
    setting, updates = crowd(3)
    rounds = course(Guarded(news=True), setting, updates,
                    torch.tensor([[True] * 3, [True, False, True]]))
    (_, _, first, _), (_, _, second, step) = rounds
    assert first["quality"][1] > 0 and second["quality"][1] == 0
    assert torch.equal(second["sent"], step.aggregate) and second["quality"][2] == 1


def test_the_expelled_alone_change_nothing():
    setting, updates = crowd(4)
    state = {"c": f64(0.5, 0.5, 0, 0),
             "reputable": torch.tensor([True, True, False, False])}
    here = torch.tensor([False, False, True, True])
    new, step = presence.step(CFFL(), state, part(updates, here), setting)
    assert torch.equal(new["c"], state["c"]) and not step.aggregate.any()
    assert not step.reward.kept.any() and torch.equal(step.log["c"], state["c"])
    here = torch.tensor([False, True, True, False])  # the second counts as all
    new, step = presence.step(CFFL(), state, part(updates, here, 2), setting)
    torch.testing.assert_close(step.aggregate, updates[1])
    torch.testing.assert_close(new["c"], state["c"])


def test_the_turn_goes_to_who_has_waited_longest():
    setting, updates = crowd(3)
    present = torch.tensor([[0, 1, 1], [1, 1, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]]) > 0
    served = [step.reward.kept.nonzero().flatten().tolist()
              for *_, step in course(RR(), setting, updates, present)]
    # 2, as first of those there; 3 before 1, whose name has had its turn; then 1; 3
    # waits since round 2, 1 since round 3; 2 since round 1
    assert served == [[1], [2], [0], [2], [1]]


# ---- who comes and goes


def later(mechanism, setting, updates):
    """The state after three rounds of all."""
    state = mechanism.init(setting)
    for t in (1, 2, 3):
        everybody = torch.ones(len(updates), dtype=torch.bool)
        state, _ = presence.step(mechanism, state, part(updates, everybody, t), setting)
    return state


@every
def test_a_latecomer_gets_an_equal_share_and_the_others_keep_theirs(mechanism):
    setting, updates = crowd(4)
    state = later(mechanism, setting, updates)
    new = Setting.of(["4", "late", "2", "1", "3"], 6, [4, 9, 2, 1, 3],
                     blocks=setting.blocks)
    moved = mechanism.moved(state, setting, new)
    where = [3, 1, 0, 2]
    for name in mechanism.rows(state):
        old, now = state[name][where], moved[name][[0, 2, 3, 4]]
        if name in mechanism.shares:
            n = int((state[name] != 0).sum()) + 1  # of CFFL some are expelled
            torch.testing.assert_close(now, old * (n - 1) / n)
            torch.testing.assert_close(moved[name][1], f64(1 / n).squeeze())
        else:
            assert torch.equal(now, old)
            assert torch.equal(moved[name][1], mechanism.init(new)[name][1])
    updates = torch.cat([updates[where], normal(1, 6)])[[0, 4, 1, 2, 3]]
    everybody = torch.ones(5, dtype=torch.bool)
    _, step = presence.step(mechanism, moved, part(updates, everybody, 4), new)
    assert all(value.isfinite().all() for value in step.log.values())


@every
def test_who_left_is_gone_and_the_rest_share_its_weight(mechanism):
    setting, updates = crowd(4)
    state, stay = later(mechanism, setting, updates), [0, 2, 3]
    new = setting.among(torch.tensor([True, False, True, True]))
    assert new.keys == ("1", "3", "4") and new.sizes.tolist() == [1, 3, 4]
    moved = mechanism.moved(state, setting, new)
    for name in mechanism.rows(state):
        rows = state[name][stay]
        if name in mechanism.shares:
            rows = rows / rows.sum()
        torch.testing.assert_close(moved[name], rows)
    everybody = torch.ones(3, dtype=torch.bool)
    presence.step(mechanism, moved, part(updates[stay], everybody, 4), new)


@every
def test_before_the_first_value_the_federation_begins_with_whoever_is_there(mechanism):
    setting, new = crowd(3)[0], crowd(4)[0]
    moved = mechanism.moved(mechanism.init(setting), setting, new)
    first = mechanism.init(new)
    for name, value in first.items():
        torch.testing.assert_close(moved[name], value)


def test_where_only_the_expelled_stay_they_begin_anew():
    old, new = crowd(4)[0], Setting.of(["3", "4"], 6)
    state = {"c": f64(0.5, 0.5, 0, 0),
             "reputable": torch.tensor([True, True, False, False])}
    moved = CFFL().moved(state, old, new)
    assert moved["c"].tolist() == [0.5, 0.5] and moved["reputable"].all()


# ---- what a mechanism names


@every
def test_a_mechanism_names_all_that_it_asks_of_a_round(mechanism):
    setting, updates = crowd(4)
    round = seen(updates, accuracy=curved)
    asked = {name: getattr(round, name) for name in mechanism.needs}
    bare = Round(1, gamma=1.0, updates=updates, **{"lr": None, **asked})
    _, (_, reward, _) = mechanism.apply(mechanism.init(setting), bare, setting)
    assert downloads(reward).isfinite().all()


@pytest.mark.parametrize("mechanism", [ECI(), CFFL(), CFFL(value="leave_one_out"),
                                       RR(), ALL["qffl"]], ids=str)
def test_and_nothing_that_no_form_of_it_asks(mechanism):
    used = set()

    class Watched(Round):
        def __getattribute__(self, name):
            used.add(name)
            return super().__getattribute__(name)

    setting, updates = crowd(4)
    round = Watched(**vars(seen(updates, accuracy=curved)))
    mechanism.apply(mechanism.init(setting), round, setting)
    spare = {"CFFL": {"models", "server"}}.get(type(mechanism).__name__, set())
    assert set(mechanism.needs) - spare <= used


def test_a_mechanism_of_ones_own_needs_nothing_more():
    """State with a row for each agent is split and merged; numbers and logs of another
    form pass."""

    class Own(Mechanism):
        def init(self, setting):
            return {"seen": torch.zeros(len(setting.keys)), "rounds": 0}

        def apply(self, state, round, setting):
            total = rewards.aggregate(round.updates, setting.size_shares)
            _, step = FedAvg().apply({}, round, setting)
            log = {"length": rewards.norms(round.updates), "sum": total.norm()}
            new = {"seen": state["seen"] + 1, "rounds": state["rounds"] + 1}
            return new, Step(total, step.reward, log)

    setting, updates = crowd(3)
    present = torch.tensor([[True, False, True]])
    ((*_, state, step),) = course(Own(), setting, updates, present)
    assert state["seen"].tolist() == [1, 0, 1] and state["rounds"] == 1
    assert step.log["length"].isnan().tolist() == [False, True, False]
    assert step.log["sum"].ndim == 0


def test_updates_that_are_not_those_of_the_agents_present_are_refused():
    setting, updates = crowd(3)
    round = replace(seen(updates), present=torch.tensor([True, False, True]))
    with pytest.raises(ValueError, match="3 updates do not fit 3 agents of which"):
        presence.step(Standalone(), {}, round, setting)
    with pytest.raises(ValueError, match="2 updates do not fit 3 agents"):
        presence.step(Standalone(), {}, seen(updates[:2]), setting)


def test_settings_of_agents_that_are_alike():
    found = Setting.of(["a", "b"], 5)
    assert found.sizes.tolist() == found.classes.tolist() == [1, 1]
    assert found.blocks == (slice(0, 5),) and found.size_shares.dtype == F64
    given = Setting.of(("a", "b"), 5, torch.tensor([2, 3]), [1, 2],
                       [slice(0, 2), slice(2, 5)])
    assert given.sizes.tolist() == [2, 3] and given.classes.tolist() == [1, 2]
    for wrong, word in (((["a", "a"], 5), "'a' twice"), (([1, 2], 5), "texts, not 1"),
                        ((["a"], 0), "dimension"), ((["a"], 5, [1, 2]), "not 2"),
                        ((["a"], 5, [0]), "sizes of agent 'a'"),
                        ((["a"], 5, None, None, [slice(0, 4)]), "cover the 5")):
        with pytest.raises(ValueError, match=word):
            Setting.of(*wrong)
