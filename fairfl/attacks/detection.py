"""Uploads that are put together from the others' uploads: what part of each is its own?

An agent who knows what others upload can upload a mixture of it and has nothing of its
own to give. The mixture lies in the cone that the others span, and honest updates do
not, so long as they differ. Noise hides a mixture. Chapter "When agents cheat".
"""

from typing import NamedTuple

import torch
from torch import Tensor

from fairfl import _checks, cgsv
from fairfl._arrays import like

ROUNDING = 1e-14  # what is left of an eigenvalue 0, for each vector
RIDGE = 1e-7      # of |c|, so that u_j and -u_j cannot both enter with huge weights


class Mixtures(NamedTuple):
    """For each agent the mixture of the others that comes nearest to its upload."""

    weights: Tensor  # (n, M) >= 0, of the others at length 1; 0 for the agent itself
    residual: Tensor  # (n,) in [0, 1], what the mixture misses, in parts of the upload


def mixtures(gram, agents: int | None = None) -> Mixtures:
    """residual_i = min over c >= 0 of |u_i - sum_{j != i} c_j u_j| / |u_i|, and the c.

    Non-negative least squares (Lawson and Hanson, 1974) from inner products alone, so
    that the number of parameters does not matter, and lengths do not, either. 0 says
    that an upload is a mixture of the others, to about 1e-7 of its length; 1 that no
    mixture comes nearer to it than nothing does. Where several mixtures are equally
    near, as with copies, the weights are those of one of them.

    Args:
        gram: (M, M) inner products of the vectors (`cgsv.gram`).
        agents: only the first so many vectors are looked at; those that follow are
            known, too, such as uploads of the round before. None: all.
    Returns:
        Float64, of the kind of `gram`. An upload of zero has the residual 0.
        ValueError: as `cgsv.checked`; `agents` is not a number from 1 to M.
    """
    matrix = cgsv.checked(gram).cpu()
    count = len(matrix) if agents is None else agents
    _checks.whole(agents=count)
    _checks.within(1, len(matrix), agents=count)
    lengths = matrix.diagonal().sqrt()
    there = lengths > 0
    units = matrix / torch.outer(lengths, lengths).where(there & there[:, None], 1.0)
    values, axes = torch.linalg.eigh(units)
    values[values < ROUNDING * len(matrix)] = 0.0
    points = axes * values.sqrt()  # rows with these inner products
    weights = torch.zeros(count, len(matrix), dtype=torch.float64)
    residual = torch.zeros(count, dtype=torch.float64)
    for i in there[:count].nonzero().flatten().tolist():
        others = there & (torch.arange(len(there)) != i)
        weights[i, others], residual[i] = _nearest(points[others], points[i])
    return Mixtures(like(weights, gram), like(residual.clamp(max=1), gram))


def _nearest(others: Tensor, point: Tensor) -> tuple[Tensor, float]:
    """The mixture of the rows (k, d) that is nearest to a point of length 1, and how
    far off it is."""
    from scipy.optimize import nnls

    if not len(others):
        return others.new_zeros(0), 1.0
    columns = torch.cat([others.T, RIDGE * torch.eye(len(others)).double()])
    goal = torch.nn.functional.pad(point, (0, len(others)))
    found = torch.from_numpy(nnls(columns.numpy(), goal.numpy())[0])
    return found, float((point - found @ others).norm())
