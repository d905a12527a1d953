"""Rounds on Flower against the simulator's, with nodes in this process."""

import math

import pytest
import torch
from local import LocalGrid, memory
from torch import nn
from torch.utils.data import TensorDataset

from fairfl import datasets, federation, mechanisms, partition, vectors
from fairfl.flower import FairStrategy, client_app
from fairfl.mechanisms.base import Setting
from fairfl.partition import Agent
from fairfl.randomness import generator, seeded
from fairfl.server import Server
from fairfl.training import LocalTraining, plain

DIGITS = datasets.load("digits")
LOCAL = LocalTraining(lr=0.2, epochs=2, batch_size=8)
VALIDATION = DIGITS.test_x[:80], DIGITS.test_y[:80]
N = 3


def network(context=None):
    with seeded(0, "network"):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).double()


AGENTS = partition.power_law(DIGITS, N, 20, seed=0)
KEYS = [agent.key for agent in AGENTS]


def own(context):
    return AGENTS[context.node_config["partition-id"]][1:3]


def grid(app=None, agents=N, folder=None):
    """Nodes 101, 102, ... of agents "1", "2", ..."""
    state = {"state": str(folder)} if folder else {}
    return LocalGrid(app or client_app(network, own, LOCAL),
                     {101 + i: {"partition-id": i, **state} for i in range(agents)})


def strategy(mechanism, agents=N, **options):
    names = {101 + i: str(i + 1) for i in range(N)}
    return FairStrategy(mechanism, network(), seed=5, agents=agents, names=names,
                        **{"local": LOCAL, **options})


def simulated(mechanism, rounds, present=None, **options):
    fed = federation.Federation(
        AGENTS, network(), mechanism, local=LOCAL, seed=5, validation=VALIDATION,
        train="plain", participation=present, **options)
    return fed.run(rounds)


def check(found, history, nodes):
    """All that was logged, the server's model, and each agent's."""
    rounds = len(found.metrics)
    assert rounds == history.last.t == found.t
    for name in history.names:
        for t, row in zip(history.rounds(name).tolist(), history[name], strict=True):
            for key, value in zip(history.keys, row if row.ndim else [], strict=False):
                logged = found.metrics[t].get(f"{name}.{key}", math.nan)
                assert logged == pytest.approx(float(value), abs=1e-6, nan_ok=True)
    same = {"rtol": 0, "atol": 1e-6}
    torch.testing.assert_close(found.progress.server.model, history.last.server, **same)
    for i in range(len(history.keys)):
        held = memory(nodes.contexts[101 + i])["model"]
        torch.testing.assert_close(held, history.last.models[i], **same)


MECHANISMS = [
    mechanisms.CGSV(beta=1.0), mechanisms.FedAvg(), mechanisms.QFFL(),
    mechanisms.CFFL(), mechanisms.RR(), mechanisms.RR(last_round=4),
    mechanisms.Standalone(), mechanisms.ECI(), mechanisms.EU(),
    mechanisms.Guarded(news=True, others=True),
    mechanisms.CGSV(beta=0.1, mask="layers"),
]
some = pytest.mark.parametrize("mechanism", [MECHANISMS[k] for k in (0, 1, 2, 3, 4, 6)],
                               ids=lambda mechanism: type(mechanism).__name__)


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=repr)
def test_flower_gives_what_the_simulator_gives(mechanism):
    nodes, found = grid(), strategy(mechanism, validation=VALIDATION)
    result = found.start(nodes, num_rounds=4)
    check(found, simulated(mechanism, 4), nodes)
    weight = result.arrays.to_torch_state_dict()["1.weight"]
    assert torch.equal(weight.flatten(), found.progress.server.model[:640])
    assert dict(result.train_metrics_clientapp[4]) == found.metrics[4]


@some
@pytest.mark.parametrize("fate", ["message", "reply", "error", "down"])
def test_who_does_not_answer_is_absent_and_no_reward_is_lost_or_doubled(
        mechanism, fate):
    """Agent 2 in round 2, agent 1 in rounds 3 and 4: in the meantime each is owed the
    download of the last round that it was present in."""
    away = {(102, 2), (101, 3), (101, 4)}
    nodes, found = grid(), strategy(mechanism, validation=VALIDATION)
    if fate == "down":
        nodes.down = lambda: {node for node, t in away if t == found.t + 1}
    else:
        nodes.lost = lambda node, kind, t: fate * (
            kind == "train" and (node, t) in away)
    found.start(nodes, num_rounds=6)
    history = simulated(mechanism, 6, lambda t, key: (100 + int(key), t) not in away)
    check(found, history, nodes)
    assert [found.metrics[t]["present.2"] for t in range(1, 7)] == [1, 0, 1, 1, 1, 1]


def test_a_round_without_anybody_changes_nothing():
    nodes, found = grid(), strategy(mechanisms.CGSV())
    nodes.lost = lambda node, kind, t: "reply" * (kind == "train" and t == 2)
    found.start(nodes, num_rounds=4)
    check(found, simulated(mechanisms.CGSV(), 4, lambda t, key: t != 2), nodes)


def replace(name, make):
    """A change of a reply's update."""

    def change(reply):
        from flwr.app import Array

        record = reply.content["arrays"]
        record[name] = Array(make(record.pop("update").numpy()))

    return change


BAD = {
    "NaN": replace("update", lambda u: u * float("nan")),
    "longer": replace("update", lambda u: [*u, 0.0] @ torch.eye(651).double().numpy()),
    "a matrix": replace("update", lambda u: u[None]),
    "complex": replace("update", lambda u: u * 1j),
    "text": replace("update", lambda u: u.astype(str)),
    "another name": replace("it", lambda u: u),
    "another round": lambda reply: reply.content["metrics"].update(round=7),
    "no round": lambda reply: reply.content["metrics"].pop("round"),
    "nothing": lambda reply: [reply.content.pop(k) for k in list(reply.content)],
}


@pytest.mark.parametrize("what", BAD)
def test_a_node_that_sends_nonsense_is_named_and_left_out(what, caplog):
    nodes, found = grid(), strategy(mechanisms.CGSV())

    def change(reply):
        if reply.metadata.message_type == "train" and found.t == 1:
            BAD[what](reply)

    nodes.changed[102] = change
    found.start(nodes, num_rounds=3)
    assert "agent '2' is left out of round 2" in caplog.text
    check(found, simulated(mechanisms.CGSV(), 3, lambda t, key: (t, key) != (2, "2")),
          nodes)


def test_a_loss_that_is_none_leaves_out(caplog):
    nodes, found = grid(), strategy(mechanisms.QFFL())
    nodes.changed[101] = lambda reply: reply.content["metrics"].update(loss=math.nan)
    found.start(nodes, num_rounds=2)
    assert "agent '1' is left out of round 1: its reply cannot be read" in caplog.text
    assert found.metrics[2]["present.1"] == 0 and found.metrics[2]["present.2"] == 1


@some
def test_a_node_that_restarts_keeps_its_model(mechanism, tmp_path):
    nodes, found = grid(folder=tmp_path), strategy(mechanism, validation=VALIDATION)
    nodes.lost = lambda node, kind, t: nodes.restart(node) or ""
    found.start(nodes, num_rounds=4)
    history = simulated(mechanism, 4)
    files = [torch.load(path) for path in tmp_path.glob("*.pt")]
    held = torch.stack([file["model"] for file in files])
    apart = torch.cdist(held, history.last.models)  # which file is whose is not said
    assert len(files) == N
    assert (apart.min(0).values < 1e-6).all() and (apart.min(1).values < 1e-6).all()


@pytest.mark.parametrize("mechanism, again", [(mechanisms.CGSV(), "w_0"),
                                              (mechanisms.RR(), "it again")])
def test_a_node_that_has_lost_its_model(mechanism, again, caplog):
    """It misses the round in which that shows. RR's server holds the models."""
    nodes, found = grid(), strategy(mechanism)

    def lose(node, kind, t):
        if (node, kind, t) == (101, "train", 3):
            nodes.restart(node)
        return ""

    nodes.lost = lose
    found.start(nodes, num_rounds=5)
    assert f"'1' is left out of round 3: it has lost its model and gets {again}" \
        in caplog.text
    assert [found.metrics[t]["present.1"] for t in range(1, 6)] == [1, 1, 0, 1, 1]
    if again == "it again":
        came = simulated(mechanism, 5, lambda t, key: (t, key) != (3, "1"))
        check(found, came, nodes)


class Killed(Exception):
    pass


@some
@pytest.mark.parametrize("when", ["before", "half", "after"])
def test_a_killed_server_goes_on(mechanism, when, tmp_path):
    """Before it has sent anything of round 3, after half of it, and with all replies in
    its hands: the round is done once."""
    path, nodes = tmp_path / "server", grid()
    options = {"validation": VALIDATION, "checkpoint": path}
    exchange, sent = LocalGrid.send_and_receive, []

    def kill(messages, timeout=None):
        messages = list(messages)
        if any(m.metadata.group_id == "3" for m in messages):
            some = {"before": 0, "half": 1, "after": N}[when]
            sent.extend(exchange(nodes, messages[:some]))
            raise Killed
        return exchange(nodes, messages)

    nodes.send_and_receive = kill
    with pytest.raises(Killed):
        strategy(mechanism, **options).start(nodes, num_rounds=5)
    nodes.send_and_receive = lambda messages, timeout=None: exchange(nodes, messages)
    found = strategy(mechanism, **options)
    assert found.t == 2
    found.start(nodes, num_rounds=5)
    check(found, simulated(mechanism, 5), nodes)
    again = strategy(mechanism, **options)  # all is done and delivered
    nodes.seen.clear()
    again.start(nodes, num_rounds=5)
    assert not nodes.seen
    check(again, simulated(mechanism, 5), nodes)


def test_a_server_that_goes_on_from_an_older_checkpoint(tmp_path):
    """The nodes are ahead of it. What they have downloaded since counts as lost."""
    path, nodes = tmp_path / "server", grid()
    strategy(mechanisms.RR(), checkpoint=path).start(nodes, num_rounds=2)
    old = path.read_bytes()
    strategy(mechanisms.RR(), checkpoint=path).start(nodes, num_rounds=4)
    path.write_bytes(old)
    found = strategy(mechanisms.RR(), checkpoint=path)
    found.start(nodes, num_rounds=4)
    check(found, simulated(mechanisms.RR(), 4, lambda t, key: t != 3), nodes)


@pytest.mark.parametrize("options, why", [
    ({"mechanism": mechanisms.CGSV(beta=2.0)}, "CGSV.beta=1.0.* not CGSV.beta=2.0"),
    ({"damaged": True}, "damaged or not a checkpoint"),
])
def test_a_checkpoint_that_does_not_fit_is_refused(options, why, tmp_path):
    path = tmp_path / "server"
    strategy(mechanisms.CGSV(), checkpoint=path).start(grid(), num_rounds=1)
    if options.pop("damaged", False):
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=why):
        strategy(options.pop("mechanism", mechanisms.CGSV()), checkpoint=path)


def test_an_undelivered_last_reward_is_delivered_later(tmp_path):
    path, nodes = tmp_path / "server", grid()
    nodes.lost = lambda node, kind, t: "message" * (kind == "evaluate" and node == 102)
    strategy(mechanisms.CGSV(), checkpoint=path).start(nodes, num_rounds=3)
    assert [memory(nodes.contexts[node])["round"] for node in (101, 102)] == [3, 2]
    nodes.lost = lambda node, kind, t: "reply" * (kind == "evaluate")
    for _ in range(2):  # the reply is lost: it is sent again, and added once
        found = strategy(mechanisms.CGSV(), checkpoint=path)
        found.start(nodes, num_rounds=3)
        check(found, simulated(mechanisms.CGSV(), 3), nodes)


def test_a_late_joiner():
    """Agent 3 comes in round 3, with w_0 and the weight that `Server.join` gives."""
    nodes, found = grid(), strategy(mechanisms.CGSV(), agents=2)
    nodes.down = lambda: {103} if found.t < 2 else set()
    found.start(nodes, num_rounds=4)

    module, sizes = network(), [len(agent.y) for agent in AGENTS]
    w_0 = vectors.flatten(module)
    server = Server(mechanisms.CGSV(), Setting.of(KEYS[:2], 650, sizes[:2]),
                    initial=w_0, lr=0.2)
    models = dict.fromkeys(KEYS, w_0)
    for t in range(1, 5):
        if t == 3:
            server.join("3", sizes[2])
        updates = {}
        for agent in AGENTS[: len(server.setting.keys)]:
            updates[agent.key] = plain.train(
                module, models[agent.key][None], torch.empty(1, 0, dtype=torch.double),
                [agent], LOCAL, t, 5)[0][0]
        answer = server.step(updates)
        for key in answer:
            models[key] = answer[key].apply(models[key])
            assert found.metrics[t][f"r.{key}"] == pytest.approx(
                float(answer.log["r"][list(answer).index(key)]), abs=1e-12)
    assert [f"r.{key}" in found.metrics[2] for key in KEYS] == [True, True, False]
    for i, key in enumerate(KEYS):
        held = memory(nodes.contexts[101 + i])["model"]
        torch.testing.assert_close(held, models[key])


def test_what_is_sent():
    """Indices and values up to half of the entries, else a vector; nothing if "own"."""
    nodes, found = grid(), strategy(mechanisms.CGSV())
    random = torch.randn(650, dtype=torch.double, generator=generator(0, "noise"))
    nodes.changed[101] = lambda reply: "update" in reply.content["arrays"] and replace(
        "update", lambda u: random.numpy())(reply)
    found.start(nodes, num_rounds=3)
    for t in (1, 2):
        kept = [int(found.metrics[t][f"q.{key}"]) for key in KEYS]
        size = sum(12 * q if 2 * q <= 650 else 8 * 650 for q in kept)
        arrays = sum(2 if 2 * q <= 650 else 1 for q in kept)
        down = found.metrics[t + 1]["bytes_down"]
        assert size < down <= size + 128 * arrays
        assert any(2 * q <= 650 for q in kept) and any(2 * q > 650 for q in kept)
    own = strategy(mechanisms.Standalone())
    own.start(grid(), num_rounds=2)
    assert own.metrics[1]["bytes_down"] > N * 8 * 650
    assert own.metrics[2]["bytes_down"] == 0


def test_other_data_losses_and_networks():
    """A regression on a Dataset, with BatchNorm whose statistics stay with the node."""
    def loss(outputs, y):
        return ((outputs[:, 0] - y) ** 2)

    local = LocalTraining(lr=0.01, batch_size=8, loss=loss, optimizer=torch.optim.AdamW)

    def net(context=None):
        with seeded(1, "network"):
            return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 1)
                                 ).double()

    sets = [TensorDataset(a.x, a.y.double()) for a in AGENTS]
    app = client_app(net, lambda c: sets[c.node_config["partition-id"]], local,
                     buffers="local")
    nodes = grid(app)
    found = FairStrategy(mechanisms.QFFL(), net(), local=local, seed=5, agents=N,
                         names={101 + i: str(i + 1) for i in range(N)})
    found.start(nodes, num_rounds=3)
    agents = [Agent(a.key, x) for a, x in zip(AGENTS, sets, strict=True)]
    fed = federation.Federation(agents, net(), mechanisms.QFFL(), local=local, seed=5,
                                train="plain", buffers="local")
    history = fed.run(3)
    check(found, history, nodes)
    for i in range(N):
        torch.testing.assert_close(memory(nodes.contexts[101 + i])["buffers"],
                                   history.last.buffers[i])


def test_initial_arrays_take_the_place_of_the_networks_own():
    from flwr.app import ArrayRecord

    other = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).double()
    nodes, found = grid(), strategy(mechanisms.FedAvg())
    found.start(nodes, ArrayRecord(other.state_dict()), num_rounds=2)
    fed = federation.Federation(AGENTS, other, mechanisms.FedAvg(), local=LOCAL, seed=5,
                                train="plain")
    check(found, fed.run(2), nodes)


def test_what_does_not_fit_is_refused_before_anybody_trains():
    with pytest.raises(ValueError, match="CFFL needs .*accuracy"):
        strategy(mechanisms.CFFL())
