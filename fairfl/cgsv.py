"""The cosine gradient Shapley value, eqs. (2) and (3) of Xu et al. (2021); chapter
"Cosine gradient Shapley value".

The value of a coalition is v(S) = cos(u_S, u_N), u_S = sum of a_i over S, a_i = r_i
u_i, and 0 where u_S = 0. All values depend on the updates through their Gram matrix
<a_i, a_j> only, so every function but `gram` and `cosine` takes that matrix, in any
scale, and costs nothing in the number D of parameters. numpy arrays and torch tensors
of any device are taken, and the same kind is returned; sums are float64.
"""

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

from fairfl import _arrays, sampling
from fairfl._arrays import CANCELLED, float64_device, like, slices, tensor
from fairfl._blocks import Blocks
from fairfl._blocks import squared_norms as squared_norms  # part of this module
from fairfl._parallel import one_core
from fairfl.games import size_scaled
from fairfl.shapley import LIMIT, Game, check_limit, fold


def gram(updates, weights=None):
    """Gram matrix G of a_i = r_i u_i: G_ij = <a_i, a_j>.

    Args:
        updates: (N, D) one update u_i per row, any floating dtype.
        weights: (N,) the r_i inside u_S, eq. (1); None for the unweighted game.
    Returns:
        (N, N) float64. ValueError: shapes that do not match, or an entry is not finite.
    """
    u = tensor(updates, "updates", 2)
    r = _weights(weights, u)
    total = torch.zeros(len(u), len(u), dtype=torch.float64, device=r.device)
    for columns in slices(u):
        a = r[:, None] * columns
        total += a @ a.T
    _arrays.check_finite(total.diagonal(), "updates")
    return like(total, updates)


def game(gram) -> Game:
    """The game itself, v(S) = cos(u_S, u_N): a callable on boolean coalition matrices
    (`shapley`), which computes coalition by coalition what `exact` does by doubling."""
    matrix = checked(gram).cpu()
    norms, g = matrix.diagonal().sqrt(), torch.zeros(len(matrix), dtype=torch.float64)
    if not cancels(matrix):
        g = matrix.sum(1) / matrix.sum().sqrt()

    def value(members: Tensor) -> Tensor:
        inside = members.to("cpu", torch.float64)
        squares = ((inside @ matrix) * inside).sum(1)
        alive = squares > CANCELLED * (inside @ norms) ** 2
        return torch.where(alive, inside @ g / squares.where(alive, 1.0).sqrt(), 0.0)

    return value


def cosine(updates, aggregate, lengths=None):
    """Eq. (3): psi_i = cos(u_i, u_N), the cosine approximation of the CGSV; 0 where
    either vector is zero.

    Args:
        updates: (..., N, D) one update u_i per row, any floating dtype and any scale.
        aggregate: (..., D) u_N; exactly 0 where they cancel (`rewards.aggregate`).
        lengths: (..., N) |u_i|, where they are known.
    Returns:
        (..., N) float64, each in [-1, 1].
    """
    u, whole = tensor(updates, "updates"), tensor(aggregate, "aggregate")
    if u.shape[:-2] + u.shape[-1:] != whole.shape:
        raise ValueError(f"updates of shape {tuple(u.shape)} do not fit an aggregate "
                         f"of shape {tuple(whole.shape)}")
    lengths = _arrays.norms(u) if lengths is None else lengths
    inner = reduce(torch.add, _arrays.read(u, lambda columns, where: (
        columns @ whole[..., where].to(columns)[..., None]).squeeze(-1)))
    length = _arrays.norms(whole, "aggregate")
    return like(cosines(inner, lengths, length), updates)


def cosines(inner: Tensor, lengths: Tensor, length: Tensor) -> Tensor:
    """Eq. (3) from <u_i, u_N> and |u_i|, both (..., N), and |u_N|, (...)."""
    products = lengths * length[..., None]
    return (inner / products).clamp(-1, 1).where(products > 0, 0.0)


def psi(gram):
    """Eq. (3) from the Gram matrix: psi_i = v({i}), the value that agent i has alone,
    (N, N) -> (N,) float64."""
    matrix = checked(gram)
    alone = torch.eye(len(matrix), dtype=torch.bool)
    return like(game(matrix)(alone).to(matrix.device), gram)


def exact(gram, limit: int = LIMIT):
    """Eq. (2): the CGSV phi_i of every agent from the Gram matrix, exactly, in O(2^N)
    time and constant memory.

    With g_i = <a_i, u_N> / |u_N|, both g(S) = sum of g_i and h(S)^2 = |u_S|^2 double
    from one agent to the next, and v(S) = g(S) / h(S). The Shapley weights are applied
    to blocks of coalitions that fit into the cache (`fairfl.shapley.fold`).

    Args:
        gram: (N, N) Gram matrix of the a_i (`gram`), up to a positive factor.
        limit: the largest number of agents with a non-zero update that is accepted.
    Returns:
        (N,) float64; sums to 1, or is 0 throughout if u_N = 0. An agent without an
        update gets exactly 0.
    """
    matrix = checked(gram)
    check_limit(int((matrix.diagonal() > 0).sum()), limit)
    active, inner = counting(matrix)
    if not len(active):
        return everyone(inner.new_zeros(0), active, gram)
    with one_core() as workers:
        blocks = Blocks(inner)
        phi = fold(len(active), blocks.low, blocks, inner.device, workers)
    return everyone(phi, active, gram)


def sampled(gram, seed: int, permutations: int | None = None,
            error: float | None = None, *, paired: bool = True, control: bool = True,
            confidence: float = 0.95, names: Sequence[str | int] | None = None
           ) -> sampling.Estimate:
    """The CGSV by sampling permutations, for any N, in O(N^2) time a permutation.

    The default pairs each permutation with its reverse and samples the difference to
    g(S) / mean norm of the coalitions of |S| agents only, whose Shapley value is known
    (`games.size_scaled`). With both switched off it is the textbook's estimator.

    Args:
        gram: (N, N) Gram matrix of the a_i (`gram`), up to a positive factor.
        seed, permutations, error, paired, confidence, names: see `sampling.sampled`.
    Returns:
        `sampling.Estimate` with arrays of the kind of `gram`; an agent without an
        update gets exactly 0.
    """
    matrix = checked(gram)
    names = range(len(matrix)) if names is None else names
    if len(names) != len(matrix):
        raise ValueError(f"{len(matrix)} agents need {len(matrix)} names, "
                         f"not {list(names)}")
    active, inner = counting(matrix)
    inner = inner.cpu()
    nothing = inner.new_zeros(0)
    found = sampling.Estimate(nothing, nothing, nothing, 0)
    if len(active):
        g, means = inner.sum(1) / inner.sum().sqrt(), mean_squares(inner)
        found = sampling.sampled(
            game(inner), len(active), seed, permutations, error, paired=paired,
            control=size_scaled(g, means.rsqrt()) if control else None,
            confidence=confidence, span=None if control else 2.0,
            names=[names[i] for i in active.tolist()],
        )
    values, spread, bound = (everyone(part, active, gram) for part in found[:3])
    return sampling.Estimate(values, spread, bound, found.permutations)


def counting(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """The agents that count, (n,) int64, and their part of the checked Gram matrix, (n,
    n): those with an update (a null player changes no value); none where u_N = 0."""
    active = (matrix.diagonal() > 0).nonzero().flatten()
    if cancels(matrix):
        active = active[:0]
    return active, matrix[active][:, active]


def everyone(part: Tensor, active: Tensor, gram):
    """Values of the counting agents, (n,), as those of all, (N,), 0 for the others."""
    whole = torch.zeros(len(gram), dtype=torch.float64, device=active.device)
    return like(whole.index_copy(0, active, part.to(active.device)), gram)


def mean_squares(gram: Tensor) -> Tensor:
    """Mean of h(S)^2 = |u_S|^2 over the coalitions of s = 1..N agents: (N, N) -> (N,).

    s/N sum_i G_ii + s (s-1) / (N (N-1)) sum_{i != j} G_ij.
    """
    n = len(gram)
    s = torch.arange(1, n + 1, dtype=gram.dtype, device=gram.device)
    own, all_pairs = gram.diagonal().sum(), gram.sum()
    return s / n * own + s * (s - 1) / max(n * (n - 1), 1) * (all_pairs - own)


def cancels(matrix: Tensor) -> bool:
    """Whether u_N = 0 to within rounding."""
    return bool(matrix.sum() <= CANCELLED * matrix.diagonal().sqrt().sum() ** 2)


def checked(gram) -> Tensor:
    """A Gram matrix as float64 tensor, divided by its largest entry.

    ValueError: it is not square, not finite (the message names the agents) or not
    symmetric, or no vectors have these inner products: an eigenvalue is negative.
    """
    matrix = tensor(gram, "gram", 2)
    matrix = matrix.to(float64_device(matrix), torch.float64)
    if len(matrix) != len(matrix.T):
        raise ValueError(f"a Gram matrix is square, not {tuple(matrix.shape)}: did you "
                         "pass the updates?")
    if bad := (~matrix.isfinite()).any(1).nonzero().flatten().tolist():
        raise ValueError(f"the Gram matrix is not finite in the rows of agents {bad} "
                         "(counted from 0)")
    top = matrix.abs().max()
    if (matrix - matrix.T).abs().max() > 1e-6 * top or (matrix.diagonal() < 0).any():
        raise ValueError("a Gram matrix is symmetric, squared norms on its diagonal")
    least = torch.linalg.eigvalsh(matrix)[0].item()
    if least < -1e-6 * matrix.trace():
        raise ValueError("gram is no Gram matrix: no vectors have these inner "
                         f"products, it has the negative eigenvalue {least:.3g}")
    return matrix / top if top > 0 else matrix


def _weights(weights, updates: Tensor) -> Tensor:
    device = float64_device(updates)
    if weights is None:
        return torch.ones(len(updates), dtype=torch.float64, device=device)
    r = tensor(weights, "weights", 1).to(device, torch.float64)
    if len(r) != len(updates) or not r.isfinite().all():
        raise ValueError(f"weights must be {len(updates)} finite numbers, one an "
                         f"agent, not {r.tolist()}")
    return r
