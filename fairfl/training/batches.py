"""One step an epoch, on what is left over. Chapter "The paper and its code"."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from fairfl import _checks
from fairfl.training.local import LocalTraining


@dataclass(frozen=True)
class LastBatch(LocalTraining):
    """Goes through all batches of an epoch, and takes a step on the last one only, as
    the authors' published code did until September 2024.

    The last batch holds what is left over, see `left_over`, and is drawn anew in each
    epoch. Settings of a record cannot hold this.
    """

    def batches(self, samples: int, generator: torch.Generator
               ) -> Iterator[tuple[int, Tensor]]:
        """(epoch, indices) of the last batch of each epoch; draws what
        `LocalTraining.batches` draws."""
        last = dict(super().batches(samples, generator))  # of each epoch the last stays
        yield from last.items()


def left_over(samples: int, batch_size: int | None) -> int:
    """How many samples the last batch of an epoch holds: n - B (ceil(n / B) - 1), from
    1 to B; all n without batches.

    Raises:
        ValueError: a number below 1.
    """
    _checks.whole(samples=samples, batch_size=1 if batch_size is None else batch_size)
    return samples if batch_size is None else (samples - 1) % batch_size + 1
