"""What a network answers, tried on two samples before round 1."""

import copy
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fairfl.randomness import seeded
from fairfl.training.local import Judge

Set = tuple[str, Tensor, Tensor]  # its name in messages, x, y
OWN_LOSS = ("for regression, several labels a sample or another loss pass "
            "LocalTraining(loss=...), or train=, a training loop of your own, see the "
            "README")


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
            found = _logits(trial, name, x).shape[1]
            seen.add(x.shape[1:])
        wanted = f"{name}: labels must be int64 from 0 to {found - 1}, one a sample,"
        if y.dtype != torch.int64 or y.ndim != 1:
            raise NotAClassifier(
                f"{wanted} not {y.dtype} of shape {tuple(y.shape)}; {OWN_LOSS}")
        if y.min() < 0 or y.max() >= found:
            raise ValueError(f"{wanted} not from {y.min()} to {y.max()}")
    return found


@torch.no_grad()
def check(module: nn.Module, sets: Sequence[Set], loss: Judge | None,
          accuracy: Judge | None) -> None:
    """ValueError unless a loss and an accuracy of one's own take what the network
    answers and the labels of each set, and give what `LocalTraining` says."""
    trial = copy.deepcopy(module).eval()
    for name, x, y in sets:
        chosen = _extremes(x)
        outputs, alone = _answers(trial, name, x, chosen)
        if not _rows(outputs):
            raise ValueError(f"{name}: the network must map n samples to one tensor "
                             f"with a row for each; of 2 samples it made "
                             f"{_described(outputs)}")
        _check_alone(outputs, alone)
        outputs = outputs.to(y.device)
        if loss:
            with torch.enable_grad():
                value = _judged(f"{name}: the loss", loss,
                                outputs.clone().requires_grad_(), y[chosen])
            if not value.requires_grad:
                raise ValueError(f"{name}: the loss has no gradient")
        if accuracy:
            value = _judged(f"{name}: the accuracy", accuracy, outputs, y[chosen])
            if not 0 <= value.double().min() <= value.double().max() <= 1:
                raise ValueError(f"{name}: the accuracy must lie in [0, 1], not be "
                                 f"{value.tolist()}")


def _judged(name: str, function: Judge, outputs: Tensor, labels: Tensor) -> Tensor:
    """What the function gives of two samples."""
    try:
        with seeded(0, "trial"), warnings.catch_warnings():
            # (n, 1) less (n,) would make (n, n)
            warnings.filterwarnings("error", "Using a target size")
            two, three = (function(outputs[rows], labels[rows])
                          for rows in ([0, 1], [0, 1, 1]))
    except Exception as why:
        raise ValueError(
            f"{name} does not take outputs of shape {tuple(outputs.shape)} and labels "
            f"of shape {tuple(labels.shape)}, {labels.dtype}: {why}") from why
    one_each = _rows(two) and three.shape == (3, *two.shape[1:])
    if not one_each and not (isinstance(two, Tensor) and two.ndim == three.ndim == 0):
        raise ValueError(f"{name} must give an entry a sample or one number; of 2 "
                         f"samples it made {_described(two)}")
    if not two.isfinite().all():
        raise ValueError(f"{name} of the first and last sample is {two.tolist()}")
    return two


def _extremes(x: Tensor) -> Tensor:
    """The indices of two samples: of whole numbers those with the smallest and the
    largest, else the first and the last."""
    if x.is_floating_point():
        return torch.tensor([0, len(x) - 1], device=x.device)
    flat = x.reshape(len(x), -1)
    return torch.stack([flat.amin(1).argmin(), flat.amax(1).argmax()])


def _rows(output: Any) -> bool:
    """Whether it is a tensor with a row for each of two samples."""
    return isinstance(output, Tensor) and output.ndim > 0 and len(output) == 2


def _logits(module: nn.Module, name: str, x: Tensor) -> Tensor:
    """The logits of two samples, (2, classes)."""
    logits, alone = _answers(module, name, x, _extremes(x))
    if not _rows(logits) or logits.ndim != 2 or logits.shape[1] < 2:
        raise NotAClassifier(
            f"{name}: the network must map n samples to logits of shape (n, classes),"
            f" two classes at least; of 2 samples it made {_described(logits)}; "
            f"{OWN_LOSS}")
    _check_alone(logits, alone)
    return logits


def _check_alone(outputs: Tensor, alone: Tensor) -> None:
    """ValueError if a sample beside another gets another answer than `alone`."""
    if (alone[0] - outputs[0]).norm() > 1e-2 * outputs[0].norm():
        raise ValueError(
            "in evaluation mode the network's answer to a sample depends on those "
            "beside it (BatchNorm without running statistics?): it has no accuracy")


def _answers(module: nn.Module, name: str, x: Tensor, chosen: Tensor
             ) -> tuple[Any, Any]:
    """What the network makes of two samples, and of the first one twice."""
    two, what = x[chosen], f"samples of shape {tuple(x.shape[1:])}"
    if not x.is_floating_point():
        what += f" with numbers from {two.min()} to {two.max()}"
        if x.device.type == "cuda":  # which answers a wrong index by ending the process
            module, two = copy.deepcopy(module).cpu(), two.cpu()
    try:
        return module(two.clone()), module(two[[0, 0]])
    except Exception as why:
        raise ValueError(f"{name}: the network does not take {what}: {why}") from why


def _described(output: Any) -> str:
    if isinstance(output, Tensor):
        return f"a tensor of shape {tuple(output.shape)}"
    has = " with logits in it" if hasattr(output, "logits") else ""
    return f"a {type(output).__name__}{has}: give its logits alone"
