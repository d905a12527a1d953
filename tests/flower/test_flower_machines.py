"""Processes of Flower on this machine, each ended by the test that started it: nodes
that Flower simulates, and a SuperLink and SuperNodes over TLS with registered keys."""

import time

import pytest
import torch

from book.flower import certificates
from book.flower.processes import Machines
from book.flower.task import LOCAL, shares, validation
from fairfl import federation, mechanisms, models, vectors
from fairfl.partition import Agent

NAMES = ("cgsv", "fedavg", "qffl", "cffl", "rr")
ROUNDS, N = 2, 3


def simulated(name, keys, rounds=ROUNDS, present=None):
    """The same agents in the simulator, by these keys."""
    options = {"beta": 1.0} if name == "cgsv" else {}
    agents = [Agent(key, *agent[1:3])
              for key, agent in zip(keys, shares(len(keys), 0), strict=True)]
    fed = federation.Federation(
        agents, models.build("digits_cnn", 0), mechanisms.build(name, **options),
        local=LOCAL, seed=0, validation=validation(), train="plain",
        participation=present)
    return fed.run(rounds)


def check(machines, name, history, folders):
    """All that was logged, the server's model, and those that the agents keep."""
    found = machines.results(name)
    assert list(found) == list(range(1, history.last.t + 1))
    for logged in (name for name in history.names if "seconds" not in name):
        for t, row in enumerate(history[logged].tolist(), 1):
            for key, value in zip(history.keys, row, strict=True):
                if value == value:  # the absent have no value
                    assert found[t][f"{logged}.{key}"] == pytest.approx(value, abs=1e-6)
    net = models.build("digits_cnn", 0)
    net.load_state_dict(torch.load(machines.folder / "results" / f"{name}.pt"))
    same = {"rtol": 0, "atol": 1e-6}
    torch.testing.assert_close(vectors.flatten(net), history.last.server, **same)
    checkpoint = torch.load(machines.folder / "results" / f"{name}.checkpoint")
    held = [torch.load(path)["model"] for folder in folders
            for path in (machines.folder / folder).glob(f"{checkpoint['name']}-*.pt")]
    wanted = sorted(history.last.models, key=lambda w: w.sum())
    torch.testing.assert_close(torch.stack(sorted(held, key=lambda w: w.sum())),
                               torch.stack(wanted), **same)


def wait_for(condition, what, seconds=600):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, f"waited in vain for {what}"
        time.sleep(0.1)


def test_simulated_nodes_give_what_the_simulator_gives(tmp_path):
    with Machines(tmp_path, warm=True) as machines:
        machines.run(agents=N, rounds=ROUNDS, mechanism=" ".join(NAMES))
        machines.wait()
        for name in NAMES:
            history = simulated(name, [str(i + 1) for i in range(N)])
            check(machines, name, history, ["state-0"])


def test_machines_give_what_the_simulator_gives(tmp_path):
    """Agents are known by the ids that the SuperLink gave to their keys. Somebody
    without a registered key is refused, and takes no part."""
    with Machines(tmp_path, N, warm=True) as machines:
        keys = [str(machines.register(i)) for i in range(1, N + 1)]
        stranger = tmp_path / "stranger"
        certificates.node_keys(stranger)
        machines.start_node(1, stranger)
        machines.processes["node-1"].wait(timeout=120)
        assert "No SuperNode found" in machines.log("node-1") or (
            "Failed to initialize the connection" in machines.log("node-1"))
        assert machines.processes["node-1"].returncode != 0
        for i in range(1, N + 1):
            machines.start_node(i)
        machines.run(agents=N, rounds=ROUNDS, mechanism=" ".join(NAMES))
        machines.wait()
        for name in NAMES:
            check(machines, name, simulated(name, keys),
                  [f"state-{i}" for i in range(1, N + 1)])


def test_nodes_and_server_that_are_killed(tmp_path):
    """Node 2 is killed while a round runs, and started again; then the SuperLink with
    the server. Each round that was done counts once, and each agent is paid once."""
    with Machines(tmp_path, N, warm=True) as machines:
        keys = [str(machines.register(i)) for i in range(1, N + 1)]
        for i in range(1, N + 1):
            machines.start_node(i)
        config = {"agents": N, "rounds": 9, "mechanism": "cgsv", "timeout": 30}
        checkpoint = tmp_path / "results" / "cgsv.checkpoint"

        def done():
            return torch.load(checkpoint)["metrics"] if checkpoint.exists() else {}

        machines.run(**config)
        wait_for(done, "round 1")
        machines.kill("node-2")
        wait_for(lambda: any(not found[f"present.{keys[1]}"] for found in
                             done().values()), "a round without node 2")
        machines.restart_node(2)
        t = max(done())
        wait_for(lambda: max(done()) > t, "another round")
        machines.kill("link")
        machines.kill("run")
        assert max(done()) < 9
        machines.start_link()
        machines.run("again", **config)
        machines.wait("again")
        found = machines.results("cgsv")
        here = {(t, key): found[t][f"present.{key}"] for t in found for key in keys}
        assert not here[2, keys[1]] or not here[3, keys[1]]
        assert here[9, keys[1]]
        history = simulated("cgsv", keys, 9, lambda t, key: bool(here[t, key]))
        check(machines, "cgsv", history, [f"state-{i}" for i in range(1, N + 1)])


def test_a_private_key_is_its_owners_alone(tmp_path):
    folder = certificates.make(tmp_path / "keys", nodes=2)
    private = {"server.key", "node-1", "node-2"}
    assert {path.name for path in folder.iterdir()} == private | {
        "ca.pem", "server.pem", "node-1.pub", "node-2.pub"}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all((folder / name).stat().st_mode & 0o777 == 0o600 for name in private)
