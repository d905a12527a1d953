"""What the server is given in a round: what was trained, or what an agent that cheats
puts in its place."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from fairfl.attacks import Attack, Sight
from fairfl.history import History, Snapshot
from fairfl.participation import Turn
from fairfl.partition import Agent
from fairfl.payments import Reward


class UpdateError(ValueError):
    """What `agent` uploaded in `round` cannot be aggregated; `history` is what
    `Federation.run` recorded before."""

    def __init__(self, agent: str, t: int, what: str) -> None:
        super().__init__(f"the update of agent {agent!r} in round {t} {what}")
        self.agent, self.round = agent, t
        self.history: History | None = None


def arriving(train: Callable[[Tensor, Tensor, Sequence[Agent]], tuple[Tensor, Tensor]],
             last: Snapshot, turn: Turn, agents: Sequence[Agent]
            ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """The updates that arrive in the round after `last`, (N, D), 0 of the absent; all
    agents' buffers, (N, B); and, by key, the updates that are late. ValueError if
    `train`, given the models of those who train, returns updates of another shape."""

    def trained(some: Any) -> tuple[Tensor, Tensor]:
        models = last.models[some]
        found = train(models, last.buffers[some], [agents[i] for i in turn.trains])
        if found[0].shape != models.shape:
            raise ValueError(
                f"local training returned updates of shape {tuple(found[0].shape)} for "
                f"models of shape {tuple(models.shape)}")
        return found

    if len(turn.trains) == len(agents) and not turn.late:
        return *trained(slice(None)), {}  # without copies
    updates, buffers = torch.zeros_like(last.models), last.buffers.clone()
    if turn.trains:
        updates[turn.trains], buffers[turn.trains] = trained(turn.trains)
    late = {agents[i].key: updates[i].clone() for i in turn.late}
    updates[turn.late] = 0
    for i, agent in enumerate(agents):
        if agent.key in last.late:
            updates[i] = last.late[agent.key]
    return updates, buffers, late


def fault(update: Tensor) -> str | None:
    """What is wrong with an update's entries, in words."""
    # A sum is NaN or infinite if an entry is, and six times as fast; it may also just
    # be too large
    if update.sum().isfinite() or update.isfinite().all():
        return None
    return "holds NaN or infinite entries; is the learning rate too high?"


def check_finite(keys: Sequence[str], last: Snapshot, updates: Tensor) -> None:
    """UpdateError if one of the updates (N, D) after `last` is NaN or infinite."""
    for key, upload in zip(keys, updates, strict=True):
        if what := fault(upload):
            raise UpdateError(key, last.t + 1, what)


def sent(keys: Sequence[str], last: Snapshot, reward: Reward, to: set[str]
         ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The last downloads of the agents whom attacks look at and the ones before those,
    after a round in which the agents `to` were sent this reward."""
    new = {key: reward.row(i) for i, key in enumerate(keys) if key in to}
    before = {key: old for key, old in last.downloads.items() if key in to}
    return {**last.downloads, **new}, {**last.earlier, **before}


def cheated(keys: Sequence[str], last: Snapshot, updates: Tensor,
            attacks: Mapping[str, Attack], seed: int, initial: Tensor) -> Tensor:
    """The uploads of the round after `last`, (N, D): those of `attacks` in the place of
    what their agents trained. ValueError if one is of another shape."""
    uploads = updates.clone() if attacks else updates
    trained = dict(zip(keys, updates, strict=True))
    for i, key in enumerate(keys):
        if key in attacks:
            upload = attacks[key].upload(Sight(
                key, last.t + 1, seed, updates[i], trained, last.models[i], initial,
                last.downloads.get(key), last.earlier.get(key)))
            if upload.shape != updates[i].shape:
                raise ValueError(
                    f"the attack of agent {key!r} uploads a tensor of shape "
                    f"{tuple(upload.shape)}, not {tuple(updates[i].shape)}")
            uploads[i] = upload
    return uploads
