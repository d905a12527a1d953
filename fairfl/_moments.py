"""Moments of sums over random coalitions, in closed form; what
`approximation.certificate` is made of."""

import torch
from torch import Tensor


class Moments:
    """Moments of Q(T) = sum_{j in T} a_j + sum_{j != k in T} E_jk, T uniform of size
    m = 0..n among n items.

    Each case c has items of its own, `items` (C, N) 0 or 1 with n ones a row, and its
    own a (C, N). Results are (C, n + 1). P(j_1, .., j_k in T) = m (m-1) .. / n (n-1) ..
    for different items, so each moment is a sum over which indices coincide.
    """

    def __init__(self, items: Tensor, excess: Tensor, a: Tensor):
        n = int(items[0].sum())
        m = torch.arange(n + 1, dtype=items.dtype, device=items.device)
        self.p = [torch.ones_like(m)]  # p[k]: P(k given items are in T)
        for t in range(4):
            self.p.append(self.p[-1] * (m - t).clamp(min=0) / max(n - t, 1))
        self.items, self.a = items, a * items
        self.rows = (items @ excess) * items  # sum_k E_jk over the items
        self.pairs = self.rows.sum(1)
        self.squared_pairs = ((items @ excess**2) * items).sum(1)

    def of(self, x: Tensor) -> Tensor:
        """E sum_{j in T} x_j."""
        return (self.items @ x)[:, None] * self.p[1]

    def mean(self) -> Tensor:
        """E Q."""
        return self.a.sum(1)[:, None] * self.p[1] + self.pairs[:, None] * self.p[2]

    def times(self, x: Tensor) -> Tensor:
        """E [Q sum_{j in T} x_j]."""
        x = x * self.items
        same, total, along = (x * self.a).sum(1), x.sum(1), 2 * (x * self.rows).sum(1)
        return self._sum(same, total * self.a.sum(1) - same + along,
                         self.pairs * total - along)

    def square(self, constant: Tensor) -> Tensor:
        """E (constant + Q)^2, constant (C,)."""
        pairs, doubles, total = self.pairs, self.squared_pairs, self.a.sum(1)
        squares, along = (self.a**2).sum(1), (self.a * self.rows).sum(1)
        row_squares = (self.rows**2).sum(1)
        found = self._sum(
            squares,
            total**2 - squares + 4 * along + 2 * doubles,
            2 * (pairs * total - 2 * along) + 4 * (row_squares - doubles),
            pairs**2 - 4 * row_squares + 2 * doubles,
        )
        shift = constant[:, None]
        return (shift**2 + 2 * shift * self.mean() + found).clamp(min=0)

    def _sum(self, *parts: Tensor) -> Tensor:
        """The k-th part times the probability that k given items are in T, summed."""
        terms = zip(parts, self.p[1 : len(parts) + 1], strict=True)
        return torch.stack([part[:, None] * p for part, p in terms]).sum(0)
