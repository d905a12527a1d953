"""What the agents download, without a dense vector for each of them.

A download is asked for one agent at a time, or added to all models in place. The mask of eq. (5) is kept as two
numbers an agent and block: the magnitude below which entries are dropped, and the index of the last entry that is
kept among those that have just this magnitude. One sort serves all agents. Chapter "Paying with gradients".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from fairfl import rewards


class Reward(Protocol):
    """The downloads of all agents in one round."""

    kept: Tensor  # (N,) int64, entries sent to each agent

    def row(self, i: int) -> Tensor:
        """The download of agent i, dense, (D,), a fresh tensor."""

    def add_to(self, models: Tensor) -> None:
        """Add to each row of models (N, D) that agent's download, in place."""


class _Rows:
    """A reward that is added row by row."""

    def add_to(self, models: Tensor) -> None:
        for i in range(len(models)):
            models[i] += self.row(i)


class Everything(_Rows):
    """All N agents download the aggregate (D,) as it is."""

    def __init__(self, aggregate: Tensor, agents: int) -> None:
        self.aggregate = aggregate
        self.kept = torch.full((agents,), len(aggregate))

    def row(self, i: int) -> Tensor:
        return self.aggregate.clone()


class OwnUpdates(_Rows):
    """Each agent keeps its own update, a row of (N, D), and gets nothing from the others."""

    def __init__(self, updates: Tensor) -> None:
        self.updates = updates
        self.kept = torch.full((len(updates),), updates.shape[1])

    def row(self, i: int) -> Tensor:
        return self.updates[i].clone()


class Sparsified(_Rows):
    """Agent i downloads the `counts[i, b]` entries of block b of the aggregate that are largest in magnitude.

    Args:
        aggregate: (D,).
        counts: (N, B) int64, entries to keep of each block, between 0 and the block's size.
        blocks: B slices that cover the D entries in order. One slice: the mask of eq. (5).
        keep_ties: keep *all* entries as large as the last one that is kept, even if these are more than `counts`.

    Raises:
        ValueError: a count is negative or larger than its block.
    """

    def __init__(self, aggregate: Tensor, counts: Tensor, blocks: Sequence[slice], keep_ties: bool = False) -> None:
        self.aggregate = aggregate
        self.blocks = tuple(blocks)
        sizes = torch.tensor([block.stop - block.start for block in self.blocks])
        if counts.shape[1:] != sizes.shape or (counts < 0).any() or (counts > sizes).any():
            raise ValueError(f"counts of shape {tuple(counts.shape)} must lie between 0 and the sizes of the "
                             f"{len(sizes)} blocks, {sizes.tolist()}")
        self.limits = [
            _limits(aggregate[block].abs(), counts[:, b].tolist(), keep_ties) for b, block in enumerate(self.blocks)
        ]
        self.kept = torch.tensor([sum(int(keep.sum()) for keep in self._masks(i)) for i in range(len(counts))]) \
            if keep_ties else counts.sum(dim=1)

    def _masks(self, i: int) -> list[Tensor]:
        """For each block, which entries agent i keeps."""
        masks = []
        for block, limits in zip(self.blocks, self.limits, strict=True):
            magnitude = self.aggregate[block].abs()
            threshold, last = limits[i]
            keep = magnitude > threshold
            if last >= 0:
                keep[: last + 1] |= magnitude[: last + 1] == threshold
            masks.append(keep)
        return masks

    def row(self, i: int) -> Tensor:
        return self.aggregate * torch.cat(self._masks(i))


def _limits(magnitude: Tensor, counts: list[int], keep_ties: bool) -> list[tuple[float, int]]:
    """For each count: the magnitude that an entry must exceed, and the last index at which equality suffices (-1:
    nowhere)."""
    ascending = magnitude.sort().values
    size = len(magnitude)
    limits = []
    for q in counts:
        if q == 0:
            limits.append((float("inf"), -1))
            continue
        threshold = ascending[size - q]
        last = size - 1
        if not keep_ties:
            above = size - int(torch.searchsorted(ascending, threshold, right=True))
            first = int(torch.searchsorted(ascending, threshold))
            if q < size - first:  # more entries have this magnitude than may be kept
                last = int((magnitude == threshold).nonzero()[q - above - 1])
        limits.append((float(threshold), last))
    return limits


def sparsify(
    aggregate: Tensor,
    quality: Tensor,
    blocks: Sequence[slice] | None = None,
    rounding: str = "floor",
    keep_ties: bool = False,
) -> Sparsified:
    """Eq. (5): the rewards v_i = mask(u_N, q_i) of all agents.

    Args:
        aggregate: u_N, (D,).
        quality: tanh(beta r_i) / max_j tanh(beta r_j), (N,), see `rewards.quality`.
        blocks: mask each of these slices by itself; default: the whole vector at once, as in the paper.
        rounding: "floor" keeps floor(size * quality) entries of a block (the paper); "ceil_below_size" keeps
            min(ceil(size * quality), size - 1).
        keep_ties: see `Sparsified`.

    Raises:
        ValueError: an unknown `rounding`.
    """
    blocks = blocks or [slice(0, len(aggregate))]
    sizes = [block.stop - block.start for block in blocks]
    if rounding == "floor":
        counts = [rewards.count(quality, size) for size in sizes]
    elif rounding == "ceil_below_size":
        counts = [(size * quality - 1e-9).ceil().clamp(0, size - 1).long() for size in sizes]
    else:
        raise ValueError(f"unknown rounding {rounding!r}; known are 'floor' and 'ceil_below_size'")
    return Sparsified(aggregate, torch.stack(counts, dim=1), blocks, keep_ties)
