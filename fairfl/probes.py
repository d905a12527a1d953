"""What to record after a round. A probe is a function of the federation and a snapshot;
it must not change either.

Losses and accuracies take time; ``every(10, probes.test_accuracy)`` takes one in every
tenth round. A probe whose set is missing, or whose accuracy is not defined (see
`LocalTraining`), raises ValueError. Figures and equations are
those of Xu et al. (2021).
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from fairfl import _checks, cgsv, evaluation, rewards
from fairfl._inputs import LACKS
from fairfl.federation import Federation, Probe
from fairfl.history import Snapshot

Found = Mapping[str, Tensor]


def log(federation: Federation, snapshot: Snapshot) -> Found:
    """What the mechanism logs; for CGSV psi, r, q and the weights used, (N,) each, eqs.
    (3) to (5)."""
    return snapshot.step.log


def download(federation: Federation, snapshot: Snapshot) -> Found:
    """How good the rewards are: cosine and distance of v_i to u_N, (N,) each (Fig. 5),
    and |u_N|. The cosine is 0 where an agent downloads nothing."""
    total = snapshot.step.aggregate.double()
    cosines, distances = [], []
    for i in range(len(snapshot.models)):
        v = snapshot.step.reward.row(i).double()
        lengths = v.norm() * total.norm()
        cosines.append(v @ total / lengths if lengths > 0 else lengths)
        distances.append((v - total).norm())
    return {"download_cosine": torch.stack(cosines),
            "download_distance": torch.stack(distances),
            "aggregate_norm": total.norm()}


def server_distance(federation: Federation, snapshot: Snapshot) -> Found:
    """|w_{i,t} - w_t| of the whole model (Fig. 2, left) and of its last layer (Fig. 6),
    (N,) each, and the line of Fig. 2, |w_t - w_0|."""
    layout = federation.layout
    last = layout.layers[layout.names[-1].rpartition(".")[0] or layout.names[-1]]
    server = snapshot.server.double()
    gaps = [model.double() - server for model in snapshot.models]
    return {"server_distance": torch.stack([gap.norm() for gap in gaps]),
            "last_layer_distance": torch.stack([gap[last].norm() for gap in gaps]),
            "server_travel": (server - federation.initial.double()).norm()}


def cosines(federation: Federation, snapshot: Snapshot) -> Found:
    """Cosines between the uploads, (N, N), 0 for an update of zero. With the logged
    weights r they are all that values depend on: the Gram matrix of the r_i u_i is
    r_i r_j cos_ij (`cgsv`)."""
    return {"cosines": cgsv.gram(rewards.normalise(snapshot.uploads, 1.0)).cpu()}


def union_loss(federation: Federation, snapshot: Snapshot) -> Found:
    """F(w_{i,t}) and F(w_t): mean loss on all agents' samples with the labels they hold
    (Fig. 2, right; Theorem 2)."""
    loss, server = _agents_and_server(federation, snapshot, *_union(federation), 0)
    return {"union_loss": loss, "server_union_loss": server}


def shard_losses(federation: Federation, snapshot: Snapshot) -> Found:
    """F_j(w_{i,t}), (N, N): the model of agent i (row) on the samples of agent j
    (column) with the labels it holds; and F_j(w_t), (N,). Times p, the shares of all
    samples, the matrix is the `union_loss`; times r_t, what the authors' main.py
    writes. Its diagonal is the `own_loss`."""
    found = [_agents_and_server(federation, snapshot, agent.x, agent.y, 0)
             for agent in federation.agents]
    losses, server = zip(*found, strict=True)
    return {"shard_losses": torch.stack(losses, 1),
            "server_shard_losses": torch.stack(server)}


def true_loss(federation: Federation, snapshot: Snapshot) -> Found:
    """As `union_loss`, with the labels from before `partition.label_noise`: how well
    the models fit what is true, which no weights can bend."""
    x, y = _union(federation, "true_y")
    loss, server = _agents_and_server(federation, snapshot, x, y, 0)
    return {"true_loss": loss, "server_true_loss": server}


def server_gradient(federation: Federation, snapshot: Snapshot) -> Found:
    """|grad F(w_t)|, F as in `union_loss`: how near to a stationary point the server is
    (Theorem 2)."""
    federation.check_measured()
    x, y = _union(federation)
    found = evaluation.gradient(
        federation.module, snapshot.server, snapshot.buffers.mean(0), x, y,
        federation.local.loss)
    return {"server_gradient": found.norm().cpu()}


def own_loss(federation: Federation, snapshot: Snapshot) -> Found:
    """F_i(w_{i,t}): each agent's loss on its own samples, (N,)."""
    return {"own_loss": federation.own_losses(snapshot.models, snapshot.buffers)}


def test_accuracy(federation: Federation, snapshot: Snapshot) -> Found:
    """Accuracy in [0, 1] on the test set: of the agents' models, (N,), and w_t's."""
    x, y = _judged(federation, "test", "test_accuracy")
    accuracy, server = _agents_and_server(federation, snapshot, x, y, 1)
    return {"test_accuracy": accuracy, "server_test_accuracy": server}


def test_results(federation: Federation, snapshot: Snapshot) -> Found:
    """What `test_accuracy` and `trained_test_accuracy` give, where that is defined, and
    the losses with them; equal models are evaluated once."""
    n, mean = len(snapshot.models), snapshot.buffers.mean(0, keepdim=True)
    models = torch.cat([snapshot.models, snapshot.server[None], snapshot.trained])
    buffers = torch.cat([snapshot.buffers, mean, snapshot.buffers])
    x, y = _set(federation, "test", "test_results")
    loss, accuracy = _distinct(federation, models, buffers, x, y)
    found: dict[str, Tensor] = {}
    both = {"test_accuracy": accuracy, "test_loss": loss}
    if federation.accuracy is None:
        del both["test_accuracy"]
    for name, values in both.items():
        found |= {name: values[:n], f"server_{name}": values[n]}
        found[f"trained_{name}"] = values[n + 1 :]
    return found


def validation_accuracy(federation: Federation, snapshot: Snapshot) -> Found:
    """Accuracy in [0, 1] of the agents' models on the validation set, (N,): what
    settings may be chosen by."""
    x, y = _judged(federation, "validation", "validation_accuracy")
    accuracy = _distinct(federation, snapshot.models, snapshot.buffers, x, y)[1]
    return {"validation_accuracy": accuracy}


def lengths(federation: Federation, snapshot: Snapshot) -> Found:
    """|Delta w_{i,t}| as uploaded, (N,), and |u_{N,t}|: how far both sides go."""
    total = snapshot.step.aggregate[None]
    return {"update_norm": rewards.norms(snapshot.uploads),
            "aggregate_norm": rewards.norms(total)[0]}


def trained_test_accuracy(federation: Federation, snapshot: Snapshot) -> Found:
    """The same of the agents' models after local training, before the download:
    w_{i,t-1} + Delta w_{i,t}, (N,): the other of two conventions, see "The
    competition". Equal downloads make equal models, which training sets apart again."""
    x, y = _judged(federation, "test", "trained_test_accuracy")
    accuracy = federation.evaluate(snapshot.trained, x, y, snapshot.buffers)[1]
    return {"trained_test_accuracy": accuracy}


def _union(federation: Federation, labels: str = "y") -> tuple[Tensor, Tensor]:
    """All agents' samples, and the labels they hold, or those before label noise."""
    shapes = {tuple(agent.x.shape[1:]) for agent in federation.agents}
    if len(shapes) > 1:
        raise ValueError("losses on all agents' samples need samples of one shape, not "
                         f"{' and '.join(map(str, sorted(shapes)))}")
    x, y = (torch.cat([getattr(agent, name) for agent in federation.agents])
            for name in ("x", labels))
    return x, y


def _set(federation: Federation, name: str, probe: str) -> tuple[Tensor, Tensor]:
    """The test or validation set; ValueError if the federation has none."""
    if getattr(federation, name) is None:
        raise ValueError(f"the probe {probe} needs a {name} set: "
                         f"Federation(..., {name}=(x, y))")
    return getattr(federation, name)


def _judged(federation: Federation, name: str, probe: str) -> tuple[Tensor, Tensor]:
    """As `_set`; ValueError, too, if accuracy is not defined."""
    if federation.accuracy is None:
        federation.check_measured()
        raise ValueError(f"the probe {probe} needs an accuracy, which {LACKS}")
    return _set(federation, name, probe)


def _agents_and_server(federation: Federation, snapshot: Snapshot, x: Tensor, y: Tensor,
                       which: int) -> tuple[Tensor, Tensor]:
    """Loss (which=0) or accuracy (which=1) of the N agents and of the server."""
    models = torch.cat([snapshot.models, snapshot.server[None]])
    buffers = torch.cat([snapshot.buffers, snapshot.buffers.mean(0, keepdim=True)])
    values = _distinct(federation, models, buffers, x, y)[which]
    return values[:-1], values[-1]


def _distinct(federation: Federation, models: Tensor, buffers: Tensor, x: Tensor,
              y: Tensor) -> tuple[Tensor, Tensor]:
    """`Federation.evaluate`, equal models once: often some agents, or all, hold what
    the server holds."""
    first: list[int] = []  # for each model, the first that equals it
    for i, (model, own) in enumerate(zip(models, buffers, strict=True)):
        same = (j for j in set(first)
                if torch.equal(model, models[j]) and torch.equal(own, buffers[j]))
        first.append(next(same, i))
    distinct = sorted(set(first))
    back = [distinct.index(j) for j in first]
    loss, accuracy = federation.evaluate(models[distinct], x, y, buffers[distinct])
    return loss[back], accuracy[back]


def every(k: int, probe: Probe, last: int | None = None, first: bool = True) -> Probe:
    """The same probe in rounds k, 2k, ... and `last`, and in round 1 if `first`."""
    _checks.whole(k=k)
    ends = (1, last) if first else (last,)

    def some_rounds(federation: Federation, snapshot: Snapshot) -> Found:
        due = snapshot.t in ends or snapshot.t % k == 0
        return probe(federation, snapshot) if due else {}

    return some_rounds
