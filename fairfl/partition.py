"""Who holds which data: UNI, POW, CLA and label noise (Sec. 5 of the paper). Chapter "Data and partitions".

A pool of samples (a `datasets.Data`, or a pair x, y) is dealt out to agents "1" to "N". Draws depend on the
seed and on what is drawn, never on a global state.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from fairfl.datasets import Data
from fairfl.randomness import generator

Pool = Data | tuple[Tensor, Tensor]


class Agent(NamedTuple):
    """One participant and its samples."""

    key: str
    x: Tensor  # (n, ...) floating point
    y: Tensor  # (n,) int64


def uniform(data: Pool, agents: int, size: int, seed: int) -> list[Agent]:
    """UNI: `size` random samples for each agent, no sample twice.

    Raises:
        ValueError: fewer than agents * size samples (the message names the largest shard that fits), or a
            number below 1.
    """
    _check_at_least_one(agents, size)
    return _deal(data, [size] * agents, seed, "uni")


def power_law(
    data: Pool, agents: int, size: int, seed: int, exponent: float = 1.659, law: str = "power"
) -> list[Agent]:
    """POW: random samples, `size` an agent on average, no sample twice; a later agent never holds fewer, save
    for the last agent's cut below.

    Args:
        exponent: a > 0 in the laws.
        law: "power", n_i in proportion to i^a, rounded by largest remainder to a sum of exactly
            agents * size, no agent empty; "arithmetic", n_i in proportion to an arithmetic progression from
            the 1 % to the 99 % quantile of the density a x^(a-1) on [0, 1], rounded up, the last agent cut to
            the same sum.

    Raises:
        ValueError: as in `uniform`; an unknown law; a progression whose cut leaves the last agent empty.
    """
    _check_at_least_one(agents, size)
    if not 0 < exponent < math.inf:
        raise ValueError(f"exponent must be positive and finite, not {exponent}")
    if law not in LAWS:
        raise ValueError(f"unknown law {law!r}; known are {', '.join(sorted(LAWS))}")
    return _deal(data, LAWS[law](agents, agents * size, exponent), seed, "pow")


def classes(
    data: Pool, agents: int, size: int, seed: int, held: str = "nested", replace: bool = False
) -> list[Agent]:
    """CLA: `size` samples for each agent, of k_i = floor(linspace(1, C, N)) of the C classes, as evenly
    spread over them as `size` allows, ordered by class.

    Args:
        held: "nested", agent i holds classes 0 to k_i - 1; "spread", its classes go on where those of agent
            i - 1 end, so that any two classes are held by equally many agents or differ by one.
        replace: draw with replacement within a class, so that a sample may occur twice, with one agent or
            with two.

    Raises:
        ValueError: too few samples of a class (the message names the largest shard that fits), a shard
            smaller than the number of classes, an unknown `held`, or a number below 1.
    """
    _check_at_least_one(agents, size)
    if held not in ("nested", "spread"):
        raise ValueError(f"unknown held {held!r}; known are nested, spread")
    x, y, c = _pool(data)
    if size < c:
        raise ValueError(f"a shard of {size} samples cannot hold all {c} classes")
    members = [(y == label).nonzero().flatten() for label in range(c)]
    sets = _class_sets(agents, c, held)
    _check_supply(sets, size, [len(m) for m in members], replace)
    wanted = _demand(sets, size, c)
    parts = []  # by class, then by agent
    for label in range(c):
        n, draws = int(wanted[:, label].sum()), generator(seed, "partition", "cla", label)
        if replace and n:
            picks = torch.randint(len(members[label]), (n,), generator=draws)
        else:
            picks = torch.randperm(len(members[label]), generator=draws)[:n]
        parts.append(members[label][picks].split(wanted[:, label].tolist()))
    return _agents(x, y, [torch.cat(shard) for shard in zip(*parts, strict=True)])


PARTITIONS = {"uni": uniform, "pow": power_law, "cla": classes}


def partition(kind: str, data: Pool, agents: int, size: int, seed: int, **options) -> list[Agent]:
    """The partition named `kind`: "uni", "pow" or "cla", in any case; options as in `uniform`, `power_law`
    and `classes`.

    Raises:
        ValueError: an unknown name; the message lists the known ones. Else as in these functions.
    """
    if kind.lower() not in PARTITIONS:
        raise ValueError(f"unknown partition {kind!r}; known are {', '.join(sorted(PARTITIONS))}")
    return PARTITIONS[kind.lower()](data, agents, size, seed, **options)


def label_noise(
    agents: Sequence[Agent], fractions: Sequence[float] | Mapping[str, float], classes: int, seed: int
) -> list[Agent]:
    """New agents, with round(fraction * n) of an agent's n labels changed (Sec. 3.4 of the paper).

    A changed label is drawn uniformly from the *other* classes. With the same seed, a larger fraction changes
    the labels that a smaller one changes, to the same values, and some more.

    Args:
        fractions: in [0, 1], one for each agent in order, or by key; agents whose key is missing keep their
            labels.
        classes: C; labels lie in 0 to C - 1.

    Raises:
        ValueError: a fraction outside [0, 1], a number of fractions that does not fit, an unknown key, a
            label outside the classes, or fewer than two classes.
    """
    keys = [agent.key for agent in agents]
    if classes < 2:
        raise ValueError(f"label noise needs at least 2 classes, not {classes}")
    if not isinstance(fractions, Mapping):
        if len(fractions) != len(agents):
            raise ValueError(f"{len(fractions)} fractions do not fit {len(agents)} agents")
        fractions = dict(zip(keys, fractions, strict=True))
    if unknown := [key for key in fractions if key not in keys]:
        raise ValueError(f"no agent {unknown[0]!r}; known are {', '.join(map(repr, keys))}")
    return [_corrupt(agent, fractions.get(agent.key, 0.0), classes, seed) for agent in agents]


def class_counts(agents: Sequence[Agent], classes: int) -> Tensor:
    """How many samples of each class each agent holds, (N, C) int64.

    Raises:
        ValueError: a label outside 0 to C - 1.
    """
    for agent in agents:
        _check_labels(agent, classes)
    return torch.stack([torch.bincount(agent.y, minlength=classes) for agent in agents])


def _corrupt(agent: Agent, fraction: float, classes: int, seed: int) -> Agent:
    if not 0 <= fraction <= 1:
        raise ValueError(f"agent {agent.key!r}: the fraction must lie in [0, 1], not {fraction}")
    _check_labels(agent, classes)
    n, draws = len(agent.y), generator(seed, "label noise", agent.key)
    changed = torch.randperm(n, generator=draws)[: round(fraction * n)]
    shift = torch.randint(1, classes, (n,), generator=draws)[: len(changed)]
    y = agent.y.clone()
    y[changed] = (y[changed] + shift) % classes
    return agent._replace(y=y)


def _pool(data: Pool) -> tuple[Tensor, Tensor, int]:
    """x, y and the number of classes."""
    x, y = (data.x, data.y) if isinstance(data, Data) else data
    if len(x) != len(y) or len(y) == 0:
        raise ValueError(f"{len(x)} samples and {len(y)} labels are no pool to draw from")
    return x, y, data.classes if isinstance(data, Data) else int(y.max()) + 1


def _agents(x: Tensor, y: Tensor, shards: Sequence[Tensor]) -> list[Agent]:
    return [Agent(str(i), x[shard], y[shard]) for i, shard in enumerate(shards, start=1)]


def _deal(data: Pool, sizes: Sequence[int], seed: int, purpose: str) -> list[Agent]:
    """Shards of these sizes from one shuffle of the pool."""
    x, y, _ = _pool(data)
    agents, total = len(sizes), sum(sizes)
    if total > len(y):
        raise ValueError(
            f"{agents} agents with {total // agents} samples each want {total} samples, there are {len(y)}; "
            f"the largest shard that fits has {len(y) // agents}"
        )
    order = torch.randperm(len(y), generator=generator(seed, "partition", purpose))
    return _agents(x, y, order[:total].split(list(sizes)))


def _power(agents: int, total: int, exponent: float) -> list[int]:
    weights = [(i / agents) ** exponent for i in range(1, agents + 1)]
    exact = [total * w / math.fsum(weights) for w in weights]
    sizes = [math.floor(e) for e in exact]
    by_remainder = sorted(range(agents), key=lambda i: sizes[i] - exact[i])
    for i in by_remainder[: total - sum(sizes)]:
        sizes[i] += 1
    while 0 in sizes:  # the first of the largest shards gives, so that the order of the sizes stays
        sizes[sizes.index(max(sizes))] -= 1
        sizes[sizes.index(0)] += 1
    return sizes


def _arithmetic(agents: int, total: int, exponent: float) -> list[int]:
    low, high = 0.01 ** (1 / exponent), 0.99 ** (1 / exponent)
    steps = [low + (high - low) * i / max(agents - 1, 1) for i in range(agents)]
    sizes = [math.ceil(total * s / math.fsum(steps) - 1e-9) for s in steps]  # 600.0000000001 is 600
    sizes[-1] = total - sum(sizes[:-1])
    if sizes[-1] < 1:
        raise ValueError(
            f"rounding up leaves no samples for agent {str(agents)!r}; raise size above {total // agents}"
        )
    return sizes


LAWS = {"power": _power, "arithmetic": _arithmetic}


def _class_sets(agents: int, c: int, held: str) -> list[list[int]]:
    """The classes of each agent. Integers: a linspace in floats may fall just below a whole number."""
    counts = [1 + (c - 1) * i // max(agents - 1, 1) for i in range(agents)]
    starts = [0 if held == "nested" else sum(counts[:i]) for i in range(agents)]
    return [[(start + j) % c for j in range(k)] for start, k in zip(starts, counts, strict=True)]


def _demand(sets: list[list[int]], size: int, c: int) -> Tensor:
    """Samples of each class that each agent wants, (N, C); the odd ones are of the agent's last classes,
    which fewer agents hold when the sets are nested."""
    wanted = [[0] * c for _ in sets]
    for row, labels in zip(wanted, sets, strict=True):
        share, odd = divmod(size, len(labels))
        for j, label in enumerate(labels, start=1):
            row[label] = share + (j > len(labels) - odd)
    return torch.tensor(wanted)


def _check_supply(sets: list[list[int]], size: int, supply: list[int], replace: bool) -> None:
    c, available = len(supply), torch.tensor(supply)

    def missing(size: int) -> Tensor:
        return _demand(sets, size, c).sum(0) - available

    short = missing(size)
    label = int(short.argmax())
    if replace:
        if empty := [str(k) for k in range(c) if supply[k] == 0 and short[k] > 0]:
            raise ValueError(f"there are no samples of class {', '.join(empty)} to draw from")
    elif short[label] > 0:
        fitting = bisect_left(range(c, size), True, key=lambda n: bool((missing(n) > 0).any()))
        advice = f"the largest shard that fits has {c + fitting - 1}" if fitting else "no shard fits"
        raise ValueError(
            f"{len(sets)} agents with {size} samples each want {short[label] + supply[label]} samples of "
            f"class {label}, there are {supply[label]}; {advice}, unless drawn with replace=True"
        )


def _check_at_least_one(agents: int, size: int) -> None:
    if agents < 1 or size < 1:
        raise ValueError(f"agents and size must be at least 1, not {agents} and {size}")


def _check_labels(agent: Agent, classes: int) -> None:
    if len(agent.y) and not 0 <= int(agent.y.min()) <= int(agent.y.max()) < classes:
        raise ValueError(f"agent {agent.key!r} has labels outside 0 to {classes - 1}")
