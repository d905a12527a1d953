"""The networks of the experiments, each built from a name and a seed. Chapter "Data and
partitions".

All of them return logits of shape (n, classes). Their layers are named, so that one can
ask for the last.
"""

import inspect
import math
from collections.abc import Mapping

import torch
from torch import nn

from fairfl import _checks
from fairfl.models import own
from fairfl.models.images import CifarCNN, DigitsCNN, MnistCNN
from fairfl.models.text import TextCNN
from fairfl.randomness import derived_seed, generator

MODELS: dict[str, type[DigitsCNN | MnistCNN | CifarCNN | TextCNN]] = {
    "digits_cnn": DigitsCNN, "mnist_cnn": MnistCNN, "cifar_cnn": CifarCNN,
    "text_cnn": TextCNN,
}


def build(name: str, seed: int, dtype: torch.dtype | None = None, **options
         ) -> nn.Module:
    """A network with freshly drawn weights, on the CPU.

    Args:
        name: a key of `MODELS`, or "module:Class" for a network of your own, see `own`.
        seed: the weights depend on it, on the name and on the options alone; they are
            drawn in float32 and are the same numbers in every `dtype`.
        dtype: floating point; default: the network's own, float64 for digits and
            float32 for the others.
        options: of the network's constructor, such as ``classes``; "text_cnn" needs
            ``vocabulary`` and ``classes``.

    Raises:
        ValueError: an unknown name, or options that the network does not have, needs or
            can take; the message lists the known ones.
    """
    known = parameters(name)
    if ":" in name:
        return own.build(name, derived_seed(seed, "model", name), dtype, options)
    for option in options:
        if option not in known:
            raise ValueError(f"unknown option {option!r} of {name}; known are "
                             f"{', '.join(known)}")
    for option, parameter in known.items():
        if parameter.default is parameter.empty and option not in options:
            raise ValueError(f"{name} needs the option {option!r}")
    with torch.device("meta"):  # no memory, no use of torch's global generator
        module = MODELS[name](**options)
    module = module.to(torch.float32).to_empty(device="cpu")
    draw = generator(seed, "model", name)
    for layer in module.modules():
        _initialise(layer, draw)
    return module.to(dtype or MODELS[name].dtype)


def parameters(name: str) -> Mapping[str, inspect.Parameter]:
    """What the constructor of a network takes, by name; errors as `build`."""
    if ":" in name:
        return inspect.signature(own.find(name)).parameters
    _checks.known("model", name, [*sorted(MODELS), "module:Class of your own"])
    return inspect.signature(MODELS[name]).parameters


@torch.no_grad()
def _initialise(layer: nn.Module, draw: torch.Generator) -> None:
    """The numbers that torch's own initialisation would draw, from a generator instead
    of the global one."""
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=draw)
        bound = 1 / math.sqrt(layer.weight[0].numel())
        if layer.bias is not None:
            nn.init.uniform_(layer.bias, -bound, bound, generator=draw)
    elif isinstance(layer, nn.Embedding):
        nn.init.normal_(layer.weight, generator=draw)
        layer.weight[layer.padding_idx] = 0
    elif next(layer.parameters(recurse=False), None) is not None:
        raise TypeError(f"no initialisation for layers of type {type(layer).__name__}")
