"""Agents with wrong labels."""

from collections.abc import Iterable, Mapping, Sequence

import torch

from fairfl import _checks
from fairfl.partition.base import Agent, checked_labels
from fairfl.randomness import generator


def label_noise(agents: Sequence[Agent],
                fractions: Iterable[float] | Mapping[str, float], classes: int,
                seed: int) -> list[Agent]:
    """New agents, with round(fraction * n) of an agent's n labels changed (Sec. 3.4 of
    the paper); `true_y` keeps them.

    A changed label is drawn uniformly from the *other* classes, 0 to C - 1. With the
    same seed, a larger fraction changes the labels that a smaller one changes, to the
    same values, and some more.

    Args:
        fractions: in [0, 1], one for each agent in order (list, tuple, array), or by
            key; agents whose key is missing keep their labels.

    Raises:
        ValueError: a fraction outside [0, 1], a number of fractions that does not fit,
            an unknown key, a label outside the classes, or fewer than two classes.
    """
    _checks.whole(2, classes=classes)
    keys = [agent.key for agent in agents]
    if not isinstance(fractions, Mapping):
        numbers = [float(fraction) for fraction in fractions]
        if len(numbers) != len(keys):
            raise ValueError(f"{len(numbers)} fractions do not fit {len(keys)} agents")
        fractions = dict(zip(keys, numbers, strict=True))
    elif unknown := [key for key in fractions if key not in keys]:
        raise ValueError(f"no agent {unknown[0]!r}; known are {str(keys)[1:-1]}")
    return [_corrupt(a, fractions.get(a.key, 0.0), classes, seed) for a in agents]


def _corrupt(agent: Agent, fraction: float, classes: int, seed: int) -> Agent:
    _checks.within(0, 1, **{f"the fraction of agent {agent.key!r}": fraction})
    y = checked_labels(f"agent {agent.key!r}", agent.y, classes).clone()
    draws = generator(seed, "label noise", agent.key)
    changed = torch.randperm(len(y), generator=draws)[: round(fraction * len(y))]
    shift = torch.randint(1, classes, (len(y),), generator=draws)[: len(changed)]
    y[changed] = (y[changed] + shift) % classes
    return agent._replace(y=y, true_y=agent.y if agent.true_y is None else agent.true_y)
