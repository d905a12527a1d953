"""Local training with an agent a thread: for networks on a CPU that keep a core busy.

See `fairfl._parallel` for why not all cores work on one agent.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fairfl import vectors
from fairfl._parallel import spread
from fairfl.models.methods import Restricting
from fairfl.partition import Agent
from fairfl.training import plain
from fairfl.training.local import LocalTraining


def train(module: nn.Module, models: Tensor, buffers: Tensor, agents: Sequence[Agent],
          local: LocalTraining, t: int, seed: int, workers: int | None = None
         ) -> tuple[Tensor, Tensor]:
    """The updates of all agents in round t, as `plain.train`; whatever the number of
    `workers` (threads, see `fairfl._parallel.spread`), the same numbers.

    The network must not draw from torch's global generators, which threads share. One
    with a method ``restrict(x)`` (`models.TextCNN`) is trained in the restricted form.
    """
    updates, trained_buffers = torch.zeros_like(models), buffers.clone()

    def one(i: int) -> None:
        own, x = copy.deepcopy(module).train(), agents[i].x
        entries: Tensor | slice = slice(None)
        vectors.load(own, models[i])
        vectors.load_buffers(own, buffers[i])
        if isinstance(own, Restricting) and not local.augment:  # which may add words
            own, x, entries = own.restrict(x)
        plain.descend(own, agents[i]._replace(x=x), local, t, seed, fused=True)
        own.zero_grad()  # frees the memory of the gradients
        if isinstance(entries, slice):
            vectors.flatten(own, updates[i]).sub_(models[i])
        else:
            updates[i, entries] = vectors.flatten(own).sub_(models[i, entries])
        trained_buffers[i] = vectors.buffers(own)

    spread(one, sorted(range(len(agents)), key=lambda i: -len(agents[i].y)), workers)
    return updates, trained_buffers
