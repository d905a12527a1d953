"""The settings of local training. Chapter "Learning together"."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fairfl import _checks
from fairfl.schedules import Schedule, schedule

Judge = Callable[[Tensor, Tensor], Tensor]  # of outputs and labels
FUNCTIONS = ("loss", "accuracy", "augment")  # the fields that no record can hold


@dataclass(frozen=True)
class LocalTraining:
    """Minibatch training on the agent's own samples, from the model it downloaded last.

    Args:
        lr: learning rate eta_t; a number is a constant.
        epochs: passes over the samples in a round, >= 1.
        batch_size: samples a step; None for all at once. With ``epochs=1`` that is the
            paper's single step Delta w_i = -eta_t grad F_i(w_i), Sec. 3.1.
        decay_per: "round" changes the learning rate after each round, "epoch" after
            each local epoch.
        optimizer: "sgd", "adam", or a function of (parameters, lr=...) that makes one,
            such as `torch.optim.AdamW`; groups of parameters with a rate of their own
            keep its ratio to `lr`. Moments start anew in each round: an agent that
            continues from another model has no use for the old ones, and nothing but
            models passes from round to round.
        precision: "bfloat16" computes forward and backward passes in that type where
            torch's autocast deems it safe; weights and updates keep float32. None: all
            in the network's type.
        last_batch: what happens to the samples that are left over when an epoch is
            dealt out in batches: "keep" takes a step on them, "drop" leaves them out
            (others in each epoch), "merge" adds them to the batch before; "only" takes
            a step on them and on no other batch, as the authors' published code did
            until September 2024. A single batch is kept. BatchNorm cannot train on a
            batch of one sample.
        loss: a function of outputs (n, ...) and labels (n, ...) that gives an entry a
            sample, (n, ...), or one number, taken for the mean of these samples; F_i is
            the mean of all entries. None: cross-entropy.
        accuracy: a function as `loss`, of numbers in [0, 1]. None: the share of samples
            whose largest output is that of their label, for a classifier only.
        augment: a function of samples (n, ...) and a generator on the CPU, that gives
            as many samples. It is called on each batch in training; the generator is
            that of the agent and round.

    Raises:
        ValueError: a number below 1, an unknown name, or no function where one belongs.
    """

    lr: Schedule = Schedule(0.1)
    epochs: int = 1
    batch_size: int | None = 32
    decay_per: str = "round"
    optimizer: str | Callable[..., torch.optim.Optimizer] = "sgd"
    precision: str | None = None
    last_batch: str = "keep"
    loss: Judge | None = None
    accuracy: Judge | None = None
    augment: Callable[[Tensor, torch.Generator], Tensor] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "lr", schedule("lr", self.lr))
        _checks.whole(epochs=self.epochs)
        object.__setattr__(self, "epochs", int(self.epochs))
        if self.batch_size is not None:
            _checks.whole(batch_size=self.batch_size)
            object.__setattr__(self, "batch_size", int(self.batch_size))
        _checks.known("decay_per", self.decay_per, ("round", "epoch"))
        if not callable(self.optimizer):
            _checks.known("optimizer", self.optimizer, ("sgd", "adam"))
        if self.precision is not None:
            _checks.known("precision", self.precision, ("bfloat16",))
        _checks.known("last_batch", self.last_batch, ("keep", "drop", "merge", "only"))
        for name in FUNCTIONS:
            if (given := getattr(self, name)) is not None and not callable(given):
                raise ValueError(f"{name} must be a function, not {given!r}")

    @property
    def custom(self) -> bool:
        """Whether there are functions of one's own, the optimizer's among them."""
        given = [getattr(self, name) for name in (*FUNCTIONS, "optimizer")]
        return any(callable(function) for function in given)

    def rate(self, t: int, epoch: int = 0) -> float:
        """The learning rate in local epoch 0, 1, ... of round t = 1, 2, ..."""
        if self.decay_per == "round":
            return self.lr(t)
        return self.lr((t - 1) * self.epochs + epoch + 1)

    def sizes(self, samples: int) -> list[int]:
        """How many samples each step of an epoch takes, of n: ceil(n / batch_size)
        steps, or one fewer where the last batch is dropped or merged, or one."""
        size = self.batch_size or samples
        whole, rest = divmod(samples, size)
        sizes = [size] * whole
        if rest and (not whole or self.last_batch in ("keep", "only")):
            sizes.append(rest)
        elif self.last_batch == "merge":
            sizes[-1] += rest
        return sizes[-1:] if self.last_batch == "only" else sizes

    def batches(self, samples: int, generator: torch.Generator
               ) -> Iterator[tuple[int, Tensor]]:
        """(epoch, indices) of each step; each epoch is shuffled anew."""
        sizes = self.sizes(samples)
        first = samples - sum(sizes) if self.last_batch == "only" else 0
        for epoch in range(self.epochs):
            order = torch.randperm(samples, generator=generator)
            for indices in order[first : first + sum(sizes)].split(sizes):
                yield epoch, indices

    def mean_loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """F_i on a batch, one number."""
        if self.loss is None:
            return nn.functional.cross_entropy(outputs, y)
        return self.loss(outputs, y).mean()

    def losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        """The loss of each sample, (n,); ValueError if the loss gives one number."""
        if self.loss is None:
            return nn.functional.cross_entropy(outputs, y, reduction="none")
        found = self.loss(outputs, y)
        if found.ndim == 0:
            raise ValueError("the loss gives one number for all samples")
        return found.flatten(1).mean(1) if found.ndim > 1 else found


def left_over(samples: int, batch_size: int | None) -> int:
    """How many samples the last batch of an epoch holds: n - B (ceil(n / B) - 1), from
    1 to B; all n without batches.

    Raises:
        ValueError: a number below 1.
    """
    _checks.whole(samples=samples, batch_size=1 if batch_size is None else batch_size)
    return samples if batch_size is None else (samples - 1) % batch_size + 1
