"""Agents that come to some rounds only, and updates that arrive late."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from fairfl import attacks, datasets, federation, mechanisms, models, partition, probes
from fairfl.__main__ import main
from fairfl.mechanisms import CGSV, RR, FedAvg, Guarded
from fairfl.participation import Participation
from fairfl.partition import Agent
from fairfl.runs import Settings, checkpoint, recommended, records, running
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining, plain

KEYS = ("1", "2", "3", "4")
STORED = json.loads(Path(__file__).with_name("full_participation.json").read_text())


def turns(participation, rounds=8, keys=KEYS, seed=0):
    """What each round's turn is, when nothing else decides."""
    found, late = [], set()
    for t in range(1, rounds + 1):
        found.append(participation.turn(t, keys, seed, late))
        late = {keys[i] for i in found[-1].late}
    return found


def crowd():
    x = torch.randn(80, 4, dtype=torch.float64,
                    generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0).long()
    return [Agent(key, x[15 * i : 17 * i + 10], y[15 * i : 17 * i + 10])
            for i, key in enumerate(KEYS)]


def build(participation=None, mechanism=None, agents=None, network=None, **options):
    torch.manual_seed(0)
    network = network or nn.Linear(4, 2).double()
    local = LocalTraining(lr=Schedule(0.2, 0.9), batch_size=4)
    return federation.Federation(agents or crowd(), network, mechanism or CGSV(),
                                 local=local, participation=participation, seed=5,
                                 **options)


# ---- who comes


def test_agents_come_with_the_given_probability_each_by_itself():
    keys = tuple(map(str, range(100)))
    found = turns(Participation(0.3), rounds=100, keys=keys)
    came = torch.stack([turn.present for turn in found]).double()
    assert abs(came.mean() - 0.3) < 0.02
    assert came.mean(0).std() < 0.1 and came.mean(1).std() < 0.1
    together = (came[:, 0] * came[:, 1]).mean()
    assert abs(together - 0.09) < 0.1
    other = turns(Participation(0.3), rounds=100, keys=keys, seed=1)
    assert any(a.trains != b.trains for a, b in zip(found, other, strict=True))


def test_neither_the_order_nor_the_others_decide():
    plain = turns(Participation(0.5, 0.3))
    moved = turns(Participation(0.5, 0.3), keys=("4", "9", "2"))
    for a, b in zip(plain, moved, strict=True):
        assert a.present[3] == b.present[0] and a.present[1] == b.present[2]
        assert (3 in a.trains) == (0 in b.trains) and (3 in a.late) == (0 in b.late)


def test_a_schedule_and_a_function_say_who_comes():
    falling = turns(Participation(Schedule(1.0, 0.5)), rounds=20)
    assert falling[0].present.all()
    assert sum(int(turn.present.sum()) for turn in falling[8:]) <= 1
    assert all(turn.present.all()
               for turn in turns(Participation(Schedule(0.9, 1.2)))[1:])
    asked = []

    def odd(t, key):
        asked.append((t, key))
        return (t + int(key)) % 2 == 1

    found = turns(Participation(odd), rounds=2)
    assert [turn.trains for turn in found] == [[1, 3], [0, 2]]
    assert asked == [(t, key) for t in (1, 2) for key in KEYS]


def test_a_late_update_keeps_its_agent_for_a_round():
    late = {(1, "2"), (2, "2"), (3, "2"), (3, "4")}
    found = turns(Participation(1.0, lambda t, key: (t, key) in late), rounds=4)
    assert [turn.trains for turn in found] == [
        [0, 1, 2, 3], [0, 2, 3], [0, 1, 2, 3], [0, 2]]
    assert [turn.late for turn in found] == [[1], [], [1, 3], []]
    assert [turn.present.tolist() for turn in found] == [
        [True, False, True, True], [True] * 4, [True, False, True, False], [True] * 4]


@pytest.mark.parametrize("given, word", [
    ({"present": 0}, "participation"), ({"present": 1.5}, "participation"),
    ({"present": "half"}, "participation"), ({"late": -0.1}, "late"),
    ({"late": 2}, "late"), ({"present": -1}, "participation")])
def test_what_is_no_probability_is_refused(given, word):
    with pytest.raises(ValueError, match=word):
        Participation(**given)


# ---- everybody


def measured(mechanism, participation=None):
    """Three rounds of four agents on digits, as numbers to compare."""
    data, validation = partition.hold_out(datasets.load("digits"), 100, 0)
    agents = [agent._replace(x=agent.x.double())
              for agent in partition.power_law(data, agents=4, size=60, seed=0)]
    fed = federation.Federation(
        agents, models.build("digits_cnn", seed=0).double(), mechanism, seed=3,
        local=LocalTraining(lr=Schedule(0.1, 0.9), batch_size=16),
        validation=(validation[0].double(), validation[1]), participation=participation)
    history = fed.run(3)
    last = history.last
    found = {name: history[name][-1] for name in history.names
             if not name.startswith("seconds") and name != "present"}
    return found | {"models": last.models.norm(dim=1), "sums": last.models.sum(1),
                    "server": last.server.norm()[None]}


NAMED = {name: mechanisms.build(name) for name in mechanisms.MECHANISMS
         if name in STORED}  # later ones came after absence
NAMED |= {"guarded": Guarded(others=True, news=True, crowding=8.0),
          "rr last": RR(last_round=2),
          "cgsv sampled": CGSV(valuation="sampled", permutations=8)}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMED)
def test_with_everybody_it_gives_the_numbers_from_before_there_was_absence(name):
    """Stored by a version without participation; and a way of saying "everybody" that
    asks for each agent changes no bit."""
    plain = measured(NAMED[name])
    asked = measured(NAMED[name], lambda t, key: True)
    assert plain.keys() == asked.keys() == STORED[name].keys()
    for part, value in plain.items():
        assert torch.equal(asked[part], value)
        expected = torch.tensor(STORED[name][part]).to(value)
        torch.testing.assert_close(value, expected, rtol=1e-7, atol=1e-9)


# ---- what it means for a federation


def test_the_absent_do_not_train_and_keep_their_models():
    trained = []

    def train(module, models, buffers, agents, local, t, seed):
        trained.append([agent.key for agent in agents])
        return plain.train(module, models, buffers, agents, local, t, seed)

    fed = build(lambda t, key: t == 1 or key in "24", train=train)
    snapshots = list(fed.rounds(3))
    assert trained == [list(KEYS), ["2", "4"], ["2", "4"]]
    for snapshot in snapshots[1:]:
        away = [0, 2]
        assert snapshot.present.tolist() == [False, True, False, True]
        assert torch.equal(snapshot.models[away], snapshot.before[away])
        assert not torch.equal(snapshot.models[3], snapshot.before[3])
        assert not snapshot.updates[away].any() and not snapshot.uploads[away].any()
        assert snapshot.updates[[1, 3]].any(1).all()
    alone = build(agents=[crowd()[i] for i in (1, 3)])
    mine = snapshots[0].models[[1, 3]]
    start = replace(alone.start(), t=1, server=snapshots[0].server, models=mine)
    (other,) = alone.rounds(1, start)
    # stacked in other company: a sum may be taken in another order
    torch.testing.assert_close(
        other.updates, snapshots[1].updates[[1, 3]], rtol=0, atol=1e-14)


def test_a_late_update_is_the_one_of_the_round_before():
    """Agent 3 trains in round 2 from its model; what it learnt arrives in round 3, in
    which it is valued and paid, and trains no more."""
    fed = build(Participation(1.0, lambda t, key: (t, key) == (2, "3")))
    first, second, third, fourth = fed.rounds(4)
    whole = list(build().rounds(2))[1]
    assert second.present.tolist() == [True, True, False, True]
    assert list(second.late) == ["3"]
    assert torch.equal(second.late["3"], whole.updates[2])  # first is the same
    assert not second.updates[2].any() and second.step.log["psi"][2].isnan()
    assert torch.equal(second.models[2], first.models[2])
    assert torch.equal(third.updates[2], second.late["3"]) and not third.late
    assert third.present.all() and third.step.log["psi"][2].isfinite()
    assert third.step.reward.kept[2] > 0
    assert not torch.equal(fourth.updates[2], third.updates[2])


def test_where_nobody_comes_nobody_trains():
    def train(module, models, buffers, agents, local, t, seed):
        assert agents
        return plain.train(module, models, buffers, agents, local, t, seed)

    _, second, _ = build(lambda t, key: t != 2, train=train).rounds(3)
    assert torch.equal(second.models, second.before) and not second.present.any()
    assert not second.step.aggregate.any()
    history = build(lambda t, key: t != 2).run(3)
    assert history["present"].sum(1).tolist() == [4, 0, 4]
    assert history.rounds("psi").tolist() == [1, 3]
    assert history.rounds("r").tolist() == [1, 2, 3]


def test_all_probes_take_a_round_with_absence():
    x, y = crowd()[3].x, crowd()[3].y
    fed = build(Participation(0.5, 0.3), test=(x, y), validation=(x, y))
    taken = [getattr(probes, name) for name in dir(probes)
             if not name.startswith("_") and name not in ("Federation", "every")
             and getattr(getattr(probes, name), "__module__", "") == "fairfl.probes"]
    assert len(taken) > 10
    history = fed.run(5, taken)
    away = history["present"] == 0
    assert away.any() and not history["update_norm"][away].any()
    assert not history["download_cosine"][away].any()
    for name in ("server_distance", "test_accuracy", "shard_losses"):
        assert history[name].isfinite().all()


@pytest.mark.parametrize("mechanism", [CGSV(), RR(), FedAvg()], ids=str)
def test_the_order_of_the_agents_does_not_matter(mechanism):
    order = [2, 0, 3, 1]
    plain = list(build(Participation(0.6, 0.3), mechanism).rounds(6))
    agents = [crowd()[i] for i in order]
    moved = list(build(Participation(0.6, 0.3), mechanism, agents=agents).rounds(6))
    for a, b in zip(plain, moved, strict=True):
        assert torch.equal(b.present, a.present[order])
        assert a.late.keys() == b.late.keys()
        torch.testing.assert_close(b.models, a.models[order])


def test_who_cheats_cheats_when_its_update_arrives():
    fed = build(Participation(lambda t, key: (t, key) != (2, "2"),
                              lambda t, key: (t, key) == (1, "1")),
                attacks={"1": attacks.Flip(), "2": attacks.Download()})
    first, second, third = fed.rounds(3)
    assert not first.uploads[0].any() and torch.equal(
        second.uploads[0], -first.late["1"])
    assert torch.equal(second.updates[0], first.late["1"])
    assert not second.uploads[1].any()
    # The last that it downloaded is that of round 1
    assert torch.equal(third.uploads[1], first.step.reward.row(1))
    assert torch.equal(second.downloads["2"], first.downloads["2"])


def test_buffers_are_those_of_the_agents_that_trained():
    network = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    network.double()

    def comes(t, key):
        return t == 1 or key in "24"

    trained = []

    def train(*args):
        found = plain.train(*args)
        trained.append(found[1])
        return found

    local, shared = (
        list(build(comes, network=network, buffers=how, train=train).rounds(2))
        for how in ("local", "shared"))
    away, there = [0, 2], [1, 3]
    assert torch.equal(local[1].buffers[away], local[0].buffers[away])
    assert not torch.equal(local[1].buffers[there], local[0].buffers[there])
    assert torch.equal(shared[1].buffers[away], shared[0].buffers[away])
    for row in shared[1].buffers[there]:
        assert torch.equal(row, trained[-1].mean(0))  # of the two who trained
    assert not torch.equal(shared[1].buffers[1], shared[0].buffers[1])


# ---- as a record


def settings(**changes):
    found = recommended("digits", "pow", agents=4, size=30, rounds=6,
                        participation=Participation(0.6, 0.4), **changes)
    return replace(found, local=replace(found.local, epochs=1))


def test_settings_hold_it_and_older_ones_mean_everybody():
    found = settings()
    assert Settings.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    plain = found.to_dict()
    assert plain["participation"]["late"] == 0.4
    del plain["participation"]
    assert Settings.from_dict(plain).participation == Participation()
    assert replace(found, participation=1).participation.everybody
    for wrong, word in ((lambda t, key: True, "participation"),
                        ("half", "participation"),
                        (Participation(lambda t, key: True), "must be plain data")):
        with pytest.raises(ValueError, match=word):
            replace(found, participation=wrong)


@pytest.mark.slow
@pytest.mark.parametrize("mechanism", ["cgsv", "rr"])
def test_a_run_goes_on_in_the_middle_with_updates_that_are_late(mechanism, tmp_path):
    """Stopped after each round in turn."""
    wanted, data = settings(mechanism=mechanism), datasets.load("digits")
    whole = running.run(wanted, data)
    assert (whole.history["present"] == 0).any()
    under_way = 0
    for last in range(1, 6):
        file = tmp_path / f"{last}.checkpoint"

        class Stop(Exception):
            pass

        def stop(history, last=last):
            if history.last.t == last:
                raise Stop

        with pytest.raises(Stop):
            running.run(wanted, data, checkpoint_file=file, after=stop)
        under_way += len(checkpoint.load(file).history.last.late)
        again = running.run(wanted, data, checkpoint_file=file)
        assert torch.equal(again.history.last.models, whole.history.last.models)
        for name in ("r", "q", "present", "staleness"):
            if name in whole.history.names:
                assert torch.equal(again.history[name], whole.history[name])
    assert under_way > 0


@pytest.mark.slow
def test_the_command_line_takes_it_and_shows_who_was_absent(tmp_path):
    file = tmp_path / "record.json"
    line = ("run --dataset digits --agents 4 --size 30 --rounds 3 --set local.epochs=1 "
            f"--set participation=0.5 --set participation.late=0.25 --output {file}")
    result = CliRunner().invoke(main, line.split())
    assert result.exit_code == 0, result.output
    record = records.load(file)
    assert record.settings.participation == Participation(0.5, 0.25)
    absent = (1 - record.history["present"]).sum(0).tolist()
    shown = CliRunner().invoke(main, ["show", str(file)]).output
    assert sum(absent) > 0
    assert (f"absent in {absent[0]} (agent 1), {absent[1]} (agent 2), {absent[2]} "
            f"(agent 3), {absent[3]} (agent 4) of 3 rounds") in shown
