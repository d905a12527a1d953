"""What a network answers, tried on two samples before round 1."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

Set = tuple[str, Tensor, Tensor]  # its name in messages, x, y
OWN_LOOP = "pass train=, a training loop of your own, see the README"


class NotAClassifier(ValueError):
    """Outputs or labels are others than a classifier's: for an own training loop."""


@torch.no_grad()
def classes(module: nn.Module, sets: Sequence[Set]) -> int:
    """How many classes the network tells apart. Each shape of samples is tried once, in
    evaluation mode; whole numbers, which may be words out of a vocabulary, in each set.

    Raises:
        ValueError: the network does not take a set, or a label is none of its classes.
        NotAClassifier: its outputs or the labels are not those of a classifier.
    """
    trial, found, seen = copy.deepcopy(module).eval(), 0, set()
    for name, x, y in sets:
        if x.shape[1:] not in seen or not x.is_floating_point():
            found = _answer(trial, name, x).shape[1]
            seen.add(x.shape[1:])
        wanted = f"{name}: labels must be int64 from 0 to {found - 1}, one a sample,"
        if y.dtype != torch.int64 or y.ndim != 1:
            raise NotAClassifier(
                f"{wanted} not {y.dtype} of shape {tuple(y.shape)}; for regression, "
                f"several labels a sample or another loss {OWN_LOOP}")
        if y.min() < 0 or y.max() >= found:
            raise ValueError(f"{wanted} not from {y.min()} to {y.max()}")
    return found


def _answer(module: nn.Module, name: str, x: Tensor) -> Tensor:
    """The logits of two samples, (2, classes)."""
    two, what = x[[0, -1]], f"samples of shape {tuple(x.shape[1:])}"
    if not x.is_floating_point():
        flat = x.reshape(len(x), -1)
        two = x[torch.stack([flat.amin(1).argmin(), flat.amax(1).argmax()])]
        what += f" with numbers from {two.min()} to {two.max()}"
        if x.device.type == "cuda":  # which answers a wrong index by ending the process
            module, two = copy.deepcopy(module).cpu(), two.cpu()
    try:
        logits, first = module(two.clone()), module(two[[0, 0]])
    except Exception as why:
        raise ValueError(f"{name}: the network does not take {what}: {why}") from why
    fits = isinstance(logits, Tensor) and logits.ndim == 2 and len(logits) == 2
    if not fits or logits.shape[1] < 2:
        raise NotAClassifier(
            f"{name}: the network must map n samples to logits of shape (n, classes),"
            f" two classes at least; of 2 samples it made {_described(logits)}; for "
            f"regression, several labels a sample or another loss {OWN_LOOP}")
    if (first[0] - logits[0]).norm() > 1e-2 * logits[0].norm():
        raise ValueError(
            "in evaluation mode the network's answer to a sample depends on those "
            "beside it (BatchNorm without running statistics?): it has no accuracy")
    return logits


def _described(output: Any) -> str:
    if isinstance(output, Tensor):
        return f"a tensor of shape {tuple(output.shape)}"
    has = " with logits in it" if hasattr(output, "logits") else ""
    return f"a {type(output).__name__}{has}: give its logits alone"
