"""numpy in, numpy out: the functions of the valuation take numpy arrays and torch tensors of any device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def tensor(x, name: str, dims: int) -> Tensor:
    """`x` as a detached floating tensor on its own device, without a copy where none is needed.

    Raises ValueError if it does not have `dims` dimensions, has no agent (first dimension) or holds complex numbers.
    """
    x = torch.as_tensor(x).detach()
    if x.dim() != dims:
        raise ValueError(f"{name} must have {dims} dimension{'s' * (dims > 1)}, not shape {tuple(x.shape)}")
    if x.shape[0] == 0:
        raise ValueError(f"{name} is empty: there must be at least one agent")
    if x.is_complex():
        raise ValueError(f"{name} must be real, not {x.dtype}")
    return x if x.is_floating_point() else x.double()


def float64_device(x: Tensor) -> torch.device:
    """Where sums over `x` are taken: its own device, or the CPU where the device has no float64 (Apple's mps)."""
    return torch.device("cpu") if x.device.type == "mps" else x.device


def like(result: Tensor, given):
    """`result` as a numpy array if `given` was one, otherwise as it is."""
    return result.cpu().numpy() if isinstance(given, np.ndarray) else result
