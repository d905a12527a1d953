"""Loss and accuracy of models on given samples. Chapter "Learning together".

On a CPU the models, and parts of a large set, go to several threads; small batches stay
in a core's cache. Whatever the number of threads, the same numbers come out. A network
is copied and gets copies of the samples, in which it may write.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fairfl import vectors
from fairfl._parallel import spread
from fairfl.models.methods import Restricting
from fairfl.training.local import Judge

PART = 4096  # samples a thread takes at a time


def right(outputs: Tensor, y: Tensor) -> Tensor:
    """Whether a classifier's largest output is the label's, (n, C), (n,) -> (n,)."""
    return outputs.argmax(1) == y


def evaluate(module: nn.Module, models: Tensor, buffers: Tensor,
             sets: Sequence[tuple[Tensor, Tensor]], loss: Judge | None = None,
             accuracy: Judge | None = right) -> tuple[Tensor, Tensor]:
    """Mean loss and accuracy in [0, 1], (K,) and (K,) float64, of K models (K, D) with
    buffers (K, B), each on its own (x, y) on the module's device.

    Args:
        loss: as in `LocalTraining`; None: cross-entropy.
        accuracy: as in `LocalTraining`, but without one (None) accuracies are NaN.
    """
    parts = [(k, start) for k, (_, y) in enumerate(sets)
             for start in range(0, len(y), PART)]

    def one(part: tuple[int, int]) -> Tensor:
        k, start = part
        x, y = (tensor[start : start + PART] for tensor in sets[k])
        return sums(_loaded(module, models[k], buffers[k]), x, y, loss, accuracy)

    found = spread(one, parts, device=models.device)
    total = torch.zeros(len(models), 2, dtype=torch.float64, device=models.device)
    for (k, _), part in zip(parts, found, strict=True):
        total[k] += part
    losses, correct = total.cpu().T / torch.tensor([len(y) for _, y in sets])
    return losses, correct


@torch.inference_mode(False)
def gradient(module: nn.Module, model: Tensor, buffers: Tensor, x: Tensor, y: Tensor,
             loss: Judge | None = None) -> Tensor:
    """The gradient of the mean loss of one model on all samples, (D,) float64; 0 for
    what the loss does not depend on; in evaluation mode, so without dropout."""
    own = _loaded(module, model, buffers)
    parameters = [p for p in own.parameters() if p.requires_grad]
    total = torch.zeros(len(model), dtype=torch.float64, device=model.device)
    for samples, labels in zip(x.split(512), y.split(512), strict=True):
        summed = _summed(loss, own(samples.clone()), labels.clone())
        slopes = torch.autograd.grad(summed, parameters, materialize_grads=True)
        total += torch.cat([slope.reshape(-1) for slope in slopes])
    return total / len(y)


@torch.no_grad()
def sums(module: nn.Module, x: Tensor, y: Tensor, loss: Judge | None = None,
         accuracy: Judge | None = right) -> Tensor:
    """The sums of losses and of right answers over the samples, (2,) float64."""
    batch = 64 if x.device.type == "cpu" else PART
    if isinstance(module, Restricting) and x.device.type == "cpu":
        order = (x != 0).sum(1).argsort(stable=True)  # by length, for little padding
        module, x, _ = module.restrict(x[order])
        y, batch = y[order], 512
    outputs = torch.cat([module(samples.clone()) for samples in x.split(batch)])
    if loss is None:
        outputs = outputs.double()
    none = torch.full((), torch.nan, dtype=torch.float64, device=y.device)
    return torch.stack([_summed(loss, outputs, y).double(),
                        _summed(accuracy, outputs, y) if accuracy else none])


def _summed(judge: Judge | None, outputs: Tensor, y: Tensor) -> Tensor:
    """The sum over all samples of what `judge` gives, an entry a sample or their mean;
    None: of the cross-entropies."""
    if judge is None:
        return nn.functional.cross_entropy(outputs, y, reduction="sum")
    found = judge(outputs, y).double()
    return found.sum() * (len(y) / found.numel())


def _loaded(module: nn.Module, model: Tensor, buffers: Tensor) -> nn.Module:
    """A copy of the network in evaluation mode, as this model."""
    own = copy.deepcopy(module).eval()
    vectors.load(own, model)
    vectors.load_buffers(own, buffers)
    return own
