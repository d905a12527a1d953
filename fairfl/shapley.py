"""The Shapley value of any cooperative game (Xu et al. 2021, Sec. 3.2; chapter "Who
contributed?").

A game is a callable that takes a boolean coalition matrix (M, N), True where agent j
belongs to coalition m, and returns the M values, or the table of all 2^N values:
coalition S stands at the index whose bit j says whether agent j is in S. The value of
the empty coalition need not be 0; efficiency then reads sum(phi) = v(all) - v(nobody).
`sampling` is for games that are too large for this module.
"""

from collections.abc import Callable
from itertools import combinations
from math import comb

import torch
from torch import Tensor
from tqdm.auto import tqdm

from fairfl import _checks
from fairfl._arrays import like, tensor
from fairfl._parallel import one_core, spread

Game = Callable[[Tensor], Tensor]
# Given some of the agents low..N-1 and two rows (2, 2^low) to compute in: the values
# (2^low,) float64 of these agents joined with every coalition of the agents 0..low-1.
Block = Callable[[tuple[int, ...], Tensor], Tensor]
BLOCK = 16          # 2^16 doubles stay in the cache: fast as well as small
LIMIT = 30          # agents; two more take four times as long


def coalitions(n: int) -> Tensor:
    """All coalitions of n agents as a boolean matrix (2^n, n); row number = bitmask,
    agent j = bit j."""
    return (torch.arange(1 << n)[:, None] >> torch.arange(n)) % 2 == 1


def values(game: Game, members: Tensor) -> Tensor:
    """The game's values of the coalitions in the boolean matrix `members` (M, N): (M,)
    float64 on the CPU. ValueError if these are not M finite values."""
    found = tensor(game(members), "what the game returns").to("cpu", torch.float64)
    if found.shape != members.shape[:1]:
        m = len(members)
        raise ValueError(f"a game must return one value for each of {m} coalitions, "
                         f"shape ({m},), not {tuple(found.shape)}")
    _check_finite(found, lambda m: members[m].nonzero().flatten().tolist())
    return found


def exact(game, agents: int | None = None, limit: int = LIMIT):
    """The Shapley value of all N agents at once, O(2^N) time beside the game's own.

    Args:
        game: a callable on boolean coalition matrices, or the table of all 2^N values
            (numpy or torch; index = bitmask, agent j = bit j).
        agents, limit: N, and the largest N that is accepted; only for a callable.
    Returns:
        (N,) float64; for a table the same kind of array on the same device.
    ValueError: a table whose length is no power of two, a value that is not finite (the
    message names the coalition), N missing, or above the limit.
    """
    if callable(game):
        if agents is None:
            raise ValueError("for a callable the number of agents must be given")
        return _exact_of_callable(game, agents, limit)
    table = tensor(game, "table", 1)
    n = table.numel().bit_length() - 1
    if n < 1 or table.numel() != 1 << n:
        raise ValueError(f"a table has 2^N values, N >= 1, not {table.numel()}")
    _check_finite(table, lambda m: [j for j in range(n) if m >> j & 1])
    low = min(n, BLOCK)

    def block(others: tuple[int, ...], space: Tensor) -> Tensor:
        start = sum(1 << j for j in others)
        return table[start : start + (1 << low)].double()

    with one_core() as workers:
        return like(fold(n, low, block, table.device, workers), game)


def _exact_of_callable(game: Game, agents: int, limit: int) -> Tensor:
    _checks.whole(agents=agents)
    check_limit(agents, limit)
    low = min(agents, BLOCK)
    members = torch.zeros(1 << low, agents, dtype=torch.bool)
    members[:, :low] = coalitions(low)

    def block(others: tuple[int, ...], space: Tensor) -> Tensor:
        joined = members.clone()
        joined[:, others] = True
        return values(game, joined)

    return fold(agents, low, block)


def check_limit(agents: int, limit: int) -> None:
    """ValueError if 2^agents coalitions are more than the caller asked for."""
    if agents > limit:
        raise ValueError(
            f"the exact value of {agents} agents needs 2^{agents} coalitions; the "
            f"limit is {limit} agents. Use a sampled value or an approximation (from "
            f"Python, limit={agents} insists)")


def _check_finite(found: Tensor, coalition: Callable[[int], list[int]]) -> None:
    """`coalition`: the members of the one at a place in `found`."""
    if not found.isfinite().all():
        m = int((~found.isfinite()).nonzero()[0])
        raise ValueError(f"the value of coalition {coalition(m)} (agents counted from "
                         f"0) is {found[m].item()}")


def fold(n: int, low: int, block: Block, device: torch.device | str = "cpu",
         workers: int = 1) -> Tensor:
    """Shapley values of a game in blocks: the table of 2^N values is never held.

    A coalition S of s agents enters phi_i with weight -b_s, b_s = s! (N-s-1)! / N!, if
    i is not in it, and with weight (s-1)! (N-s)! / N! = c_s - b_s, c_s = 1 / ((N-1)
    binom(N-2, s-1)), if it is (c_N = 1/N, b_N = 0). So

        phi_i = sum_{S with i} c_|S| v(S) - sum_S b_|S| v(S).

    The second sum is the same for all agents, the first is what `marginals` computes
    for all agents at once.

    Args:
        n: N, the number of agents.
        block: see `Block`. Its values are read before the next call, and not kept.
        device: where the blocks lie.
        workers: threads that call `block`. More than one only for a block that is safe
            with threads, and `_parallel.one_core`.
    Returns:
        (N,) float64, whatever the number of workers. N > 24 shows a progress bar.
    """
    weights = [w.to(device) for w in _weights(n)]
    sizes = additive(torch.ones(low, dtype=torch.int64)).to(device)

    def of_size(size: int) -> Tensor:
        """The part of the coalitions with `size` of the agents low..N-1."""
        c, b = (w[sizes + size] for w in weights)
        space = torch.empty(2, 1 << low, dtype=torch.float64, device=device)
        total = torch.zeros_like(space[0])
        rest = torch.zeros(n - low, dtype=torch.float64)
        for others in combinations(range(low, n), size):
            found = block(others, space)
            total += found
            if others:
                rest[[j - low for j in others]] += torch.dot(c, found).item()
            with bar.get_lock():
                bar.update()
        return torch.cat([marginals(c * total), rest.to(device)]) - torch.dot(b, total)

    by_length = sorted(range(n - low + 1), key=lambda size: abs(2 * size - n + low))
    with tqdm(total=1 << (n - low), desc=f"exact Shapley value, N = {n}", unit="block",
              disable=n <= 24) as bar:
        if workers > 1 and n > low:
            parts = spread(of_size, by_length, workers, device)
        else:
            parts = [of_size(size) for size in by_length]
    return torch.stack(parts).sum(0)


def marginals(table: Tensor) -> Tensor:
    """For every agent the sum of `table` over the coalitions that hold it, by halving:
    the upper half of the table is the coalitions with the last agent; add it to the
    lower half, and the last agent is gone. O(2^N)."""
    sums = []
    while table.numel() > 1:
        without, with_last = table.chunk(2)
        sums.append(with_last.sum())
        table = without + with_last
    return torch.stack(sums[::-1]) if sums else table[:0]


def additive(x: Tensor) -> Tensor:
    """(2^k,) sum of x_j over the members j of each coalition, by doubling: those with
    agent j are those without it, plus x_j. O(2^k)."""
    sums = x.new_zeros(2 ** len(x))
    for j, step in enumerate(x.tolist()):
        torch.add(sums[: 1 << j], step, out=sums[1 << j : 2 << j])
    return sums


def _weights(n: int) -> tuple[Tensor, Tensor]:
    """c_s and b_s of `fold` for s = 0..n; nobody is in the empty coalition: c_0 = 0."""
    c = [0.0, *(1 / ((n - 1) * comb(n - 2, s - 1)) for s in range(1, n)), 1 / n]
    b = [1 / (n * comb(n - 1, s)) for s in range(n)] + [0.0]
    return torch.tensor(c, dtype=torch.float64), torch.tensor(b, dtype=torch.float64)
