"""What a run leaves behind."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from fairfl.mechanisms.base import State, Step

NOT_YET: Any = None  # what only a round makes


@dataclass(frozen=True)
class Snapshot:
    """A federation after round t (t = 0: before the first); enough to go on from."""

    t: int
    server: Tensor  # (D,) w_t
    models: Tensor  # (N, D) w_{i,t}
    buffers: Tensor  # (N, B) each agent's buffers
    state: State  # the mechanism's
    before: Tensor = NOT_YET  # (N, D) w_{i,t-1}; from here on None at t = 0
    updates: Tensor = NOT_YET  # (N, D) Delta w_{i,t}, as trained; 0 of the absent
    step: Step = NOT_YET  # aggregate, rewards, log of round t
    seconds: Mapping[str, float] = NOT_YET  # spent in "training" and in the "mechanism"
    uploads: Tensor = NOT_YET  # (N, D) updates, but of agents that cheat what they sent
    # (D,) the attackers' last downloads, by their names
    downloads: Mapping[str, Tensor] = field(default_factory=dict)
    # (D,) the downloads before those, of attackers that look at two
    earlier: Mapping[str, Tensor] = field(default_factory=dict)
    present: Tensor | None = None  # (N,) bool, whose update arrived; None: all always
    # (D,) by key, updates of round t that arrive a round late
    late: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def trained(self) -> Tensor:
        """The models after local training, w_{i,t-1} + Delta w_{i,t}, (N, D)."""
        return self.before + self.updates

    def bare(self) -> "Snapshot":
        """Without what the next round has no use for: the models before, the updates
        and the step, 2 N D numbers or more."""
        return replace(self, before=NOT_YET, updates=NOT_YET, step=NOT_YET,
                       uploads=NOT_YET)


class History:
    """The recorded quantities of a run, round by round.

    ``history["r"]`` are all recorded values, rounds first: (T, N) for one number an
    agent, (T,) for one number a round; ``history.rounds("r")`` when they were recorded.
    `keys` are the agents' names, in the order of the columns, `last` is the snapshot
    after the last round, to go on from; it is no part of `to_dict`.
    """

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.keys = tuple(keys)
        self.last: Snapshot | None = None
        self._series: dict[str, dict[int, Tensor]] = {}

    def add(self, snapshot: Snapshot, seen: Mapping[str, Tensor | float]) -> None:
        """Record what was seen after the round of `snapshot`."""
        for name, value in seen.items():
            value = torch.as_tensor(value).detach().cpu().clone()
            self._series.setdefault(name, {})[snapshot.t] = value
        self.last = snapshot

    @property
    def names(self) -> tuple[str, ...]:
        """What was recorded."""
        return tuple(self._series)

    def _of(self, name: str) -> dict[int, Tensor]:
        if name not in self._series:
            raise KeyError(f"nothing is recorded under {name!r}; recorded are "
                           f"{', '.join(self.names) or 'none'}")
        return self._series[name]

    def __getitem__(self, name: str) -> Tensor:
        return torch.stack(list(self._of(name).values()))

    def rounds(self, name: str) -> Tensor:
        """The rounds t in which `name` was recorded, (T,) int64."""
        return torch.tensor(list(self._of(name)))

    def until(self, t: int) -> "History":
        """The part up to round t, without `last`."""
        part = History(self.keys)
        for name, values in self._series.items():
            if early := {round: value for round, value in values.items() if round <= t}:
                part._series[name] = early
        return part

    def to_dict(self, digits: int | None = None) -> dict:
        """Plain lists and numbers, for JSON: undefined values become None, infinite
        ones "inf" and "-inf". `digits`: significant ones to keep; all."""
        series = {name: {"rounds": list(values),
                         "values": [_plain(value, digits) for value in values.values()]}
                  for name, values in self._series.items()}
        return {"agents": list(self.keys), "series": series}

    @classmethod
    def from_dict(cls, plain: Mapping) -> "History":
        """The inverse of `to_dict`, without `last`; floating-point numbers come back as
        float64. Raises ValueError if the mapping is not what `to_dict` writes."""
        try:
            history = cls(tuple(plain["agents"]))
            for name, series in plain["series"].items():
                values = [_tensor(value) for value in series["values"]]
                history._series[name] = dict(zip(series["rounds"], values, strict=True))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"not the dictionary of a history: {error!r}") from error
        return history


def _plain(value: Tensor, digits: int | None) -> list | float | int | str | None:
    if value.ndim:
        return [_plain(entry, digits) for entry in value]
    number = value.item()
    if not math.isfinite(number):
        return None if math.isnan(number) else str(number)  # "inf", "-inf"
    rounded = digits and isinstance(number, float)
    return float(f"{number:.{digits}g}") if rounded else number


def _tensor(value: list | float | int | str | None) -> Tensor:
    entries = value if isinstance(value, list) else [value]
    if any(isinstance(entry, list) for entry in entries):
        return torch.stack([_tensor(entry) for entry in entries])
    whole = all(isinstance(entry, int) for entry in entries)
    numbers = [math.nan if e is None else e if whole else float(e) for e in entries]
    flat = torch.tensor(numbers, dtype=torch.int64 if whole else torch.float64)
    return flat if isinstance(value, list) else flat[0]
