"""numpy in, numpy out: the functions of the valuation take numpy arrays and torch tensors of any device.

Sums over parameters run in float64 over slices, so that no second copy of the updates is made.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

COLUMNS = 1 << 14       # parameters in a slice for matrix products
CACHED = 1 << 16        # float64 numbers that stay in a CPU's cache


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


def largest(vectors: Tensor, name: str) -> Tensor:
    """Largest magnitude in each row, (N, D) -> (N,) float64.

    Raises ValueError, with the rows, if an entry is not finite.
    """
    if vectors.shape[1] == 0:
        raise ValueError(f"{name} must have at least one parameter")
    # On a CPU six times as fast as the norm with ord=inf; NaN comes through as well
    top = torch.stack([torch.stack(row.aminmax()) for row in vectors]).abs().amax(1)
    bad = (~top.isfinite()).nonzero().flatten().tolist()
    if bad:
        raise ValueError(f"{name} must be finite; rows with NaN or infinity: {bad}")
    return top.to(float64_device(vectors), torch.float64)


def safe_scale(largest: Tensor) -> Tensor:
    """What to divide by before squaring: `largest` where a square could over- or underflow, 1 elsewhere."""
    return largest.where((largest > 0) & ((largest < 1e-100) | (largest > 1e100)), 1.0)


def in_range(lengths: Tensor) -> bool:
    """Whether these numbers, or their squares, are far from where a float64 over- or underflows. No for 0 and NaN."""
    return bool(((lengths > 1e-100) & (lengths < 1e100)).all())


def width(vectors: Tensor) -> int:
    """Columns in a slice that is read once: (N, width) float64 stays in a CPU's cache."""
    return max(CACHED // len(vectors), 1 << 10) if vectors.device.type == "cpu" else 64 * COLUMNS


def slices(vectors: Tensor, scale: Tensor, step: int | None = None) -> Iterator[Tensor]:
    """The columns in slices of `step`, float64, divided by `scale`."""
    unscaled = bool((scale == 1).all())
    for columns in vectors.split(step or (COLUMNS if vectors.device.type == "cpu" else 64 * COLUMNS), dim=1):
        columns = columns.to(float64_device(vectors), torch.float64)
        yield columns if unscaled else columns / scale


def norms(vectors: Tensor, name: str = "updates") -> Tensor:
    """Euclidean norm of each row, of any size that a float can have: (N, D) -> (N,), float64.

    Raises:
        ValueError: an entry is not finite; the message calls the vectors by `name`.
    """
    lengths = scaled_norms(vectors, torch.ones(len(vectors), dtype=torch.float64, device=float64_device(vectors)))
    if in_range(lengths):
        return lengths
    scale = safe_scale(largest(vectors, name))  # squares have left the range of a float
    return scale * scaled_norms(vectors, scale)


def scaled_norms(vectors: Tensor, scale: Tensor) -> Tensor:
    """Norms of the rows divided by `scale`, (N,)."""
    squares = torch.zeros_like(scale)
    for columns in slices(vectors, scale[:, None], width(vectors)):
        squares += torch.linalg.vector_norm(columns, dim=1) ** 2
    return squares.sqrt()
