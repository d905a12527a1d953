"""What the server is given in a round: what was trained, or what an agent that cheats
puts in its place."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from fairfl.attacks import Attack, Sight
from fairfl.history import History, Snapshot


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


def check_finite(keys: Sequence[str], last: Snapshot, updates: Tensor) -> None:
    """That the updates (N, D) of the round after `last` can be summed.

    Raises:
        UpdateError: one is NaN or infinite.
    """
    for key, upload in zip(keys, updates, strict=True):
        # A sum is NaN or infinite if an entry is, and six times as fast; it may also
        # just be too large
        if not upload.sum().isfinite() and not upload.isfinite().all():
            raise UpdateError(key, last.t + 1, "holds NaN or infinite entries; is the "
                                               "learning rate too high?")


def cheated(keys: Sequence[str], last: Snapshot, updates: Tensor,
            attacks: Mapping[str, Attack], seed: int, initial: Tensor) -> Tensor:
    """The uploads of the round after `last`, (N, D): those of `attacks` in the place of
    what their agents trained.

    Raises:
        ValueError: an attack uploads something of another shape.
    """
    uploads = updates.clone() if attacks else updates
    trained = dict(zip(keys, updates, strict=True))
    for i, key in enumerate(keys):
        if key in attacks:
            upload = attacks[key].upload(Sight(
                key, last.t + 1, seed, updates[i], trained, last.models[i], initial,
                last.downloads.get(key)))
            if upload.shape != updates[i].shape:
                raise ValueError(
                    f"the attack of agent {key!r} uploads a tensor of shape "
                    f"{tuple(upload.shape)}, not {tuple(updates[i].shape)}")
            uploads[i] = upload
    return uploads
