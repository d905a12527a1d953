"""A network of one's own, named as Python imports it: "module:Class"."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn


def find(name: str) -> Callable[..., Any]:
    """What "module:Class" names: a class, or a function that makes a network.
    ValueError if there is none, or its module cannot be imported."""
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # whatever somebody else's module does
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"model {name!r} cannot be imported: {reason}") from error
    if not callable(found):
        raise ValueError(f"model {name!r} is neither a class nor a function")
    return found


def build(name: str, seed: int, dtype: torch.dtype | None,
          options: Mapping[str, Any]) -> nn.Module:
    """The network as its constructor draws it after `torch.manual_seed(seed)`, on the
    CPU, in `dtype`; torch's own generator is put back.

    Raises:
        ValueError: as `find`; the constructor fails, or gives something else.
    """
    make = find(name)
    given = ", ".join(f"{option}={value!r}" for option, value in options.items())
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        try:
            module = make(**options)
        except Exception as error:  # as above
            kind = type(error).__name__
            raise ValueError(f"model {name}({given}) fails: {kind}: {error}") from error
    if not isinstance(module, nn.Module):
        raise ValueError(f"model {name}({given}) is a {type(module).__name__}, not a "
                         "torch.nn.Module")
    return module.to(dtype) if dtype else module
