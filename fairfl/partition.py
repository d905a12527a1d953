"""Who holds which data: UNI, POW, CLA and label noise (Sec. 5 of the paper). Chapter "Data and partitions".

A pool of samples (a `datasets.Data`, or a pair x, y) is dealt out to agents "1" to "N", without replacement unless
asked for. Draws depend on the seed and on what is drawn, never on a global state.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from fairfl.randomness import generator

if TYPE_CHECKING:
    from fairfl.datasets import Data


class Agent(NamedTuple):
    """One participant and its samples."""

    key: str
    x: Tensor  # (n, ...) floating point
    y: Tensor  # (n,) int64


Pool = "Data | tuple[Tensor, Tensor]"


def uniform(data: Pool, agents: int, size: int, seed: int) -> list[Agent]:
    """UNI: `size` random samples for each agent.

    Raises:
        ValueError: fewer than agents * size samples (the message names the largest shard that fits), or a number
            below 1.
    """
    return _deal(data, [size] * _at_least_one(agents, size), seed, "uni")


def power_law(
    data: Pool, agents: int, size: int, seed: int, exponent: float = 1.659, law: str = "power"
) -> list[Agent]:
    """POW: random samples, agent i holds more than agent i - 1, `size` on average.

    Args:
        exponent: a > 0 in the laws below.
        law: "power", n_i in proportion to i^a, rounded by largest remainder to a sum of exactly agents * size, no
            agent empty; "arithmetic", n_i in proportion to an arithmetic progression from the 1 % to the 99 %
            quantile of the density a x^(a-1) on [0, 1], rounded up, the last agent cut to the same sum.

    Raises:
        ValueError: as in `uniform`; an unknown law; an arithmetic progression that leaves the last agent empty.
    """
    _at_least_one(agents, size)
    if not 0 < exponent < math.inf:
        raise ValueError(f"exponent must be positive and finite, not {exponent}")
    if law not in LAWS:
        raise ValueError(f"unknown law {law!r}; known are {', '.join(sorted(LAWS))}")
    return _deal(data, LAWS[law](agents, agents * size, exponent), seed, "pow")


def classes(
    data: Pool, agents: int, size: int, seed: int, held: str = "nested", replace: bool = False
) -> list[Agent]:
    """CLA: `size` samples for each agent, from k_i = floor(linspace(1, C, N)) of the C classes.

    An agent's samples are as evenly spread over its classes as `size` allows.

    Args:
        held: "nested", agent i holds classes 0 to k_i - 1; "spread", its classes go on where those of agent i - 1
            end, so that all classes are held about equally often.
        replace: draw with replacement within a class, so that an agent may hold a sample twice and two agents the
            same one.

    Raises:
        ValueError: too few samples of a class (the message names the largest shard that fits), a shard smaller than
            the number of classes, or an unknown `held`.
    """
    _at_least_one(agents, size)
    x, y, c = _pool(data)
    if held not in ("nested", "spread"):
        raise ValueError(f"unknown held {held!r}; known are nested, spread")
    if size < c:
        raise ValueError(f"a shard of {size} samples cannot hold all {c} classes")
    sets = _class_sets(agents, c, held)
    members = [(y == label).nonzero().flatten() for label in range(c)]
    members = [
        m[torch.randperm(len(m), generator=generator(seed, "partition", "cla", label))]
        for label, m in enumerate(members)
    ]
    supply = torch.tensor([len(m) for m in members])
    wanted = _demand(sets, size, c)
    if replace:
        if (short := ((wanted.sum(0) > 0) & (supply == 0)).nonzero().flatten()).numel():
            raise ValueError(f"there are no samples of class {short[0].item()}")
    elif (wanted.sum(0) > supply).any():
        label = int((wanted.sum(0) - supply).argmax())
        fits = [n for n in range(c, size) if (_demand(sets, n, c).sum(0) <= supply).all()]
        advice = f"the largest shard that fits has {fits[-1]} samples" if fits else "no size fits"
        raise ValueError(
            f"{agents} agents with {size} samples each want {wanted.sum(0)[label]} of class {label}, there are "
            f"{supply[label]}; {advice} (or draw with replace=True)"
        )
    taken = wanted.cumsum(0) - wanted
    shards = []
    for i in range(agents):
        draws = generator(seed, "partition", "cla", "replace", i + 1)
        parts = []
        for label in range(c):
            n = int(wanted[i, label])
            if replace:
                picks = torch.randint(len(members[label]), (n,), generator=draws) if n else torch.empty(0).long()
            else:
                picks = torch.arange(n) + taken[i, label]
            parts.append(members[label][picks])
        shards.append(torch.cat(parts))
    return [Agent(str(i), x[shard], y[shard]) for i, shard in enumerate(shards, start=1)]


PARTITIONS = {"uni": uniform, "pow": power_law, "cla": classes}


def partition(kind: str, data: Pool, agents: int, size: int, seed: int, **options) -> list[Agent]:
    """The partition of that name: "uni", "pow" or "cla", in any case; options as in the function of that partition.

    Raises:
        ValueError: an unknown name; the message lists the known ones.
    """
    if kind.lower() not in PARTITIONS:
        raise ValueError(f"unknown partition {kind!r}; known are {', '.join(sorted(PARTITIONS))}")
    return PARTITIONS[kind.lower()](data, agents, size, seed, **options)


def label_noise(
    agents: Sequence[Agent], fractions: Sequence[float] | Mapping[str, float], classes: int, seed: int
) -> list[Agent]:
    """New agents, with round(fraction * n) of an agent's n labels changed (Sec. 3.4 of the paper).

    A changed label is drawn uniformly from the *other* classes. With the same seed, a larger fraction changes the
    labels that a smaller one changes, to the same values, and some more.

    Args:
        fractions: in [0, 1], one for each agent in order, or by key; agents whose key is missing keep their labels.
        classes: C; labels lie in 0 to C - 1.

    Raises:
        ValueError: a fraction outside [0, 1], a number of fractions that does not fit, an unknown key, a label
            outside the classes, or fewer than two classes.
    """
    keys = [agent.key for agent in agents]
    if classes < 2:
        raise ValueError(f"label noise needs at least 2 classes, not {classes}")
    if not isinstance(fractions, Mapping):
        if len(fractions) != len(agents):
            raise ValueError(f"{len(fractions)} fractions do not fit {len(agents)} agents")
        fractions = dict(zip(keys, fractions, strict=True))
    if unknown := [key for key in fractions if key not in keys]:
        raise ValueError(f"no agent {unknown[0]!r}; known are {', '.join(keys)}")
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
    draws = generator(seed, "label noise", agent.key)
    n = len(agent.y)
    changed = torch.randperm(n, generator=draws)[: round(fraction * n)]
    shift = torch.randint(1, classes, (n,), generator=draws)[: len(changed)]
    y = agent.y.clone()
    y[changed] = (y[changed] + shift) % classes
    return agent._replace(y=y)


def _check_labels(agent: Agent, classes: int) -> None:
    if len(agent.y) and not 0 <= int(agent.y.min()) <= int(agent.y.max()) < classes:
        raise ValueError(f"agent {agent.key!r} has labels outside 0 to {classes - 1}")


def _pool(data: Pool) -> tuple[Tensor, Tensor, int]:
    """x, y and the number of classes."""
    x, y = (data.x, data.y) if hasattr(data, "y") else data
    if len(x) != len(y):
        raise ValueError(f"{len(x)} samples do not fit {len(y)} labels")
    return x, y, data.classes if hasattr(data, "classes") else int(y.max()) + 1


def _at_least_one(agents: int, size: int) -> int:
    if agents < 1 or size < 1:
        raise ValueError(f"agents and size must be at least 1, not {agents} and {size}")
    return agents


def _deal(data: Pool, sizes: Sequence[int], seed: int, purpose: str) -> list[Agent]:
    """Shards of these sizes from one shuffle of the pool."""
    x, y, _ = _pool(data)
    if sum(sizes) > len(y):
        raise ValueError(
            f"{len(sizes)} agents with {sum(sizes) // len(sizes)} samples each want {sum(sizes)} samples, there are "
            f"{len(y)}; the largest shard that fits has {len(y) // len(sizes)}"
        )
    order = torch.randperm(len(y), generator=generator(seed, "partition", purpose))
    shards = order[: sum(sizes)].split(list(sizes))
    return [Agent(str(i), x[shard], y[shard]) for i, shard in enumerate(shards, start=1)]


def _power(agents: int, total: int, exponent: float) -> list[int]:
    weights = [i**exponent for i in range(1, agents + 1)]
    exact = [total * w / math.fsum(weights) for w in weights]
    sizes = [math.floor(e) for e in exact]
    by_remainder = sorted(range(agents), key=lambda i: sizes[i] - exact[i])
    for i in by_remainder[: total - sum(sizes)]:
        sizes[i] += 1
    while 0 in sizes:
        sizes[sizes.index(max(sizes))] -= 1
        sizes[sizes.index(0)] += 1
    return sizes


def _arithmetic(agents: int, total: int, exponent: float) -> list[int]:
    low, high = 0.01 ** (1 / exponent), 0.99 ** (1 / exponent)
    steps = [low + (high - low) * i / max(agents - 1, 1) for i in range(agents)]
    sizes = [math.ceil(total * s / math.fsum(steps) - 1e-9) for s in steps]  # 1e-9: 600.0000000001 is 600
    sizes[-1] = total - sum(sizes[:-1])
    if sizes[-1] < 1:
        raise ValueError(f"rounding up leaves no samples for agent {agents!r}: raise the size above {total // agents}")
    return sizes


LAWS = {"power": _power, "arithmetic": _arithmetic}


def _class_sets(agents: int, c: int, held: str) -> list[list[int]]:
    """The classes of each agent; k_i in integers, as a linspace in floats may fall just below a whole number."""
    counts = [1 + (c - 1) * i // max(agents - 1, 1) for i in range(agents)]
    starts = [0 if held == "nested" else sum(counts[:i]) for i in range(agents)]
    return [[(start + j) % c for j in range(k)] for start, k in zip(starts, counts, strict=True)]


def _demand(sets: list[list[int]], size: int, c: int) -> Tensor:
    """Samples of each class that each agent wants, (N, C); the odd ones are of its last classes, which fewer agents
    hold when the sets are nested."""
    wanted = torch.zeros(len(sets), c, dtype=torch.int64)
    for row, labels in zip(wanted, sets, strict=True):
        share, odd = divmod(size, len(labels))
        row[labels] = share
        row[labels[len(labels) - odd :]] += 1
    return wanted
