"""How long runs will take on this machine: one core, measured in some seconds for each network."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import torch

from fairfl import datasets, mechanisms
from fairfl.mechanisms import eci
from fairfl.runs import running
from fairfl.runs.settings import Settings
from fairfl.schedules import Schedule

PERMUTATIONS_SEEN = 0.9  # share of a permutation's coalitions that no earlier one had


class Cost(NamedTuple):
    """Seconds on one core."""

    step: float  # a step of local training
    sample: float  # an evaluated sample
    serve: float  # a mechanism's step and the downloads, an agent
    test: int  # samples of the test set
    validation: int


def seconds(settings: Settings, root: Path | None = None) -> float:
    """An estimate for a whole run, evaluations counted."""
    local = settings.local
    key = replace(settings, partition="uni", agents=2, rounds=1, mechanism="cgsv", mechanism_options={}, seed=0,
                  partition_options={}, label_noise=(), size=None, local=replace(local, lr=Schedule(1e-3)))
    cost = _measure(json.dumps(key.to_dict()), root)
    samples = _samples(settings, root)
    n, batch = settings.agents, local.batch_size or samples
    steps = local.epochs * sum(math.ceil(max(samples / n, 1) / batch) for _ in range(n))
    a_round = steps * cost.step + n * cost.serve + judged(settings, cost.validation, samples) * cost.sample
    return settings.rounds * a_round + recorded(settings, cost.test, cost.validation, samples) * cost.sample


def judged(settings: Settings, validation: int, samples: int) -> int:
    """Samples that the mechanism itself evaluates in a round."""
    n, mechanism = settings.agents, mechanisms.build(settings.mechanism, **settings.mechanism_options)
    if settings.mechanism == "eci":
        coalitions = 2**n if n <= eci.EXACT else min(2**n, PERMUTATIONS_SEEN * mechanism.permutations * (n - 1) + 2)
        return int(coalitions * validation)
    if settings.mechanism == "cffl":
        return (n if mechanism.value == "accuracy" else n + 1) * validation
    return samples if settings.mechanism == "qffl" else 0


def recorded(settings: Settings, test: int, validation: int, samples: int) -> int:
    """Samples that are evaluated for the record in a whole run."""
    n, last = settings.agents, settings.rounds

    def times(k: int, first: int) -> int:
        return max(math.ceil(last / k), first)

    if settings.recorded == "validation":
        return times(settings.accuracy_every or last, 1) * n * validation
    if settings.recorded in ("guarantee", "losses"):  # a gradient costs three evaluations
        return (times(settings.evaluate_every, 1) + 1) * (n + 4) * samples
    kinds = 1 if settings.mechanism == "standalone" else 2
    accuracies = times(settings.accuracy_every or last, 1 if settings.recorded == "end" else 2) * kinds * n * test
    losses = (1 if settings.recorded == "end" else times(settings.evaluate_every, 2)) * (n + 2) * samples
    return accuracies + losses


def _samples(settings: Settings, root: Path | None) -> int:
    if settings.size:
        return settings.size * settings.agents
    return len(_data(settings.dataset, root).y)


@lru_cache(maxsize=1)
def _data(dataset: str, root: Path | None) -> datasets.Data:
    return datasets.load(dataset, root)


@cache
def _measure(settings_text: str, root: Path | None) -> Cost:
    settings = Settings.from_dict(json.loads(settings_text))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        data = _data(settings.dataset, root)
        batch = settings.local.batch_size or 600
        few = data._replace(x=data.x[: 8 * batch], y=data.y[: 8 * batch], test_x=data.test_x[:512],
                            test_y=data.test_y[:512])
        validation = settings.validation
        fed = running.federation(replace(settings, validation=0), few)
        first, *rounds = fed.rounds(3)
        steps = sum(math.ceil(size / batch) for size in fed.setting.sizes.tolist())
        models = first.models[:1]
        fed.evaluate(models, *fed.test)
        begin = time.perf_counter()
        fed.evaluate(models, *fed.test)
        sample = (time.perf_counter() - begin) / len(few.test_y)
        held = min(len(data.y) // 10, 1000) if validation is None else validation
        return Cost(min(r.seconds["training"] for r in rounds) / steps, sample,
                    min(r.seconds["mechanism"] for r in rounds) / 2, len(data.test_y), held)
    finally:
        torch.set_num_threads(threads)
