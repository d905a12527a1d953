"""What crosses the network in a round, in bytes. Chapter "Beyond one machine".

A download mask(u_N, q) of eq. (5) can be sent in three forms: its q entries, each with
its index; one bit an entry that says whether it is sent, and then the q values; or all
D numbers, zeros included.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from fairfl import _checks


class Forms(NamedTuple):
    """Bytes of one and the same download in each form; each of the shape of q."""

    pairs: Tensor  # index and value of each entry that is sent
    bitmap: Tensor  # one bit an entry, then the values
    dense: Tensor  # all values

    @property
    def least(self) -> Tensor:
        """Bytes of the shortest form."""
        return torch.stack(self).amin(0)


def forms(q, dimension: int, value: int = 4) -> Forms:
    """Bytes of downloads of q of D entries, (...) int64.

    Args:
        q: (...) whole numbers from 0 to D, tensor, array or number.
        dimension: D.
        value: bytes a number takes: 4 for float32.

    ValueError: an argument is out of its range.
    """
    _checks.whole(dimension=dimension, value=value)
    q = torch.as_tensor(q)
    if q.is_floating_point() or ((q < 0) | (q > dimension)).any():
        raise ValueError(f"q must be whole numbers from 0 to {dimension}, "
                         f"not {q.tolist()}")
    bits = -(-dimension // 8)
    return Forms(q * (index_bytes(dimension) + value), bits + q * value,
                 torch.full_like(q, dimension * value))


def index_bytes(dimension: int) -> int:
    """What the place of one of D entries takes: an int32, or an int64 beyond 2^31."""
    return 4 if dimension <= 2**31 else 8


def changes(value: int = 4, index: int = 4) -> tuple[float, float]:
    """The shares q / D at which pairs and bitmap, then bitmap and dense, are equally
    long: 1 / (8 index) and 1 - 1 / (8 value)."""
    return 1 / (8 * index), 1 - 1 / (8 * value)
