"""The settings of local training. Chapter "Learning together"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from fairfl.schedules import Schedule


@dataclass(frozen=True)
class LocalTraining:
    """Minibatch training on the agent's own samples, from the model that it downloaded last.

    Args:
        lr: learning rate eta_t.
        epochs: passes over the samples in a round, >= 1.
        batch_size: samples a step; None for all at once. With ``epochs=1`` that is the paper's single step
            Delta w_i = -eta_t grad F_i(w_i), Sec. 3.1.
        decay_per: "round" changes the learning rate after each round, "epoch" after each local epoch.
        optimizer: "sgd" or "adam". Adam's moments start anew in each round: an agent that continues from another
            model has no use for the old ones, and nothing but models passes from round to round.
        precision: "bfloat16" computes forward and backward passes in that type where torch's autocast deems it safe;
            weights and updates keep their own. None: all in the network's type. A network in float64, which autocast
            would leave as it is, is refused by `Federation`.

    Raises:
        ValueError: a number below 1 or an unknown name.
    """

    lr: Schedule = Schedule(0.1)
    epochs: int = 1
    batch_size: int | None = 32
    decay_per: str = "round"
    optimizer: str = "sgd"
    precision: str | None = None

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, not {self.epochs}")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1 or None, not {self.batch_size}")
        if self.decay_per not in ("round", "epoch"):
            raise ValueError(f"unknown decay_per {self.decay_per!r}; known are 'round' and 'epoch'")
        if self.optimizer not in ("sgd", "adam"):
            raise ValueError(f"unknown optimizer {self.optimizer!r}; known are 'sgd' and 'adam'")
        if self.precision not in (None, "bfloat16"):
            raise ValueError(f"unknown precision {self.precision!r}; known are 'bfloat16' and None")

    def rate(self, t: int, epoch: int = 0) -> float:
        """The learning rate in local epoch 0, 1, ... of round t = 1, 2, ..."""
        return self.lr(t) if self.decay_per == "round" else self.lr((t - 1) * self.epochs + epoch + 1)

    def batches(self, samples: int, generator: torch.Generator) -> Iterator[tuple[int, Tensor]]:
        """(epoch, indices) of each step: ceil(n / batch_size) steps an epoch, each sample once an epoch, shuffled."""
        for epoch in range(self.epochs):
            order = torch.randperm(samples, generator=generator)
            for indices in order.split(self.batch_size or samples):
                yield epoch, indices
