"""Random draws that depend on what they are for, and on nothing else.

Every draw of a federation comes from a generator derived from the run's seed and a key
such as ``("batches", agent, round)``. So a permuted federation, a resumed run and
another way of training draw the same numbers, and no global generator is touched.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral

import torch


def derived_seed(seed: int, *key: str | int) -> int:
    """A number in [0, 2**63) that any change of `seed` or of any part of `key` changes;
    in every process the same, unlike Python's `hash`. TypeError if the seed is no whole
    number; numpy's are fine."""
    if isinstance(seed, bool) or not isinstance(seed, Integral):
        raise TypeError(f"seed must be an int, not {seed!r}")
    parts = [int(part) if isinstance(part, Integral) else part for part in (seed, *key)]
    digest = hashlib.sha256(repr(tuple(parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, *key: str | int) -> torch.Generator:
    """A fresh generator for one purpose, e.g. ``generator(0, "batches", "3", 17)``; on
    the CPU whatever device trains, so that a GPU draws the same numbers."""
    return torch.Generator().manual_seed(derived_seed(seed, *key))


@contextmanager
def seeded(seed: int, *key: str | int) -> Iterator[None]:
    """For code that takes no generator (the initialisation of a layer, dropout): seeds
    torch's global generators inside the block and puts them back after it."""
    with torch.random.fork_rng():
        torch.manual_seed(derived_seed(seed, *key))
        yield
