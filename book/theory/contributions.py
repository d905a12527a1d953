"""A game in which agents choose how much they bring: best answers and equilibria, by
trying all profiles. Chapter "Is it an incentive?".

A profile says which of its options each of N agents takes. What the agents have of all
profiles is one tensor, (N, ..., L_1, ..., L_N), agent i's options in the i-th of the
last N dimensions; what stands between solves many games at a time. Libraries of game
theory solve one game in a call; a bootstrap needs thousands of them, and trying all is
exact for pure strategies.
"""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor


def regret(payoffs: Tensor) -> Tensor:
    """The most that an agent gains by leaving a profile alone, >= 0, (..., L_1, ...,
    L_N); 0 just at the pure equilibria (Nash). ValueError: not as many dimensions."""
    n = len(payoffs)
    if payoffs.ndim < n + 1:
        raise ValueError(f"{n} agents need {n} dimensions of options, not "
                         f"{payoffs.ndim - 1}")
    gains = [own.amax(i - n, keepdim=True) - own for i, own in enumerate(payoffs)]
    return torch.stack(gains).amax(0)


def equilibria(payoffs: Tensor) -> list[tuple[int, ...]]:
    """The profiles of one game, (N, L_1, ..., L_N), that no agent leaves alone; an
    empty list where there are none in pure strategies."""
    return [tuple(profile) for profile in (regret(payoffs) == 0).nonzero().tolist()]


def everywhere(taken: Tensor, options: int) -> Tensor:
    """What alike agents have in all profiles, from those in ascending order.

    Args:
        taken: (..., P, N), what each agent has in the P profiles that do not fall, in
            the order of `itertools.combinations_with_replacement`. Agents with the same
            option get the mean of what these have.
        options: of each agent.

    Returns:
        (N, ..., options, ..., options).
    """
    n = taken.shape[-1]
    profiles = list(product(range(options), repeat=n))
    row = {p: k for k, p in enumerate(
        p for p in profiles if all(a <= b for a, b in zip(p, p[1:], strict=False)))}
    if len(row) != taken.shape[-2]:
        raise ValueError(f"{n} agents with {options} options have {len(row)} ascending "
                         f"profiles, not {taken.shape[-2]}")
    alike = torch.zeros(len(row), n, n, dtype=taken.dtype)
    for profile, k in row.items():
        same = torch.tensor(profile)
        alike[k] = same[:, None] == same
    alike /= alike.sum(-1, keepdim=True)
    means = (alike @ taken[..., None]).squeeze(-1)
    rows = [row[tuple(sorted(p))] for p in profiles]
    shape = *taken.shape[:-2], *[options] * n
    return torch.stack([
        means[..., rows, [sorted(p).index(p[i]) for p in profiles]].reshape(shape)
        for i in range(n)])


def ascending(options: int, agents: int) -> Tensor:
    """Which profiles do not fall: one of each that differ only in who is who, (options,
    ..., options) bool."""
    grid = torch.cartesian_prod(*[torch.arange(options)] * agents)
    return (grid.diff(dim=1) >= 0).all(1).reshape([options] * agents)


def brought(levels: Sequence[float], agents: int) -> Tensor:
    """What each agent brings in each profile, (N, L, ..., L)."""
    own = torch.tensor(levels, dtype=torch.float64)
    return torch.stack(torch.meshgrid(*[own] * agents, indexing="ij"))


class Ends(NamedTuple):
    """Of games, (...); means over their equilibria, NaN where there is none."""

    number: Tensor  # of equilibria
    brings: Tensor  # samples of an agent
    least: Tensor  # agents at the lowest level, as a share
    utility: Tensor  # of an agent
    worst: Tensor  # mean utility in the worst equilibrium
    best: Tensor  # the most that any profile gives on average


def ends(payoffs: Tensor, samples: Tensor, among: Tensor) -> Ends:
    """How games end.

    Args:
        payoffs: (N, ..., L, ..., L).
        samples: (N, L, ..., L), see `brought`.
        among: (L, ..., L) bool, the profiles that count, see `ascending`.
    """
    n, mean = len(payoffs), payoffs.mean(0)
    stays = (regret(payoffs) == 0).flatten(-n)[..., among.flatten()]
    mean = mean.flatten(-n)[..., among.flatten()]
    total = samples.mean(0)[among]
    low = (samples == samples.min()).double().mean(0)[among]
    number = stays.sum(-1)

    def over(values: Tensor) -> Tensor:
        return (values * stays).sum(-1) / number

    worst = mean.where(stays, torch.inf).amin(-1)
    worst = worst.where(number > 0, torch.nan)
    return Ends(number, over(total), over(low), over(mean), worst, mean.amax(-1))
