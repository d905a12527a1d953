"""Agents with wrong labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from fairfl.partition.base import Agent, check_labels
from fairfl.randomness import generator


def label_noise(
    agents: Sequence[Agent], fractions: Sequence[float] | Mapping[str, float], classes: int, seed: int
) -> list[Agent]:
    """New agents, with round(fraction * n) of an agent's n labels changed (Sec. 3.4 of the paper); `true_y` keeps them.

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


def _corrupt(agent: Agent, fraction: float, classes: int, seed: int) -> Agent:
    if not 0 <= fraction <= 1:
        raise ValueError(f"agent {agent.key!r}: the fraction must lie in [0, 1], not {fraction}")
    check_labels(agent, classes)
    n, draws = len(agent.y), generator(seed, "label noise", agent.key)
    changed = torch.randperm(n, generator=draws)[: round(fraction * n)]
    shift = torch.randint(1, classes, (n,), generator=draws)[: len(changed)]
    y = agent.y.clone()
    y[changed] = (y[changed] + shift) % classes
    return agent._replace(y=y, true_y=agent.y if agent.true_y is None else agent.true_y)
