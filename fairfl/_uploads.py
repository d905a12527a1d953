"""What the server is given in a round: what was trained, or what an agent that cheats
puts in its place."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from fairfl.attacks import Attack, Sight
from fairfl.history import History, Snapshot


class UpdateError(ValueError):
    """What `agent` uploaded in `round` cannot be aggregated; `history` is what
    `Federation.run` recorded before."""

    def __init__(self, agent: str, t: int, what: str) -> None:
        super().__init__(f"the update of agent {agent!r} in round {t} {what}")
        self.agent, self.round = agent, t
        self.history: History | None = None


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
                last.downloads.get(key)))
            if upload.shape != updates[i].shape:
                raise ValueError(
                    f"the attack of agent {key!r} uploads a tensor of shape "
                    f"{tuple(upload.shape)}, not {tuple(updates[i].shape)}")
            uploads[i] = upload
    return uploads
