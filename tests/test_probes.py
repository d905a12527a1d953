"""Probes against the snapshot's own vectors, worked out with other means."""

from dataclasses import replace

import pytest
import torch

from fairfl import cgsv, datasets, models, partition, probes
from fairfl.federation import Federation
from fairfl.mechanisms import CGSV
from fairfl.randomness import generator


@pytest.fixture(scope="module")
def run():
    data = datasets.load("digits")
    agents = partition.power_law(data, agents=3, size=40, seed=0)

    def train(module, models, buffers, agents, local, t, seed):
        """Updates without zeros (dead units leave many in real ones): agent 1 is all
        noise, the others agree."""
        noise, common = torch.randn(
            2, 3, 18_346, generator=generator(seed, "noise", t), dtype=torch.float64
        )
        return noise + torch.tensor(
            [[0.1], [1.0], [2.0]], dtype=torch.float64
        ) * common[0], buffers

    fed = Federation(
        agents,
        models.build("digits_cnn", seed=0),
        CGSV(),
        test=(data.test_x, data.test_y),
        train=train,
    )
    return fed, list(fed.rounds(4))[-1]


def test_distances_to_the_server(run):
    fed, snapshot = run
    seen = probes.server_distance(fed, snapshot)
    torch.testing.assert_close(
        seen["server_distance"],
        torch.cdist(snapshot.models, snapshot.server[None])[:, 0],
    )
    tail = slice(18_346 - 650, None)  # the last layer: 64 * 10 weights and 10 biases
    last = (snapshot.models[:, tail] - snapshot.server[tail]).norm(dim=1)
    torch.testing.assert_close(seen["last_layer_distance"], last)
    assert 0 < seen["last_layer_distance"][0] < seen["server_distance"][0]
    assert seen["server_travel"].item() == pytest.approx(
        torch.dist(snapshot.server, fed.initial).item()
    )


def test_downloads(run):
    fed, snapshot = run
    seen = probes.download(fed, snapshot)
    total = snapshot.step.aggregate
    for i, cosine in enumerate(seen["download_cosine"]):
        v = snapshot.step.reward.row(i)
        assert cosine.item() == pytest.approx(
            v.norm().item() / total.norm().item()
        )  # a projection
        assert seen["download_distance"][i].item() == pytest.approx(
            torch.dist(v, total).item()
        )
        # Pythagoras
        assert (
            cosine**2 + (seen["download_distance"][i] / total.norm()) ** 2
        ).item() == pytest.approx(1)
    assert seen["aggregate_norm"].item() == pytest.approx(total.norm().item())


def test_losses_and_accuracies(run):
    fed, snapshot = run
    union, own = (
        probes.union_loss(fed, snapshot),
        probes.own_loss(fed, snapshot)["own_loss"],
    )
    # F is the size-weighted mean of the agents' losses, for one model.
    parts = torch.stack(
        [
            fed.evaluate(snapshot.server[None], agent.x, agent.y)[0][0]
            for agent in fed.agents
        ]
    )
    assert union["server_union_loss"].item() == pytest.approx(
        (fed.setting.size_shares @ parts).item()
    )
    third = fed.evaluate(snapshot.models[2:], fed.agents[2].x, fed.agents[2].y)[0]
    assert own[2].item() == pytest.approx(third.item())
    best = snapshot.step.log["q"].argmax()
    assert union["union_loss"][best].item() == pytest.approx(
        union["server_union_loss"].item()
    )
    accuracy = probes.test_accuracy(fed, snapshot)
    network = models.build("digits_cnn", seed=0)
    torch.nn.utils.vector_to_parameters(snapshot.models[0], network.parameters())
    right = (network(fed.test[0]).argmax(1) == fed.test[1]).double().mean()
    assert accuracy["test_accuracy"][0].item() == pytest.approx(right.item())
    assert accuracy["server_test_accuracy"].item() == pytest.approx(
        accuracy["test_accuracy"][best].item()
    )


def test_losses_on_each_shard_give_all_weightings(run):
    """Rows are models, columns shards: times the size shares it is F, times one agent's
    weight alone that agent's loss, on the diagonal its own."""
    fed, snapshot = run
    seen, union = probes.shard_losses(fed, snapshot), probes.union_loss(fed, snapshot)
    losses, server = seen["shard_losses"], seen["server_shard_losses"]
    shares = fed.setting.size_shares
    torch.testing.assert_close(losses @ shares, union["union_loss"])
    torch.testing.assert_close(server @ shares, union["server_union_loss"])
    torch.testing.assert_close(
        losses.diagonal(), probes.own_loss(fed, snapshot)["own_loss"]
    )
    last = fed.agents[2]
    wanted = fed.evaluate(snapshot.models[:1], last.x, last.y)[0]
    torch.testing.assert_close(losses[:1, 2], wanted)


def test_the_loss_on_true_labels_is_that_of_agents_without_noise():
    data = datasets.load("digits")
    clean = partition.uniform(data, agents=2, size=40, seed=0)
    noisy = partition.label_noise(clean, (0.6, 0.0), data.classes, seed=0)
    noisy = partition.label_noise(noisy, (0.0, 0.3), data.classes, seed=1)  # on top
    one, other = (
        Federation(agents, models.build("digits_cnn", seed=0), CGSV())
        for agents in (noisy, clean)
    )
    snapshot = next(iter(one.rounds(1)))
    seen, wanted = probes.true_loss(one, snapshot), probes.union_loss(other, snapshot)
    assert seen["true_loss"].tolist() == wanted["union_loss"].tolist()
    assert seen["server_true_loss"] == wanted["server_union_loss"]
    held = probes.union_loss(one, snapshot)["union_loss"]
    assert (held - seen["true_loss"]).abs().min() > 1e-3
    without = probes.true_loss(other, snapshot)["true_loss"]  # no noise: what they hold
    assert without.tolist() == wanted["union_loss"].tolist()


def test_the_gradient_at_the_server(run):
    """Against differences of F along the gradient and across it, and against the probe
    of the losses."""
    fed, snapshot = run
    found = probes.server_gradient(fed, snapshot)["server_gradient"].item()
    x, y = (
        torch.cat([getattr(agent, name) for agent in fed.agents]) for name in ("x", "y")
    )
    network = models.build("digits_cnn", seed=0)
    torch.nn.utils.vector_to_parameters(snapshot.server.clone(), network.parameters())
    torch.nn.functional.cross_entropy(network(x), y).backward()
    slope = torch.cat([p.grad.reshape(-1) for p in network.parameters()])
    assert found == pytest.approx(slope.norm().item())
    step = 1e-6 * slope / slope.norm()
    there, back = (
        probes.union_loss(fed, replace(snapshot, server=snapshot.server + sign * step))[
            "server_union_loss"
        ]
        for sign in (1, -1)
    )
    assert ((there - back) / 2e-6).item() == pytest.approx(found, rel=1e-3)


def test_accuracy_after_local_training_is_before_the_download(run):
    fed, snapshot = run
    seen = probes.trained_test_accuracy(fed, snapshot)["trained_test_accuracy"]
    for i in range(3):
        trained = snapshot.models[i] - snapshot.step.reward.row(i) + snapshot.updates[i]
        assert seen[i].item() == pytest.approx(
            fed.evaluate(trained[None], *fed.test)[1].item(), abs=2e-3
        )
    assert not torch.equal(seen, probes.test_accuracy(fed, snapshot)["test_accuracy"])


def test_equal_models_are_evaluated_once_and_each_gets_its_own_number(run, monkeypatch):
    fed, snapshot = run
    models = torch.stack([snapshot.models[0], snapshot.server, snapshot.models[1]])
    some = replace(snapshot, models=models, buffers=snapshot.buffers)
    wanted = fed.evaluate(models, *fed.test)[1]
    asked, real = [], fed.evaluate
    monkeypatch.setattr(
        fed,
        "evaluate",
        lambda models, *args: asked.append(len(models)) or real(models, *args),
    )
    seen = probes.test_accuracy(fed, some)
    assert seen["test_accuracy"].tolist() == wanted.tolist()
    assert seen["server_test_accuracy"] == wanted[1] and asked == [3]


def test_some_rounds_and_the_last(run):
    fed, snapshot = run
    probe = probes.every(4, lambda fed, snapshot: {"t": snapshot.t}, last=7)
    assert [t for t in range(1, 10) if probe(fed, replace(snapshot, t=t))] == [
        1,
        4,
        7,
        8,
    ]


def test_the_log_is_the_mechanisms(run):
    fed, snapshot = run
    assert set(probes.log(fed, snapshot)) == {"weights", "psi", "r", "q"}


def test_cosines_and_weights_give_all_values(run):
    fed, snapshot = run
    seen = probes.cosines(fed, snapshot)["cosines"]
    u = snapshot.updates
    torch.testing.assert_close(
        seen, torch.nn.functional.cosine_similarity(u[:, None], u[None], dim=2)
    )
    r = snapshot.step.log["weights"]
    torch.testing.assert_close(
        cgsv.psi(r[:, None] * r * seen), snapshot.step.log["psi"]
    )
