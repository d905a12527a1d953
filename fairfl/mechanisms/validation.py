"""Updates judged by a validation set, for CFFL and ECI. Chapter "The competition"."""

from collections.abc import Iterable, Iterator
from itertools import islice

import torch
from torch import Tensor

from fairfl.mechanisms.base import Round, weighted_sum

HELD = 1 << 24  # entries of the models that are evaluated together: 128 MB in float64


def coalition_models(round: Round, u: Tensor, shares: Tensor, members: Iterable[Tensor]
                    ) -> Iterator[Tensor]:
    """What each coalition S alone would have made of the server's model, (D,):
    w_{t-1} + sum_S p_i u_i / sum_S p_i; `members` holds a boolean (N,) for each.
    """
    for inside in members:
        weights = shares * inside
        mean = weighted_sum(u, weights / weights.sum() if inside.any() else weights)
        yield (round.server + mean).to(u.dtype)


def accuracies(round: Round, models: Iterable[Tensor]) -> Tensor:
    """Validation accuracy of K models (D,), of which some exist at a time: (K,)."""
    together = max(1, HELD // len(round.server))
    left, found = iter(models), []
    while some := list(islice(left, together)):
        found.append(round.accuracy(torch.stack(some)).cpu().double())
    return torch.cat(found)
