"""What the agents download, without a dense vector for each of them.

A download is asked for one agent at a time, or added to all models in place. The mask
of eq. (5) is kept as two numbers an agent and block: the magnitude below which entries
are dropped, and the index of the last entry that is kept among those of just this
magnitude. One sort serves all agents. Chapter "Paying with gradients".
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import hardshrink

from fairfl import _checks, rewards
from fairfl.payments import Everything, OwnUpdates, Reward

__all__ = ["Everything", "OwnUpdates", "Reward", "Sparsified", "sparsify"]
SLICE = 1 << 17  # entries that stay in a CPU's cache


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
            magnitude = _for_numpy(aggregate[block].abs())
            ascending = _sort(magnitude)
            if not ascending[-1:].isfinite().all():  # NaN comes last
                raise ValueError("the aggregate holds NaN or infinite entries between "
                                 f"{block.start} and {block.stop}")
            if keep_ties:
                quotas = _with_ties(ascending, quotas)
            self.limits.append(limits(magnitude, ascending, quotas))
            self.kept += quotas

    def row(self, i: int) -> Tensor:
        download = torch.zeros_like(self.aggregate)
        for part, level in self._parts(i):
            download[part] = hardshrink(self.aggregate[part], level)
        return download

    def add_to(self, models: Tensor) -> None:
        step = SLICE if models.device.type == "cpu" else self.aggregate.numel()
        for i, model in enumerate(models):
            for part, level in self._parts(i):
                sent = self.aggregate[part].split(step)
                for own, entries in zip(model[part].split(step), sent, strict=True):
                    own += hardshrink(entries, level)

    def kind(self, i: int) -> str:
        q = int(self.kept[i])
        return "all" if q == len(self.aggregate) else "sparse" if q else "nothing"

    def sparse(self, i: int) -> tuple[Tensor, Tensor]:
        found = [(self.aggregate[part].abs() > level).nonzero().flatten() + part.start
                 for part, level in self._parts(i)]
        indices = torch.cat(found)
        return indices, self.aggregate[indices]

    def _parts(self, i: int) -> Iterator[tuple[slice, float]]:
        """Parts that make up the vector, and the level that an entry there must exceed
        in magnitude for agent i."""
        dtype = self.aggregate.dtype
        for block, found in zip(self.blocks, self.limits, strict=True):
            threshold, last = found[i]
            after = block.start + last + 1
            yield slice(block.start, after), _just_below(threshold, dtype)
            yield slice(after, block.stop), threshold


def limits(magnitude: Tensor, ascending: Tensor, counts: Tensor
           ) -> list[tuple[float, int]]:
    """For each count: the magnitude that an entry must exceed, and the last index at
    which equality suffices (-1: nowhere).

    Args:
        magnitude: |u_N|, (D,). ascending: the same, sorted.
        counts: (N,) int64, entries to keep, from 0 to D.
    """
    size, found = len(ascending), []
    thresholds = ascending[(size - counts).clamp(max=size - 1)]
    smaller = torch.searchsorted(ascending, thresholds).tolist()
    up_to = torch.searchsorted(ascending, thresholds, right=True).tolist()
    for q, threshold, first, stop in zip(
        counts.tolist(), thresholds.tolist(), smaller, up_to, strict=True
    ):
        wanted = q - (size - stop)  # of the stop - first equal entries
        all_of_them = wanted == stop - first
        last = size - 1 if all_of_them else position(magnitude, threshold, wanted)
        found.append((threshold, last))
    return found


def position(magnitude: Tensor, value: float, k: int) -> int:
    """The index of the k-th entry that equals `value`; -1 for k = 0."""
    if k == 0:
        return -1
    if magnitude.device.type != "cpu":
        return int((magnitude == value).nonzero()[k - 1])
    for start in range(0, len(magnitude), SLICE):
        equal = magnitude.numpy()[start : start + SLICE] == value
        here = int(np.count_nonzero(equal))
        if k <= here:
            return start + int(np.flatnonzero(equal)[k - 1])
        k -= here
    raise ValueError(f"fewer entries than asked for equal {value}")


def _with_ties(ascending: Tensor, counts: Tensor) -> Tensor:
    """The counts that keep, with the smallest entry that is kept, all that equal it."""
    size = len(ascending)
    least = ascending[(size - counts).clamp(max=size - 1)]
    smaller = torch.searchsorted(ascending, least)
    return torch.where(counts > 0, size - smaller.cpu(), 0)


def _sort(magnitude: Tensor) -> Tensor:
    """Ascending. On a CPU numpy's sort is many times as fast as torch's."""
    if magnitude.device.type == "cpu":
        return torch.from_numpy(np.sort(magnitude.numpy()))
    return magnitude.sort().values


def _for_numpy(magnitude: Tensor) -> Tensor:
    """As float32, the same numbers, if it is bfloat16, which numpy does not have."""
    return magnitude.float() if magnitude.dtype == torch.bfloat16 else magnitude


def _just_below(value: float, dtype: torch.dtype) -> float:
    below = torch.tensor(-torch.inf, dtype=dtype)
    return torch.nextafter(torch.tensor(value, dtype=dtype), below).item()


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
