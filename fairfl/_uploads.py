"""What the server is given in a round: what was trained, or what an agent that cheats
puts in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from fairfl.attacks import Sight
from fairfl.history import History, Snapshot

if TYPE_CHECKING:
    from fairfl.federation import Federation


class UpdateError(ValueError):
    """An agent uploaded something that cannot be aggregated.

    Attributes:
        agent: its key. round: the round t. history: what was recorded before, where
            `Federation.run` was running.
    """

    def __init__(self, agent: str, t: int, what: str) -> None:
        super().__init__(f"the update of agent {agent!r} in round {t} {what}")
        self.agent, self.round = agent, t
        self.history: History | None = None


def given(
    federation: Federation, last: Snapshot, updates: Tensor, cheats: set[str]
) -> Tensor:
    """The uploads of the round after `last`, (N, D): the updates, but for agents that
    cheat.

    Raises:
        ValueError: local training or an attack made something of another shape.
        UpdateError: an upload is NaN or infinite.
    """
    if updates.shape != last.models.shape:
        raise ValueError(
            f"local training returned updates of shape {tuple(updates.shape)} for "
            f"models of shape {tuple(last.models.shape)}")
    uploads = _cheated(federation, last, updates, cheats) if cheats else updates
    for key, upload in zip(federation.setting.keys, uploads, strict=True):
        # A sum is NaN or infinite if an entry is, and six times as fast; it may also
        # just be too large
        if not upload.sum().isfinite() and not upload.isfinite().all():
            raise UpdateError(key, last.t + 1, "holds NaN or infinite entries; is the "
                                               "learning rate too high?")
    return uploads


def _cheated(
    federation: Federation, last: Snapshot, updates: Tensor, cheats: set[str]
) -> Tensor:
    keys, uploads = federation.setting.keys, updates.clone()
    trained = dict(zip(keys, updates, strict=True))
    for i, key in enumerate(keys):
        if key in cheats:
            upload = federation.attacks[key].upload(Sight(
                key, last.t + 1, federation.seed, updates[i], trained, last.models[i],
                federation.initial, last.downloads.get(key)))
            if upload.shape != updates[i].shape:
                raise ValueError(
                    f"the attack of agent {key!r} uploads a tensor of shape "
                    f"{tuple(upload.shape)}, not {tuple(updates[i].shape)}")
            uploads[i] = upload
    return uploads
