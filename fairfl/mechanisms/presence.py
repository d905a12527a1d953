"""A round in which agents are absent, and agents that come and go.

One rule for every mechanism: those present make a round of their own, as a federation
of their own would, with the weights that they hold brought to sum 1; then the state is
put together again (`Mechanism.merged`). Who is absent has no value, keeps its moving
average to the bit, adds nothing to the sum and is paid nothing. So those present move
only what they hold among each other, and one that is alone moves nothing. Where nobody
is present, nothing changes.
"""

from dataclasses import replace

import torch
from torch import Tensor

from fairfl.mechanisms.base import Mechanism, Round, Setting, State, Step, shared
from fairfl.payments import Nothing, ToSome

NOTHING = ("weights", "q")  # in a log: 0 for the absent; other entries have no value


def step(mechanism: Mechanism, state: State, round: Round, setting: Setting
        ) -> tuple[State, Step]:
    """What `mechanism.apply` answers, of the agents that are present; to the bit that
    if all are. In the log the absent have the weight 0 and the quota 0, what the state
    says of them (`Mechanism.standing`), and else NaN.

    ValueError: the updates are not one for each agent that is present.
    """
    present, n = round.present, len(setting.keys)
    if present is None:
        present = torch.ones(n, dtype=torch.bool)
    if present.shape != (n,) or len(round.updates) != present.sum():
        raise ValueError(f"{len(round.updates)} updates do not fit {n} agents of which "
                         f"{present.tolist()} are present")
    if present.all():
        return mechanism.apply(state, round, setting)
    if not present.any():
        still = round.updates.new_zeros(setting.dimension)
        log = {"q": torch.zeros(n, dtype=torch.int64)}
        return state, Step(still, Nothing(still, n),
                           {**mechanism.standing(state, round.t), **log})
    part, found = mechanism.apply(among(mechanism, state, present),
                                  replace(round, present=None), setting.among(present))
    new = mechanism.merged(state, part, present)
    log = {name: _whole(name, value, present) for name, value in found.log.items()}
    log |= mechanism.standing(new, round.t)
    reward = ToSome(found.reward, found.aggregate, present)
    return new, Step(found.aggregate, reward, log)


def among(mechanism: Mechanism, state: State, present: Tensor) -> State:
    """The state of those agents only, with `shares` brought to sum 1."""
    part = dict(state)
    for name in mechanism.rows(state):
        rows = state[name][present]
        part[name] = rows / shared(rows) if name in mechanism.shares else rows
    return part


def _whole(name: str, value: Tensor, present: Tensor) -> Tensor:
    """An entry of the log with the rows of those present in their places."""
    if value.shape[:1] != (int(present.sum()),):
        return value
    absent = 0 if name in NOTHING else float("nan")
    whole = torch.full((len(present), *value.shape[1:]), absent,
                       dtype=value.dtype if name in NOTHING else torch.float64)
    whole[present] = value.cpu().to(whole.dtype)
    return whole
