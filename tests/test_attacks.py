"""Agents that cheat: what they upload, and that runs with them resume as others do."""

import json
import math
from dataclasses import dataclass, replace

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from fairfl import attacks, datasets, mechanisms, probes
from fairfl.__main__ import main
from fairfl.federation import Federation, UpdateError
from fairfl.partition import Agent
from fairfl.randomness import seeded
from fairfl.runs import checkpoint, records, running
from fairfl.runs.recommendations import recommended
from fairfl.runs.settings import Settings
from fairfl.training import plain

F64 = torch.float64
ROWS = torch.tensor(
    [[3.0, 4, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [1, 1, 1, 1, 0, 0]], dtype=F64)


def given(rows=ROWS, seen=None):
    """Local training that gives these updates each round and keeps the labels."""

    def train(module, models, buffers, agents, local, t, seed):
        if seen is not None:
            seen.append({agent.key: agent.y.tolist() for agent in agents})
        return rows[: len(agents)].clone(), buffers

    return train


def small(cheats, mechanism=None, rows=ROWS, seen=None, agents=3, **options):
    with seeded(0, "linear"):
        module = nn.Linear(2, 2, dtype=F64)
    x = torch.ones(2, 2, dtype=F64)
    people = [Agent(str(i), x, torch.tensor([0, 1])) for i in range(1, agents + 1)]
    mechanism = mechanism or mechanisms.FedAvg(scaling="raw")
    return Federation(people, module, mechanism, train=given(rows, seen),
                      attacks=cheats, **options)


def uploads(fed, rounds=1):
    return [snapshot.uploads for snapshot in fed.rounds(rounds)]


# --- what is uploaded


@pytest.mark.parametrize("attack, row", [
    (attacks.Attack(), [3, 4, 0, 0, 0, 0]),
    (attacks.Zero(), [0] * 6),
    (attacks.Flip(), [-3, -4, 0, 0, 0, 0]),
    (attacks.Scaled(factor=0.5), [1.5, 2, 0, 0, 0, 0]),
    (attacks.Follow(agent="3"), [1, 1, 1, 1, 0, 0]),
    (attacks.Download(), [0] * 6),
], ids=lambda value: type(value).__name__ if isinstance(value, attacks.Attack) else "")
def test_what_an_attacker_uploads_and_that_the_others_stay_honest(attack, row):
    snapshot = next(small({"1": attack}).rounds(1))
    assert snapshot.uploads[0].tolist() == row
    assert torch.equal(snapshot.uploads[1:], ROWS[1:])
    assert torch.equal(snapshot.updates, ROWS)
    assert torch.allclose(snapshot.step.aggregate, snapshot.uploads.mean(0))


def test_noise_is_new_in_each_round_and_as_long_as_the_update():
    one, two = uploads(small({"1": attacks.Noise()}), 2)
    assert one[0].norm() == pytest.approx(5) and two[0].norm() == pytest.approx(5)
    assert (one[0] - two[0]).norm() > 0.1
    assert torch.equal(uploads(small({"1": attacks.Noise()}))[0], one)
    assert not torch.equal(uploads(small({"1": attacks.Noise()}, seed=1))[0][0], one[0])
    assert not torch.equal(uploads(small({"2": attacks.Noise()}))[0][1] / 1, one[0] / 5)


def test_a_download_is_what_the_agent_was_sent_in_the_round_before():
    cheats = {"1": attacks.Download(), "2": attacks.Download(from_round=3)}
    fed = small(cheats, mechanisms.CGSV(beta=0.5))
    first, second, third = fed.rounds(3)
    assert torch.equal(second.uploads[0], first.step.reward.row(0))
    assert torch.equal(second.uploads[1], ROWS[1])
    for i in (0, 1):
        assert torch.equal(third.uploads[i], second.step.reward.row(i))
        torch.testing.assert_close(third.uploads[i], second.models[i] - first.models[i])


def sight(own, *sent, model=(0, 0, 0)):
    """What an attacker with this update sees, who was sent these, the latest last."""
    past = [torch.tensor(row, dtype=F64) for row in sent]
    own, model = torch.tensor(own, dtype=F64), torch.tensor(model, dtype=F64)
    return attacks.Sight("1", 3, 0, own, {}, model, torch.zeros(3, dtype=F64),
                         past[-1] if past else None, past[-2] if past[1:] else None)


def test_a_guess_by_hand():
    """On a line: 2 (1, 1, 1) - (1, 0, 2) = (1, 2, 0), as long as (2, 2, 1)."""
    seen = sight([2.0, 2, 1], [1.0, 0, 2], [1.0, 1, 1])
    expected = torch.tensor([1.341641, 2.683282, 0], dtype=F64)
    found = attacks.Guess(at="line").upload(seen)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    found = attacks.Guess(at="download").upload(seen)
    torch.testing.assert_close(found, torch.full((3,), 3**0.5, dtype=F64))
    seen = sight([0.0, 3, 0], [4.0, 0, 0], model=(0, 5, 0))
    found = attacks.Guess(at="both").upload(seen)
    torch.testing.assert_close(found, torch.tensor([1, 1, 0], dtype=F64) * 4.5**0.5)


@pytest.mark.parametrize("at, honest", [("download", 1), ("both", 1), ("line", 2)])
def test_a_guess_is_honest_until_it_has_been_sent_enough(at, honest):
    fed = small({"1": attacks.Guess(at=at)}, mechanisms.CGSV(beta=0.5))
    for t, snapshot in enumerate(fed.rounds(4), start=1):
        assert torch.equal(snapshot.uploads[0], ROWS[0]) == (t <= honest)
        assert snapshot.uploads[0].norm() == pytest.approx(5)
        assert torch.equal(snapshot.uploads[1:], ROWS[1:])
    nothing = sight([2.0, 2, 1], [0.0, 0, 0], [0.0, 0, 0])
    assert torch.equal(attacks.Guess(at=at).upload(nothing), nothing.update)


def test_a_guess_on_a_line_looks_at_the_last_two_downloads():
    fed = small({"1": attacks.Guess(at="line")}, mechanisms.CGSV(beta=0.5))
    first, second, third = fed.rounds(3)
    guess = 2 * second.step.reward.row(0) - first.step.reward.row(0)
    torch.testing.assert_close(third.uploads[0], 5 * guess / guess.norm())
    assert torch.equal(third.earlier["1"], second.step.reward.row(0))


def test_an_attack_begins_in_its_round():
    one, two, three = uploads(small({"1": attacks.Zero(from_round=3)}), 3)
    assert torch.equal(one, ROWS) and torch.equal(two, ROWS)
    assert not three[0].any() and torch.equal(three[1:], ROWS[1:])


def test_wrong_labels_are_those_of_the_next_class_from_the_round_on():
    seen = []
    fed = small({"2": attacks.Labels(from_round=2)}, seen=seen)
    list(fed.rounds(2))
    assert seen == [{"1": [0, 1], "2": [0, 1], "3": [0, 1]},
                    {"1": [0, 1], "2": [1, 0], "3": [0, 1]}]
    agent = Agent("a", torch.zeros(3, 1), torch.tensor([0, 8, 9]))
    assert attacks.Labels().data(agent, 10).y.tolist() == [1, 9, 0]
    assert agent.y.tolist() == [0, 8, 9]


def test_copies_bring_names_that_upload_the_same():
    x, y = torch.ones(2, 2, dtype=F64), torch.tensor([0, 1])
    people = [Agent(key, x, y) for key in ("1", "2")]
    copies = attacks.Copies(copies=3, from_round=2)
    everybody, cheats = attacks.join(people, {"2": copies})
    assert [agent.key for agent in everybody] == ["1", "2", "2.2", "2.3"]
    assert all(torch.equal(agent.x, people[1].x) for agent in everybody[1:])
    rows = torch.eye(6, dtype=F64)[:4]
    fed = Federation(everybody, small({}).module, mechanisms.CGSV(), train=given(rows),
                     attacks=cheats)
    one, two = uploads(fed, 2)
    assert torch.equal(one, rows)  # honest before
    assert torch.equal(two[1:], rows[1].expand(3, 6)) and torch.equal(two[0], rows[0])


def test_cheating_changes_nothing_for_those_who_train():
    data = datasets.load("digits")
    settings = recommended("digits", "uni", agents=3, size=20, rounds=1)
    honest = next(running.federation(settings, data).rounds(1))
    settings = replace(settings, attacks={"2": {"kind": "noise"}})
    cheated = next(running.federation(settings, data).rounds(1))
    assert torch.equal(honest.updates, cheated.updates)
    assert torch.equal(honest.updates, honest.uploads)
    assert (honest.uploads != cheated.uploads).any(1).tolist() == [False, True, False]


@pytest.mark.parametrize("name", mechanisms.MECHANISMS)
def test_any_mechanism_can_be_attacked(name):
    data = datasets.load("digits")
    for kind in ("zero", "noise", "labels", "download"):
        settings = recommended("digits", "uni", agents=3, size=20, mechanism=name,
                               attacks={"2": {"kind": kind}})
        last = list(running.federation(settings, data).rounds(2))[-1]
        assert last.models.isfinite().all()


# --- probes see what the server saw


def test_probes_look_at_the_uploads():
    fed = small({"1": attacks.Scaled(factor=-2.0)})
    snapshot = next(fed.rounds(1))
    lengths = probes.lengths(fed, snapshot)["update_norm"].tolist()
    assert lengths == pytest.approx([10, 1, 2])
    assert probes.cosines(fed, snapshot)["cosines"][0, 2] == pytest.approx(-0.7)


# --- order, resumption, records


CHEATS = {"2": {"kind": "copies", "copies": 2, "from_round": 2},
          "3": {"kind": "download"}, "4": {"kind": "noise", "from_round": 3},
          "1": {"kind": "labels", "from_round": 2}}
SETTINGS = recommended(
    "digits", "pow", agents=4, size=20, rounds=5, accuracy_every=5, evaluate_every=5,
    seed=2, mechanism="guarded",
    mechanism_options={"others": True, "news": True, "crowding": 8.0}, attacks=CHEATS)


@pytest.fixture(scope="module")
def data():
    return datasets.load("digits")


@pytest.fixture(scope="module")
def whole(data):
    return running.run(SETTINGS, data)


def same(one, two):
    one, two = one.history, two.history
    names = [name for name in one.names if not name.startswith("seconds")]
    return all(torch.equal(one[name].nan_to_num(), two[name].nan_to_num())
               for name in names)


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_run_under_attack_resumes(stop, data, whole, tmp_path):
    file = tmp_path / "run.checkpoint"

    def after(history):
        if history.last.t == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        running.run(SETTINGS, data, checkpoint_file=file, after=after)
    last = checkpoint.load(file).history.last
    assert set(last.downloads) == {"1", "2", "2.2", "3", "4"}
    again = running.run(SETTINGS, data, checkpoint_file=file)
    assert same(again, whole)
    assert whole.history.keys == ("1", "2", "3", "4", "2.2")


def test_a_record_of_an_attacked_run_is_read_and_replayed(data, whole, tmp_path):
    records.save(whole, tmp_path / "record.json")
    found = records.load(tmp_path / "record.json")
    assert found.settings == SETTINGS
    recorded, again = running.replay(found, 3, data)
    torch.testing.assert_close(recorded["r"], again["r"], atol=1e-8, rtol=1e-6)


def test_settings_of_older_records_have_no_attacks():
    honest = replace(SETTINGS, attacks={})
    old = honest.to_dict()
    del old["attacks"]
    assert Settings.from_dict(old) == honest != SETTINGS
    assert Settings.from_dict(json.loads(json.dumps(SETTINGS.to_dict()))) == SETTINGS
    other = replace(SETTINGS, attacks={"3": {"kind": "zero"}})
    assert len({SETTINGS.name, honest.name, other.name}) == 3


def test_a_checkpoint_of_another_attack_is_refused(data, tmp_path):
    file = tmp_path / "run.checkpoint"
    short = replace(SETTINGS, rounds=1)
    running.run(short, data, checkpoint_file=file, checkpoint_every=1)
    with pytest.raises(ValueError, match="other settings: attacks"):
        running.run(replace(short, attacks={}), data, checkpoint_file=file)


@pytest.mark.parametrize("mechanism", [
    mechanisms.CGSV(), mechanisms.Guarded(others=True, news=True, crowding=4.0),
], ids=["cgsv", "guarded"])
def test_the_order_of_agents_does_not_matter_under_attack(mechanism, data):
    fed = running.federation(SETTINGS, data)

    def last(agents):
        moved = Federation(agents, fed.module, mechanism, local=fed.local,
                           gamma=fed.gamma, seed=2, attacks=fed.attacks)
        return list(moved.rounds(4))[-1]

    one, other = last(fed.agents), last(fed.agents[::-1])
    pairs = ((one.models, other.models), (one.step.log["r"], other.step.log["r"]))
    for there, back in pairs:
        torch.testing.assert_close(back.flip(0), there, rtol=0, atol=1e-10)


def test_the_command_takes_attacks(tmp_path):
    file = tmp_path / "record.json"
    result = CliRunner().invoke(main, [
        "run", "--dataset", "digits", "--agents", "3", "--size", "20", "--rounds", "2",
        "--partition", "uni", "--attack", "2=scaled,factor=3.0,from_round=2",
        "--attack", "1=copies", "--output", str(file)])
    assert result.exit_code == 0, result.output
    record = records.load(file)
    scaled = {"kind": "scaled", "factor": 3.0, "from_round": 2}
    assert record.settings.attacks == {"2": scaled, "1": {"kind": "copies"}}
    assert record.history.keys == ("1", "2", "3", "1.2")


@pytest.mark.parametrize("wrong, message", [
    ("2", "KEY=KIND"), ("2=lies", "unknown kind 'lies'"),
    ("2=noise,colour=1", "agent '2'"), ("7=noise", "attacking agent '7'"),
])
def test_the_command_refuses_attacks_that_nobody_can_do(wrong, message, tmp_path):
    failed = CliRunner().invoke(main, [
        "run", "--dataset", "digits", "--attack", wrong, "--agents", "3",
        "--output", str(tmp_path / "record.json")])
    assert failed.exit_code != 0 and message in failed.output, failed.output
    assert not list(tmp_path.iterdir())


# --- what is refused


@pytest.mark.parametrize("plain_attacks, message", [
    ({"1": {"kind": "lies"}}, "agent '1': unknown kind 'lies'; known are zero, noise"),
    ({"1": {}}, "agent '1': unknown kind None"),
    ({1: {"kind": "zero"}}, "names are texts; an attack is given for 1"),
    ({"1": {"kind": "noise", "loud": True}}, "agent '1': .*loud"),
    ({"1": {"kind": "noise", "from_round": 0}},
     "agent '1': from_round must be a whole number of at least 1, not 0"),
    ({"1": {"kind": "scaled", "factor": math.inf}}, "agent '1': factor must lie in"),
    ({"1": "noise"}, "the attack of agent '1'"),
    ({"1": {"kind": "copies", "copies": 0}}, "copies must be a whole number"),
])
def test_a_wrong_description_names_the_agent(plain_attacks, message):
    with pytest.raises(ValueError, match=message):
        attacks.build(plain_attacks)


def test_attackers_must_be_agents_and_upload_what_fits():
    with pytest.raises(ValueError, match="no agent '9' to cheat; known are '1', '2'"):
        small({"9": attacks.Zero()})
    with pytest.raises(ValueError, match="attacking agent '9'; known are 1, 2, 3"):
        attacks.join(small({}).agents, {"9": attacks.Copies()})
    for follow in ("9", "1"):
        with pytest.raises(ValueError, match=f"'1' follows: '{follow}'; known are 2"):
            small({"1": attacks.Follow(agent=follow)})

    @dataclass(frozen=True, kw_only=True)
    class Wrong(attacks.Attack):
        what: torch.Tensor

        def upload(self, sight):
            return self.what

    with pytest.raises(ValueError, match=r"agent '2' uploads .* \(2,\), not \(6,\)"):
        uploads(small({"2": Wrong(what=torch.zeros(2))}))
    with pytest.raises(UpdateError, match="agent '2' in round 1 holds NaN"):
        uploads(small({"2": Wrong(what=torch.full((6,), math.nan))}))


def test_threads_train_a_network_of_ones_own_one_at_a_time():
    """torch.func puts weights into the network: each thread needs one of its own."""
    before = torch.get_num_threads()
    data, draws = datasets.load("digits"), []
    with seeded(0, "network"):
        layers = nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 10)
        module = nn.Sequential(*layers).double()
    parts = [slice(30 * i, 31 * i + 20) for i in range(24)]
    people = [Agent(str(i), data.x[part], data.y[part]) for i, part in enumerate(parts)]
    try:
        torch.set_num_threads(4)
        for train in ("stacked", plain.train):
            fed = Federation(people, module, mechanisms.FedAvg(), train=train)
            draws.append(list(fed.rounds(2))[-1].models)
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(*draws, rtol=0, atol=1e-10)
