"""Dirichlet: agents with equally many samples, each in class shares of its own."""

import numpy as np
import torch

from fairfl import _checks
from fairfl.partition.base import Agent, Pool, contents, named, share
from fairfl.partition.sizes import rounded
from fairfl.randomness import derived_seed, generator


def dirichlet(data: Pool, agents: int, size: int | None, seed: int,
              concentration: float = 0.5) -> list[Agent]:
    """`size` samples for each agent, no sample twice, ordered by class; its shares of
    the classes are drawn from a symmetric Dirichlet distribution (as Hsu, Qi and Brown
    2019 do, but with each class equally likely).

    Where the agents want more of a class than there is, all of them get the same
    fraction of what they want, and fill up with the classes that are left, in
    proportion to their shares.

    Args:
        concentration: > 0. Small: agents of one or two classes each. Large: all alike.

    Raises:
        ValueError: as in `uniform`, or a concentration that is not positive and finite.
    """
    _checks.positive(concentration=concentration)
    x, y, c = contents(data)
    size = share(agents, size, len(y))
    numbers = np.random.default_rng(derived_seed(seed, "partition", "dirichlet"))
    shares = numbers.dirichlet([concentration] * c, size=agents)
    members = [(y == label).nonzero().flatten() for label in range(c)]
    counts = allot(shares, size, [len(m) for m in members])
    parts = []  # by class, then by agent
    for label, member in enumerate(members):
        wanted = counts[:, label].tolist()
        draws = generator(seed, "partition", "dirichlet", label)
        order = torch.randperm(len(member), generator=draws)
        parts.append(member[order[: sum(wanted)]].split(wanted))
    return named(x, y, [torch.cat(shard) for shard in zip(*parts, strict=True)])


def allot(shares: np.ndarray, size: int, supply: list[int]) -> np.ndarray:
    """Samples of each class for each agent, (N, C) as the shares: `size` an agent, no
    more of a class than its supply, which is N * size in all, at least.

    Each turn, the agents ask for what they lack, in proportion to their shares of the
    classes that are left; a class that is asked for too often is split in proportion to
    what was asked for. So each turn but the last empties a class.
    """
    counts, left = np.zeros(shares.shape, dtype=np.int64), np.array(supply)
    while (lacking := size - counts.sum(1)).any():
        weights = shares * (left > 0)
        weights[weights.sum(1) == 0] = left  # all that this agent wants is gone
        wishes = zip(weights, lacking.tolist(), strict=True)
        asked = np.array([rounded(row, n) for row, n in wishes])
        for label in range(len(left)):
            if asked[:, label].sum() > left[label]:
                asked[:, label] = rounded(asked[:, label], int(left[label]))
        counts, left = counts + asked, left - asked.sum(0)
    return counts
