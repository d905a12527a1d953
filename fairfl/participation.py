"""Who takes part in which round, and whose update arrives late."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fairfl import _checks
from fairfl.randomness import generator
from fairfl.schedules import Schedule, schedule

Chooses = Callable[[int, str], bool]  # from round and key


class Turn(NamedTuple):
    """What the agents do in a round, in their order."""

    trains: list[int]  # who trains
    late: list[int]  # whose update of this round arrives in the next
    present: Tensor  # (N,) bool, whose update arrives in this round


@dataclass(frozen=True)
class Participation:
    """Agents that come to some rounds only. `mechanisms.presence` says what absence
    means for the values and the pay.

    An update that is late arrives a round after it was trained. In between its agent is
    absent and keeps its model; then it is present with that update, trains none, and is
    paid. What is late when a run ends never arrives.

    Args:
        present: the probability that an agent comes, in (0, 1]; or a `Schedule` of it,
            where what is above 1 counts as 1; or a function of round and key that says
            whether it comes.
        late: the probability that the update of one that came is late, in [0, 1]; or
            such a function.
    """

    present: Schedule | float | Chooses = 1.0
    late: float | Chooses = 0.0

    def __post_init__(self) -> None:
        present: Any = self.present
        if isinstance(present, Mapping):  # of a record
            present = Schedule(**present)
        if not callable(present):
            _checks.within(0, 1, participation=present)
            present = schedule("participation", present)
        object.__setattr__(self, "present", present)
        if not callable(self.late):
            _checks.within(0, 1, late=self.late)

    @classmethod
    def of(cls, value: "Participation | Schedule | float | Chooses | None"
          ) -> "Participation":
        """`value` as a participation: a number, schedule or function says who is
        present; None: everybody."""
        if isinstance(value, Participation):
            return value
        return cls() if value is None else cls(value)

    @property
    def everybody(self) -> bool:
        """Whether all agents come to all rounds in time."""
        return self == Participation()

    def turn(self, t: int, keys: Sequence[str], seed: int, under_way: Collection[str]
            ) -> Turn:
        """Round t of the agents with these keys, drawn for each by itself. `under_way`:
        those whose update of the round before is late."""
        trains, late, present = [], [], []
        for i, key in enumerate(keys):
            draws = generator(seed, "participation", key, t)
            comes = key not in under_way and _says(self.present, t, key, draws)
            behind = comes and _says(self.late, t, key, draws)
            trains += [i] * comes
            late += [i] * behind
            present.append(key in under_way or comes and not behind)
        return Turn(trains, late, torch.tensor(present))


def _says(what: Schedule | float | Chooses, t: int, key: str, draws: torch.Generator
         ) -> bool:
    """Whether it happens to agent `key` in round t; a number is always drawn for."""
    draw = torch.rand(1, generator=draws, dtype=torch.float64).item()
    if isinstance(what, Schedule):
        return draw < what(t)
    return bool(what(t, key)) if callable(what) else draw < what
