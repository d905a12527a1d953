"""numpy in, numpy out: functions of the valuation take numpy arrays and tensors.

Sums over parameters run in float64 over slices, so that no second copy of the updates
is made. Squares must fit into float64: a vector far shorter than 1e-154 counts as zero,
one longer than 1e154 is refused. Updates in float32 are far from both.
"""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from fairfl._parallel import spread

COLUMNS = 1 << 14       # parameters in a slice for matrix products
CACHED = 1 << 18        # float64 numbers that stay in a CPU's cache
ALONE = 1 << 20         # numbers that one core reads before others have begun

# A sum of vectors counts as 0 where its squared norm is at most this times the square
# of (sum of its terms' norms): what is left is rounding, and its direction noise.
CANCELLED = 1e-13

Found = TypeVar("Found")


def tensor(x, name: str, dims: int | None = None) -> Tensor:
    """`x` as a detached floating tensor on its own device, uncopied where possible.

    ValueError: it has another number of dimensions than `dims`, no entry, complex
    numbers, or a mask (numpy), which would be lost.
    """
    if isinstance(x, np.ma.MaskedArray):
        raise ValueError(f"{name} is a masked array: fill or drop what is masked")
    if not isinstance(x, Tensor):  # through numpy: a list of numbers is float64 there
        x = torch.from_numpy(np.require(x, requirements=["C", "W"]))
    x = x.detach()
    if x.dim() != dims and dims is not None:
        raise ValueError(f"{name} must have {dims} dimension{'s' * (dims > 1)}, "
                         f"not shape {tuple(x.shape)}")
    if 0 in x.shape:
        raise ValueError(f"{name} is empty, of shape {tuple(x.shape)}: there must be "
                         "at least one agent and one entry")
    if x.is_complex():
        raise ValueError(f"{name} must be real, not {x.dtype}")
    return x if x.is_floating_point() else x.double()


def float64_device(x: Tensor) -> torch.device:
    """Where sums over `x` are taken: its own device, or the CPU where that has no
    float64 (Apple's mps)."""
    return torch.device("cpu") if x.device.type == "mps" else x.device


def like(result: Tensor, given):
    """`result` as a numpy array if `given` was one, otherwise as it is."""
    return result.cpu().numpy() if isinstance(given, np.ndarray) else result


def width(vectors: Tensor) -> int:
    """Columns in a slice that is read once: as float64 it stays in a CPU's cache."""
    if vectors.device.type != "cpu":
        return 64 * COLUMNS
    return max(CACHED // vectors.shape[:-1].numel(), 1 << 10)


def slices(vectors: Tensor) -> Iterator[Tensor]:
    """The last dimension in slices for matrix products, float64."""
    step = COLUMNS if vectors.device.type == "cpu" else 64 * COLUMNS
    for columns in vectors.split(step, dim=-1):
        yield columns.to(float64_device(vectors), torch.float64)


def read(vectors: Tensor, function: Callable[[Tensor, slice], Found]) -> list[Found]:
    """``function(columns, where)`` for each slice of the last dimension, in order.

    `columns` are float64 and hold until the function returns. The cores share the
    slices; which slices these are does not depend on the number of cores.
    """
    size, step = vectors.shape[-1], width(vectors)
    starts = range(0, max(size, 1), step)

    def some(starts: range) -> list[Found]:
        wheres = [slice(start, min(start + step, size)) for start in starts]
        shape = *vectors.shape[:-1], min(size, step)
        with _held(math.prod(shape), float64_device(vectors)) as numbers:
            held = numbers.view(shape)
            return [function(held[..., : where.stop - where.start].copy_(
                vectors[..., where]), where) for where in wheres]

    shares = 1 if vectors.numel() <= ALONE else 4 * torch.get_num_threads()
    share = -(-len(starts) // shares)
    parts = [starts[i : i + share] for i in range(0, len(starts), share)]
    return sum(spread(some, parts, device=vectors.device), [])


_kept = threading.local()


@contextmanager
def _held(count: int, device: torch.device) -> Iterator[Tensor]:
    """Room for so many float64 numbers. A thread keeps its own of the size of a CPU's
    cache: the system clears fresh memory, which takes as long as reading does."""
    if device.type != "cpu" or count > CACHED:
        yield torch.empty(count, dtype=torch.float64, device=device)
        return
    kept = getattr(_kept, "numbers", None)
    _kept.numbers = None  # in use: who reads within a reading gets room of its own
    if kept is None:
        with torch.inference_mode(False):  # else only inference may write to it
            kept = torch.empty(CACHED, dtype=torch.float64)
    try:
        yield kept[:count]
    finally:
        _kept.numbers = kept


def norms(vectors: Tensor, name: str = "updates") -> Tensor:
    """Euclidean norm of each row: (..., D) -> (...), float64. ValueError if an entry is
    not finite; the message calls the vectors by `name`."""
    squares = reduce(torch.add, read(vectors, lambda columns, _: squared(columns)))
    check_finite(squares, name)
    return squares.sqrt()


def squared(vectors: Tensor) -> Tensor:
    """Squared norm of each row."""
    return torch.linalg.vector_norm(vectors, dim=-1) ** 2


def check_finite(squares: Tensor, name: str) -> None:
    """ValueError, with the rows, unless all these squared norms are finite."""
    if not squares.isfinite().all():
        bad = (~torch.atleast_1d(squares).isfinite()).nonzero().squeeze(1).tolist()
        raise ValueError(f"{name} must be finite; rows with NaN or infinity: {bad} "
                         "(or a norm above 1e154)")
