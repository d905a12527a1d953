"""What the agents download, without a dense vector for each of them.

A download is asked for one agent at a time, or added to all models in place. The mask
of eq. (5) is kept as two numbers an agent and block: the magnitude below which entries
are dropped, and the index of the last entry that is kept among those of just this
magnitude. One search serves all agents. Chapter "Paying with gradients".
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import hardshrink

from fairfl import _checks, rewards
from fairfl._parallel import spread
from fairfl._selection import SLICE, near, position
from fairfl.payments import Everything, OwnUpdates, Reward

__all__ = ["Everything", "OwnUpdates", "Reward", "Sparsified", "sparsify"]


class Sparsified:
    """Agent i downloads the `counts[i, b]` entries of block b of the aggregate that are
    largest in magnitude.

    Args:
        aggregate: (D,).
        counts: (N, B) int64, entries to keep of each block, from 0 to its size.
        blocks: B slices that cover the D entries in order; in eq. (5) one.
        keep_ties: keep *all* entries as large as the last one that is kept, even if
            these are more than `counts`.

    ValueError: a count is negative or larger than its block, or an entry not finite.
    """

    def __init__(self, aggregate: Tensor, counts: Tensor, blocks: Sequence[slice],
                 keep_ties: bool = False) -> None:
        self.aggregate = aggregate
        self.blocks = tuple(blocks)
        sizes = torch.tensor([block.stop - block.start for block in self.blocks])
        fit = counts.shape[1:] == sizes.shape
        if not fit or not ((counts >= 0) & (counts <= sizes)).all():
            raise ValueError(f"counts of shape {tuple(counts.shape)} must lie between "
                             f"0 and the sizes of the blocks, {sizes.tolist()}")
        self.limits = []
        self.kept = torch.zeros(len(counts), dtype=torch.int64)
        for block, quotas in zip(self.blocks, counts.T, strict=True):
            magnitude = aggregate[block].abs()
            if not magnitude.max().isfinite():
                raise ValueError("the aggregate holds NaN or infinite entries between "
                                 f"{block.start} and {block.stop}")
            found, kept = limits(magnitude, quotas, keep_ties)
            self.limits.append(found)
            self.kept += kept

    def row(self, i: int) -> Tensor:
        return torch.cat([own[i].sent(self.aggregate[block]) for block, own in
                          zip(self.blocks, self.limits, strict=True)])

    def add_to(self, models: Tensor) -> None:
        inference = torch.is_inference_mode_enabled()  # each thread has its own
        step = SLICE if models.device.type == "cpu" else self.aggregate.numel()
        parts = [(slice(start, min(start + step, block.stop)), start - block.start, own)
                 for block, own in zip(self.blocks, self.limits, strict=True)
                 for start in range(block.start, block.stop, step)]

        def add(part: tuple[slice, int, list[Limit]]) -> None:
            where, offset, limits = part
            entries = self.aggregate[where]
            with torch.inference_mode(inference):
                for model, limit in zip(models, limits, strict=True):
                    model[where] += limit.sent(entries, offset)

        spread(add, parts, device=models.device)

    def kind(self, i: int) -> str:
        q = int(self.kept[i])
        return "all" if q == len(self.aggregate) else "sparse" if q else "nothing"

    def sparse(self, i: int) -> tuple[Tensor, Tensor]:
        indices = torch.cat([own[i].kept(self.aggregate[block]).nonzero().flatten()
                             + block.start for block, own in
                             zip(self.blocks, self.limits, strict=True)])
        return indices, self.aggregate[indices]


class Limit(NamedTuple):
    """What an agent gets of a block of the aggregate."""

    threshold: float  # entries larger than this in magnitude,
    last: int  # and up to this index (-1: nowhere) those that equal it:
    below: float  # that are larger than the next smaller number

    def sent(self, entries: Tensor, start: int = 0) -> Tensor:
        """Entries of the block from `start` on, 0 where they are dropped."""
        stop = self.last + 1 - start
        if stop >= len(entries):
            return hardshrink(entries, self.below)
        found = hardshrink(entries, self.threshold)
        if stop > 0:
            found[:stop] = hardshrink(entries[:stop], self.below)
        return found

    def kept(self, entries: Tensor) -> Tensor:
        """Which entries of the block are sent, bool."""
        found, first = entries.abs() > self.threshold, entries[: self.last + 1]
        found[: self.last + 1] = first.abs() >= self.threshold
        return found


def limits(magnitude: Tensor, counts: Tensor, keep_ties: bool = False
           ) -> tuple[list[Limit], Tensor]:
    """The limit for each count, and how many entries it keeps.

    Args:
        magnitude: (D,), |u_N|, or a block of it.
        counts: (N,) int64, entries to keep, from 0 to D.
        keep_ties: see `Sparsified`.
    """
    dtype, size = magnitude.dtype, len(magnitude)
    if dtype.itemsize == 2:
        magnitude = magnitude.float()  # the same numbers, which numpy has
    ranks = (size - counts).clamp(max=size - 1)
    ascending, left_out = near(magnitude, ranks)
    thresholds = ascending[ranks - left_out]
    first, stop = (left_out + torch.searchsorted(ascending, thresholds, right=up).cpu()
                   for up in (False, True))
    if keep_ties:
        counts = torch.where(counts > 0, size - first, 0)
    wanted = counts - (size - stop)  # of the stop - first equal entries
    lasts = [size - 1 if q == equal else position(magnitude, threshold, q)
             for q, equal, threshold in zip(
                 wanted.tolist(), (stop - first).tolist(), thresholds.tolist(),
                 strict=True)]
    levels = thresholds.to(dtype)
    below = levels.nextafter(torch.full_like(levels, -torch.inf))
    return list(map(Limit, levels.tolist(), lasts, below.tolist())), counts


def sparsify(aggregate: Tensor, quality: Tensor, blocks: Sequence[slice] | None = None,
             rounding: str = "floor", keep_ties: bool = False) -> Sparsified:
    """Eq. (5): the rewards v_i = mask(u_N, q_i) of all agents.

    Args:
        aggregate: u_N, (D,).
        quality: tanh(beta r_i) / max_j tanh(beta r_j), (N,), see `rewards.quality`.
        blocks: slices that are masked each by itself; default: one (the paper).
        rounding: "floor" keeps floor(size * quality) entries of a block (the paper);
            "ceil_below_size" keeps min(ceil(size * quality), size - 1).
        keep_ties: see `Sparsified`.
    """
    _checks.known("rounding", rounding, ("floor", "ceil_below_size"))
    blocks = blocks or [slice(0, len(aggregate))]
    sizes = [block.stop - block.start for block in blocks]
    counts = [rewards.count(quality, size) for size in sizes]
    if rounding == "ceil_below_size":
        counts = [(size * quality - 1e-9).ceil().clamp(0, size - 1).long()
                  for size in sizes]
    return Sparsified(aggregate, torch.stack(counts, dim=1), blocks, keep_ties)
