"""The cosine gradient Shapley value, eqs. (2) and (3) of Xu et al. (2021); chapter "Cosine gradient Shapley value".

The value of a coalition is v(S) = cos(u_S, u_N), u_S = sum of a_i over S, a_i = r_i u_i, and 0 where u_S = 0. All
values depend on the updates through their Gram matrix <a_i, a_j> only, so every function but `gram` and `cosine`
takes that matrix and costs nothing in the number D of parameters. Its scale is of no importance.

numpy arrays and torch tensors of any device are taken, and the same kind is returned; sums are float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor
from tqdm.auto import tqdm

from fairfl.arrays import float64_device, like, tensor
from fairfl.shapley import BLOCK, doubled, fold

CANCELLED = 1e-13       # u_S counts as 0 where |u_S|^2 is at most this times (sum of the members' norms)^2
LIMIT = 30              # agents; four times the time for two more
COLUMNS = 1 << 14       # updates are read in slices of so many parameters


def gram(updates, weights=None):
    """Gram matrix G of a_i = r_i u_i: G_ij = <a_i, a_j>.

    Args:
        updates: (N, D) one update u_i per row, any floating dtype.
        weights: (N,) the r_i inside u_S, eq. (1); None for the unweighted game.
    Returns:
        (N, N) float64.
    Raises:
        ValueError: shapes that do not match, an agent with entries that are not finite, or norms whose squares do
            not fit into float64.
    """
    u = tensor(updates, "updates", 2)
    r = _weights(weights, u)
    largest = _largest(u)
    scale = _scale(largest.max())
    total = torch.zeros(len(u), len(u), dtype=torch.float64, device=scale.device)
    for columns in _slices(u, scale):
        a = r[:, None] * columns
        total += a @ a.T
    total = total * scale * scale
    if not total.isfinite().all() or ((total.diagonal() == 0) & (r != 0) & (largest > 0)).any():
        raise ValueError("the squared norms do not fit into float64: scale all updates by one common factor")
    return like(total, updates)


def cosine(updates, aggregate):
    """Eq. (3): psi_i = cos(u_i, u_N), the cosine approximation of the CGSV; 0 where either vector is zero.

    Args:
        updates: (N, D) one update u_i per row, any floating dtype and any scale.
        aggregate: (D,) u_N. `rewards.aggregate` makes it exactly 0 where the updates cancel.
    Returns:
        (N,) float64, each in [-1, 1].
    """
    u, whole = tensor(updates, "updates", 2), tensor(aggregate, "aggregate", 1)
    if whole.shape[0] != u.shape[1]:
        raise ValueError(f"updates have {u.shape[1]} parameters but the aggregate has {whole.shape[0]}")
    scale, top = _scale(_largest(u)), _scale(_largest(whole[None], "aggregate"))
    inner, squares, square = torch.zeros_like(scale), torch.zeros_like(scale), torch.zeros_like(top)
    for rows, row in zip(_slices(u, scale[:, None]), _slices(whole[None], top[:, None]), strict=True):
        inner += rows @ row[0]
        squares += (rows * rows).sum(1)
        square += (row * row).sum()
    lengths = squares.sqrt() * square.sqrt()
    return like((inner / lengths).clamp(-1, 1).where(lengths > 0, 0.0), updates)


def exact(gram, limit: int = LIMIT):
    """Eq. (2): the CGSV phi_i of every agent from the Gram matrix, exactly, in O(2^N) time and constant memory.

    With g_i = <a_i, u_N> / |u_N|, both g(S) = sum of g_i and h(S)^2 = |u_S|^2 double from one agent to the next, and
    v(S) = g(S) / h(S). The first 16 agents (18 on a GPU) form blocks of coalitions that fit into the cache; the
    Shapley weights are applied block by block (`fairfl.shapley.fold`).

    Args:
        gram: (N, N) Gram matrix of the a_i (`gram`), up to a positive factor.
        limit: the largest number of agents with a non-zero update that is accepted.
    Returns:
        (N,) float64; sums to 1, or is 0 throughout if u_N = 0. An agent without an update gets exactly 0.
    """
    matrix = _checked(gram)
    phi = torch.zeros(len(matrix), dtype=torch.float64, device=matrix.device)
    active = (matrix.diagonal() > 0).nonzero().flatten()        # a null player does not change the others' values
    if len(active) > limit:
        raise ValueError(
            f"the exact CGSV of {len(active)} agents needs 2^{len(active)} coalitions; the limit is {limit} agents. "
            f"Pass limit={len(active)} to insist, or use the sampled value, or the cosine approximation"
        )
    if len(active) and not _cancels(matrix):
        game = _Blocks(matrix[active][:, active])
        n = len(active)
        bar = partial(tqdm, desc=f"exact CGSV, N = {n}", unit="block", disable=n <= 24)
        phi[active] = fold(n, game.low, game, matrix.device, bar)
    return like(phi, gram)


class _Blocks:
    """v(S) for all coalitions S of the first agents, joined by some of the others: the blocks `fold` asks for."""

    def __init__(self, matrix: Tensor):
        matrix = matrix / matrix.diagonal().max()
        n = len(matrix)
        self.low = min(n, 18 if matrix.is_cuda else BLOCK)
        self.gram = matrix.cpu()
        self.norms = self.gram.diagonal().sqrt()
        self.g = self.gram.sum(1) / self.gram.sum().sqrt()
        self.small = CANCELLED * self.norms.sum().item() ** 2
        empty = partial(torch.empty, 2**self.low, dtype=torch.float64, device=matrix.device)
        self.first_g = doubled(0.0, self.g[: self.low].tolist(), empty())
        self.first_norms = doubled(0.0, self.norms[: self.low].tolist(), empty())
        self.first_squares = empty()
        self.first_squares[0] = 0.0
        scratch = empty()
        for j in range(self.low):       # |u_S + a_j|^2 = |u_S|^2 + |a_j|^2 + 2 <u_S, a_j>
            half = doubled(self.gram[j, j].item(), (2 * self.gram[j, :j]).tolist(), scratch[: 1 << j])
            torch.add(self.first_squares[: 1 << j], half, out=self.first_squares[1 << j : 2 << j])
        self.squares, self.values = empty(), empty()

    def __call__(self, others: tuple[int, ...]) -> Tensor:
        rows = self.gram[list(others)]
        cross = rows.sum(0)
        inside = cross[list(others)].sum().item()
        squares = doubled(inside, (2 * cross[: self.low]).tolist(), self.squares).add_(self.first_squares)
        torch.rsqrt(squares, out=self.values)
        if squares.min() <= self.small:
            norms = self.first_norms + self.norms[list(others)].sum().item()
            self.values.masked_fill_(squares <= CANCELLED * norms**2, 0.0)
        return self.values.mul_(self.first_g + self.g[list(others)].sum().item())


def _cancels(matrix: Tensor) -> bool:
    """Whether u_N = 0 to within rounding."""
    return bool(matrix.sum() <= CANCELLED * matrix.diagonal().sqrt().sum() ** 2)


def _checked(gram) -> Tensor:
    matrix = tensor(gram, "gram", 2)
    matrix = matrix.to(float64_device(matrix), torch.float64)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"a Gram matrix is square, not {tuple(matrix.shape)}: did you pass the updates?")
    bad = (~matrix.isfinite()).any(1).nonzero().flatten().tolist()
    if bad:
        raise ValueError(f"the Gram matrix is not finite in the rows of agents {bad} (counted from 0)")
    top = matrix.abs().max()
    if (matrix - matrix.T).abs().max() > 1e-6 * top or (matrix.diagonal() < 0).any():
        raise ValueError("a Gram matrix is symmetric, with squared norms on its diagonal")
    return matrix / top if top > 0 else matrix


def _weights(weights, updates: Tensor) -> Tensor:
    device = float64_device(updates)
    if weights is None:
        return torch.ones(len(updates), dtype=torch.float64, device=device)
    r = tensor(weights, "weights", 1).to(device, torch.float64)
    if len(r) != len(updates) or not r.isfinite().all():
        raise ValueError(f"weights must be {len(updates)} finite numbers, one an agent, not {r.tolist()}")
    return r


def _largest(vectors: Tensor, name: str = "updates") -> Tensor:
    """(N,) largest magnitude in each row."""
    if vectors.shape[1] == 0:
        raise ValueError(f"{name} must have at least one parameter")
    top = torch.linalg.vector_norm(vectors, ord=torch.inf, dim=1)
    bad = (~top.isfinite()).nonzero().flatten().tolist()
    if bad:
        raise ValueError(f"{name} must be finite; rows with NaN or infinity: {bad}")
    return top.to(float64_device(vectors), torch.float64)


def _scale(largest: Tensor) -> Tensor:
    """What to divide by before squaring: `largest` where a square could over- or underflow, 1 elsewhere."""
    return largest.where((largest > 0) & ((largest < 1e-100) | (largest > 1e100)), 1.0)


def _slices(vectors: Tensor, scale: Tensor) -> Iterator[Tensor]:
    """The columns in slices, float64, divided by `scale`."""
    step = COLUMNS if vectors.device.type == "cpu" else 64 * COLUMNS
    for columns in vectors.split(step, dim=1):
        columns = columns.to(float64_device(vectors), torch.float64)
        yield columns if (scale == 1).all() else columns / scale
