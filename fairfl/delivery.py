"""What the server sends after a round, and how it is added once and no more."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fairfl._arrays import like
from fairfl.mechanisms.base import Step


@dataclass(frozen=True)
class Download:
    """What one agent downloads after one round. Plain data: an agent makes it anew from
    what was sent, ``Download(round, kind, indices, values)``.

    "nothing" has neither indices nor values. "sparse": `values` (q,) of the aggregate
    at `indices` (q,) int64. "all": `values` is the aggregate (D,). "own": the agent
    adds its own update, nothing is sent. "model": `values` (D,) is the server's model,
    which the agent's becomes. "vector": `values` (D,) is to be added.
    """

    round: int  # t, in which it was earned
    kind: str  # see `payments.Reward.kind`
    indices: Tensor | None = None
    values: Tensor | None = None

    def apply(self, model, last: int = 0, own=None):
        """The model (D,) with this download, a new array of numpy or torch as `model`
        is; unchanged if the round is not after `last`, the round of the latest download
        that was added before. So none is added twice, however often it is sent.

        Args:
            own: (D,) the agent's update in this round; "own" needs it.
        """
        new = torch.as_tensor(model).clone()
        if self.round > last and self.kind != "nothing":
            values = own if self.kind == "own" else self.values
            if values is None:
                raise ValueError(f"the download of round {self.round} is the agent's "
                                 "own update in it: pass that as own=")
            values = torch.as_tensor(values).to(new)
            if self.kind == "model":
                new.copy_(values)
            elif self.kind == "sparse":
                new[torch.as_tensor(self.indices).to(new.device)] += values
            else:
                new += values
        return like(new, model)


class Answer(Mapping[str, Download]):
    """What the server does after round t: each agent's download, by its key.

    A download is made when it is asked for, so that few exist at a time.
    """

    def __init__(self, t: int, keys: tuple[str, ...], step: Step, server: Tensor | None,
                 refused: Mapping[str, str]) -> None:
        self.t = t
        self.step = step  # of the mechanism: aggregate, reward and log
        self.refused = refused  # why an agent's update was left out, by its key
        self._place = {key: i for i, key in enumerate(keys)}
        self._server = server

    @property
    def log(self) -> Mapping[str, Tensor]:
        """What the mechanism logs, (N,) each, in the order of the keys."""
        return self.step.log

    def __getitem__(self, key: str) -> Download:
        i, reward = self._place[key], self.step.reward
        kind = reward.kind(i)
        if kind == "sparse":
            return Download(self.t, kind, *reward.sparse(i))
        values = {"all": self.step.aggregate, "model": self._server}.get(kind)
        values = reward.row(i) if kind == "vector" else values
        return Download(self.t, kind, values=values)

    def dense(self, key: str) -> Tensor:
        """The download as a vector to add, (D,), of any kind."""
        return self.step.reward.row(self._place[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._place)

    def __len__(self) -> int:
        return len(self._place)
