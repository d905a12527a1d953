"""The cosine game in blocks of coalitions: from `cgsv.exact` to `shapley.fold`."""

import torch
from torch import Tensor

from fairfl._arrays import CANCELLED
from fairfl.shapley import BLOCK, additive, coalitions


class Blocks:
    """v(S) = g(S) / h(S) of all coalitions S of the first `low` agents, joined by some
    of the others: a `shapley.Block`. Calls from several threads are safe. `matrix`,
    (N, N), is the checked Gram matrix of agents that all have an update.
    """

    def __init__(self, matrix: Tensor):
        self.low = min(len(matrix), 18 if matrix.is_cuda else BLOCK)
        self.half = self.low // 2
        # the few numbers that change from block to block; the tables lie on the device
        self.gram = matrix.cpu()
        self.norms = self.gram.diagonal().sqrt()
        self.g = self.gram.sum(1) / self.gram.sum().sqrt()
        self.smallest = CANCELLED * self.norms.sum().item() ** 2
        first = slice(self.low)
        self.first_g = additive(self.g[first]).to(matrix.device)
        self.first_norms = additive(self.norms[first]).to(matrix.device)
        self.first_squares = squared_norms(self.gram[first, first]).to(matrix.device)
        sizes = self.half, self.low - self.half
        self.members = [coalitions(k).double() for k in sizes]

    def __call__(self, others: tuple[int, ...], space: Tensor) -> Tensor:
        squares, values = space
        added = list(others)
        cross = self.gram[added].sum(0)  # <a_k, u_B>, B the coalition of the others
        g, norm = self.g[added].sum().item(), self.norms[added].sum().item()
        # |u_S + u_B|^2 = |u_S|^2 + 2 <u_S, u_B> + |u_B|^2, the middle term from one
        # table for each half of S
        right = self.members[0] @ (2 * cross[: self.half])
        left = self.members[1] @ (2 * cross[self.half : self.low]) + cross[added].sum()
        table = squares.view(len(left), len(right))
        left = left.to(values.device)[:, None]
        torch.add(self.first_squares.view(table.shape), left, out=table)
        table += right.to(values.device)
        torch.sqrt(squares, out=values)
        torch.div(self.first_g + g, values, out=values)
        if squares.amin() <= self.smallest:
            values[squares <= CANCELLED * (self.first_norms + norm) ** 2] = 0.0
        return values


def squared_norms(gram: Tensor) -> Tensor:
    """(2^N,) h(S)^2 = |u_S|^2 of every coalition, by doubling:
    |u_S + a_j|^2 = |u_S|^2 + 2 <u_S, a_j> + |a_j|^2."""
    squares = gram.new_zeros(1 << len(gram))
    for j, row in enumerate(gram):
        doubled = squares[: 1 << j] + 2 * additive(row[:j]) + row[j]
        squares[1 << j : 2 << j] = doubled
    return squares
