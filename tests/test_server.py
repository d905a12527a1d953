"""The server for a loop of one's own."""

import io

import numpy as np
import pytest
import torch
from torch import nn

import fairfl
from fairfl.delivery import Download
from fairfl.federation import Federation, UpdateError
from fairfl.mechanisms import (
    CFFL,
    CGSV,
    DW,
    ECI,
    EU,
    IAFL,
    MECHANISMS,
    QFFL,
    RFFL,
    RR,
    FedAvg,
    FedCE,
    Guarded,
    Lin,
    ShapFed,
    Standalone,
)
from fairfl.mechanisms.base import Setting
from fairfl.participation import Participation
from fairfl.partition import Agent
from fairfl.schedules import Schedule
from fairfl.server import Server
from fairfl.training import LocalTraining

ALL = [CGSV(), CGSV(valuation="sampled", permutations=8), FedAvg(), Standalone(), DW(),
       EU(), RR(), QFFL(), CFFL(threshold=0.9), ECI(),
       Guarded(others=True, news=True, crowding=4.0), RFFL(grace=1), FedCE(), ShapFed(),
       IAFL(recovery=0.5), Lin(explore=2)]
F64 = torch.float64
ABC = Setting.of(["a", "b", "c"], 4)
GAMMA, LR = Schedule(0.5, 0.9), Schedule(0.2, 0.8)


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=F64, generator=torch.Generator().manual_seed(seed))


def federation(mechanism, participation):
    """Five agents, ten to thirty samples each, two classes."""
    x = normal(120, 4)
    y = (x[:, 0] + 0.3 * x[:, 1] > 0).long()
    agents = [Agent(str(i), x[20 * i : 25 * i + 10], y[20 * i : 25 * i + 10])
              for i in range(4)]
    torch.manual_seed(0)
    network = nn.Linear(4, 2).double()
    return Federation(
        agents, network, mechanism, local=LocalTraining(lr=LR, batch_size=8),
        gamma=GAMMA, validation=(x[100:], y[100:]), participation=participation, seed=3)


def test_all_mechanisms_are_tried():
    assert {type(mechanism) for mechanism in ALL} == set(MECHANISMS.values())


@pytest.mark.parametrize("kind", ["mapping of torch", "mapping of numpy", "array"])
@pytest.mark.parametrize("mechanism", ALL, ids=str)
def test_it_is_the_twin_of_a_federation(mechanism, kind):
    """Logs, server and the models that agents make of their downloads, to the bit; the
    server is stopped and goes on from its state in the middle."""
    fed = federation(mechanism, Participation(0.6, 0.3) if "map" in kind else None)
    keys, held = fed.setting.keys, {}

    def server():
        return Server(mechanism, fed.setting, gamma=GAMMA, lr=LR, initial=fed.initial,
                      accuracy=held["accuracy"])

    held["accuracy"] = lambda models: fed.evaluate(models, *fed.validation)[1]
    own, models = server(), {key: fed.initial for key in keys}
    for snapshot in fed.rounds(8):
        present = torch.ones(len(keys)) if "map" not in kind else snapshot.present
        here = [i for i, there in enumerate(present) if there]
        losses = fed.own_losses(snapshot.before, snapshot.buffers)
        updates = snapshot.uploads
        if kind != "array":
            updates = {keys[i]: updates[i].numpy() if "numpy" in kind else updates[i]
                       for i in reversed(here)}
            losses = {keys[i]: losses[i].item() for i in here}
        answer = own.step(updates, losses=losses)
        assert answer.t == own.t == snapshot.t and list(answer) == list(keys)
        assert answer.log.keys() == snapshot.step.log.keys()
        for name, value in snapshot.step.log.items():
            assert torch.equal(answer.log[name].nan_to_num(-7), value.nan_to_num(-7))
        assert torch.equal(own.model, snapshot.server)
        for i, key in enumerate(keys):
            models[key] = answer[key].apply(
                models[key], last=snapshot.t - 1, own=snapshot.uploads[i])
            assert torch.equal(models[key], snapshot.models[i])
            assert torch.equal(answer.dense(key), snapshot.step.reward.row(i))
        if own.models is not None:
            assert torch.equal(own.models, snapshot.models)
        if snapshot.t == 4:
            file = io.BytesIO()
            torch.save(own.state_dict(), file)
            file.seek(0)
            own = server()
            own.load_state_dict(torch.load(file, weights_only=True))


def test_a_state_stays_as_it_was_when_the_server_goes_on():
    server = Server(RR(), ABC, initial=np.zeros(4))
    server.step(normal(3, 4))
    saved = server.state_dict()
    models = saved["models"].clone()
    first = server.step(normal(3, 4, seed=1)).step.aggregate
    server.step(normal(3, 4, seed=2))
    assert torch.equal(saved["models"], models)
    server.load_state_dict(saved)
    again = server.step(normal(3, 4, seed=1))
    assert again.t == 2 and torch.equal(again.step.aggregate, first)
    with pytest.raises(ValueError, match="a state of visited is none of CGSV"):
        Server(CGSV(), ABC).load_state_dict(saved)


# ---- downloads


def test_a_download_is_added_once_however_often_it_comes():
    sent = Download(3, "sparse", torch.tensor([0, 2]), torch.tensor([1.0, 5.0]))
    model = torch.ones(3)
    new = sent.apply(model, last=2)
    assert new.tolist() == [2, 1, 6] and model.tolist() == [1, 1, 1]
    assert torch.equal(sent.apply(new, last=3), new)  # sent again
    assert torch.equal(sent.apply(new, last=4), new)  # or overtaken
    everything = Download(1, "all", values=np.array([1.0, 2.0]))
    found = everything.apply(np.zeros(2, dtype=np.float32))
    assert isinstance(found, np.ndarray) and found.dtype == np.float32
    assert found.tolist() == [1, 2]
    assert Download(2, "model", values=torch.ones(2)).apply(torch.zeros(2)).all()
    assert not Download(2, "nothing").apply(torch.zeros(2)).any()
    own = Download(2, "own")
    assert own.apply(torch.zeros(2), own=np.ones(2)).all()
    with pytest.raises(ValueError, match="of round 2 is the agent's own update"):
        own.apply(torch.zeros(2))


# ---- what it is given


def test_forms_of_updates_and_of_presence_are_one():
    updates = normal(3, 4)
    by_key = {"c": updates[2], "a": updates[0].tolist()}
    forms = [(by_key, None), (by_key, ["a", "c"]), (updates, {"c", "a"}),
             (updates.numpy(), [True, False, True]),
             (list(updates), np.array([1, 0, 1]) == 1),
             ({**by_key, "b": updates[1]}, torch.tensor([True, False, True]))]
    found = [Server(CGSV(), ABC).step(given, present) for given, present in forms]
    for answer in found:
        assert torch.equal(answer.step.aggregate, found[0].step.aggregate)
        assert answer.log["psi"].isnan().tolist() == [False, True, False]
        assert answer["b"].kind == "nothing"
    none = Server(CGSV(), ABC).step({})
    assert {none[key].kind for key in none} == {"nothing"}
    assert not Server(CGSV(), ABC).step(updates, []).step.aggregate.any()


@pytest.mark.parametrize("updates, present, word", [
    ({"a": np.zeros(3)}, None, r"agent 'a' in round 1 .* shape \(3,\), not \(4,\)"),
    ({"a": np.zeros((1, 4))}, None, r"agent 'a' .* shape \(1, 4\)"),
    ({"b": [1, np.nan, 0, 0]}, None, "agent 'b' in round 1 holds NaN"),
    ({"b": [1, 2, np.inf, 0]}, None, "agent 'b' in round 1 holds NaN or inf"),
    ({"b": "hello"}, None, "agent 'b' .* must be a vector"),
    ({"b": None}, None, "agent 'b' in round 1 is missing"),
    ({"b": torch.zeros(4, dtype=torch.complex64)}, None, "agent 'b' .* must be real"),
    ({"a": np.ones(4)}, ["a", "c"], "agent 'c' in round 1 is missing"),
    ({"x": np.ones(4)}, None, "no agent 'x'; known are 'a', 'b', 'c'"),
    (np.ones((3, 4)), ["x"], "no agent 'x'"),
    (np.ones((3, 4)), ["a", "a"], "'a' is named twice"),
    (np.ones((3, 4)), [True, False], "each of the 3 agents, not 2"),
    (np.ones((2, 4)), None, "a row for each of the 3 agents, not 2"),
])
def test_what_does_not_fit_is_refused_and_the_server_stays_as_it_was(
        updates, present, word):
    server = Server(CGSV(), ABC)
    server_before = server.state_dict()
    with pytest.raises(ValueError, match=word):
        server.step(updates, present)
    assert server.t == 0 and server.state == server_before["state"]


def test_an_error_names_the_agent_and_the_round():
    with pytest.raises(UpdateError) as caught:
        Server(CGSV(), ABC).step({"b": np.full(4, np.nan)})
    assert caught.value.agent == "b" and caught.value.round == 1


def test_a_bad_update_can_count_as_absent():
    server, updates = Server(CGSV(), ABC, bad="absent"), normal(3, 4)
    given = {"a": updates[0], "b": [np.nan] * 4, "c": updates[2]}
    answer = server.step(given)
    plain = Server(CGSV(), ABC).step({"a": updates[0], "c": updates[2]})
    assert list(answer.refused) == ["b"] and "holds NaN" in answer.refused["b"]
    assert torch.equal(answer.step.aggregate, plain.step.aggregate)
    assert answer["b"].kind == "nothing" and not plain.refused
    all_bad = server.step({"a": [1], "b": None, "c": 3})
    assert list(all_bad.refused) == ["a", "b", "c"] and server.t == 2


def test_what_a_mechanism_needs_is_asked_for_by_name():
    for mechanism, word in ((QFFL(), "QFFL needs `Round.lr`: pass the server lr="),
                            (ECI(), "ECI needs `Round.accuracy`: .* accuracy="),
                            (RR(), "RR needs `Round.models`: .* initial="),
                            (CFFL(), "CFFL needs `Round.accuracy`")):
        with pytest.raises(ValueError, match=word):
            Server(mechanism, ABC)
    server = Server(QFFL(), ABC, lr=0.1)
    with pytest.raises(ValueError, match="QFFL needs `Round.losses`: .*each step"):
        server.step(normal(3, 4))
    for losses, name in (({"a": 1.0, "c": 1.0}, "b"), ([1, 2, np.nan], "c")):
        with pytest.raises(ValueError, match=f"finite number for agent '{name}'"):
            server.step(normal(3, 4), losses=losses)
    assert server.t == 0
    some = server.step({"a": np.ones(4)}, losses={"a": 2.0})
    assert some.log["losses"][0] == 2 and some.log["losses"][1:].isnan().all()


@pytest.mark.parametrize("given, word", [
    ({"bad": "skip"}, "bad 'skip'"), ({"gamma": 0}, "gamma"), ({"lr": -1}, "lr"),
    ({"initial": np.zeros(3)}, r"initial has the shape \(3,\), not \(4,\)")])
def test_arguments_are_checked(given, word):
    with pytest.raises(ValueError, match=word):
        Server(CGSV(), ABC, **given)


def test_updates_take_the_precision_of_the_model():
    server = Server(CGSV(), ABC, initial=torch.zeros(4))
    answer = server.step(normal(3, 4))
    assert server.model.dtype == answer.step.aggregate.dtype == torch.float32
    mixed = Server(CGSV(), ABC).step({"a": torch.ones(4), "b": np.ones(4)})
    assert mixed.step.aggregate.dtype == torch.float32  # of the first agent


# ---- who comes and goes


def test_agents_join_and_leave():
    server = Server(RR(), ABC, initial=np.full(4, 2.0))
    for t in range(4):
        server.step(normal(3, 4, seed=t))
    held = server.models.clone()
    server.join("d", size=5, classes=2)
    assert server.setting.keys == ("a", "b", "c", "d")
    assert server.setting.sizes.tolist() == [1, 1, 1, 5]
    assert server.setting.classes.tolist() == [1, 1, 1, 2]
    assert torch.equal(server.models[:3], held) and (server.models[3] == 2).all()
    server.leave("b")
    assert torch.equal(server.models[:2], held[[0, 2]])
    answer = server.step({"d": np.ones(4), "a": np.ones(4)})
    assert answer["d"].kind == "model"  # it has waited longest
    with pytest.raises(ValueError, match="no agent 'b'"):
        server.step({"b": np.ones(4)})
    saved = server.state_dict()
    other = Server(RR(), ABC, initial=np.full(4, 2.0))
    other.load_state_dict(saved)
    assert other.setting.keys == ("a", "c", "d")
    for wrong, word in ((lambda: server.join("a"), "'a' twice"),
                        (lambda: server.join("e", size=0), "agent 'e'"),
                        (lambda: server.leave("x"), "no agent 'x'")):
        with pytest.raises(ValueError, match=word):
            wrong()
    server.leave("a")
    server.leave("d")
    with pytest.raises(ValueError, match="'c' is the last agent"):
        server.leave("c")


def test_a_latecomer_starts_with_an_equal_share_of_r():
    server = Server(CGSV(), ABC)
    for t in range(5):
        server.step(normal(3, 4, seed=t))
    r = server.state["weights"]
    server.join("d")
    torch.testing.assert_close(server.state["weights"][:3], r * 3 / 4)
    assert server.state["weights"][3] == 1 / 4
    answer = server.step(normal(4, 4))
    first = torch.cat([r * 3 / 4, torch.tensor([0.25])])
    moved = 0.95 * first + 0.05 * answer.log["psi"]
    torch.testing.assert_close(answer.log["r"], moved / moved.sum())


def test_the_package_names_it():
    assert fairfl.Server is Server and fairfl.Setting is Setting
    assert {"Server", "Setting", "server"} <= set(dir(fairfl))
