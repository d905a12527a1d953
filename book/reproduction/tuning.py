"""Settings chosen anew: candidates that reach further, until the best one lies inside.

In `choice` the best candidate stood at the end of what was tried nearly everywhere, in
the travel sum_t Gamma_t above all. Here each family of methods gets more candidates,
all families of a data set the same number. What is measured is as there: five agents,
shards and a seed that no table has, and the mean of all agents' accuracies on the
validation set after the last round, averaged over the partitions.

How the candidates were found, with about three core hours in all:

1. The four of `choice`. Their runs are the same; their records were copied.
2. FedAvg and CGSV get one list, so that they can be given one travel: at one learning
   rate, longer travels, a constant Gamma among them, and twice nearly the same travel
   with another decay. Then other learning rates at a good travel. q-FFL, CFFL and
   training alone have no Gamma; they get as many steps along their learning rate and
   along q or alpha.
3. Where the best had no neighbour on one side, candidates were added there, for every
   family of the data set equally many. `edges` says what is left.

It is a search along lines, not over the whole grid, and it looks at one seed, but for
digits: their validation set has 120 images, so they have three seeds.
"""

from collections.abc import Iterator
from pathlib import Path

from book.reproduction import choice
from book.reproduction.base import Run
from fairfl.runs import records
from fairfl.runs.recommendations import starting, with_choice
from fairfl.runs.settings import Settings

SEEDS = {"digits": (100, 101, 102)}  # else the one of `choice`
ORDER = ("digits", "mnist", "mr", "sst", "cifar10")
FAMILIES = ("standalone", "fedavg", "cgsv", "qffl", "cffl")

# Learning rate, Gamma_1, its decay a round; then as in `choice`
_MOVING = {
    "digits": [(0.05, 0.5, 0.95), (0.05, 0.5, 0.97), (0.1, 0.5, 0.95), (0.1, 0.5, 0.97),
               (0.1, 0.5, 1.0), (0.1, 1.0, 0.97), (0.1, 2.0, 0.97), (0.1, 4.0, 0.97),
               (0.1, 1.0, 1.0), (0.2, 1.0, 0.97), (0.4, 1.0, 0.97), (0.2, 2.0, 0.97),
               (0.4, 2.0, 0.97), (0.2, 4.0, 0.97), (0.2, 2.0, 0.95)],
    "mnist": [(0.05, 0.5, 0.96), (0.05, 0.5, 0.98), (0.15, 0.5, 0.96),
              (0.15, 0.5, 0.98), (0.15, 0.5, 1.0), (0.15, 1.0, 0.98),
              (0.15, 2.0, 0.96), (0.3, 1.0, 0.98), (0.3, 2.0, 0.96), (0.6, 1.0, 0.98)],
    "mr": [(5e-4, 1.0, 0.9), (5e-4, 2.0, 0.9), (1e-3, 1.0, 0.9), (1e-3, 2.0, 0.9),
           (1e-3, 2.0, 1.0), (1e-3, 4.0, 0.9), (1e-3, 8.0, 0.9)],
    "cifar10": [(0.05, 0.5, 0.98), (0.05, 1.0, 0.97), (0.1, 0.5, 0.98),
                (0.1, 1.0, 0.97), (0.05, 1.0, 1.0), (0.05, 2.0, 0.97),
                (0.025, 1.0, 0.97)],
}
_QFFL = {
    "digits": [(0.05, 0.1), (0.05, 1.0), (0.1, 0.1), (0.1, 1.0), (0.2, 0.1), (0.4, 0.1),
               (0.8, 0.1), (0.1, 0.01), (0.2, 0.01), (0.4, 0.01), (0.2, 0.001),
               (0.4, 0.001), (0.8, 0.01), (0.8, 0.001), (0.4, 1e-4)],
    "mnist": [(0.05, 0.1), (0.05, 1.0), (0.15, 0.1), (0.15, 1.0), (0.3, 0.1),
              (0.6, 0.1), (0.3, 0.01), (0.6, 0.01), (0.3, 0.001), (0.6, 0.001)],
    "mr": [(5e-4, 0.1), (5e-4, 1e-4), (1e-3, 0.1), (1e-3, 1e-4), (2e-3, 1e-4),
           (4e-3, 1e-4), (2e-3, 1e-5)],
    "cifar10": [(0.05, 0.1), (0.05, 1.0), (0.1, 0.1), (0.1, 1.0), (0.2, 0.1),
                (0.1, 0.01), (0.2, 0.01)],
}
_CFFL = {
    "digits": [(0.05, 2.0), (0.05, 5.0), (0.1, 2.0), (0.1, 5.0), (0.2, 2.0), (0.4, 2.0),
               (0.8, 2.0), (0.1, 1.0), (0.2, 1.0), (0.4, 1.0), (0.2, 0.5), (0.2, 5.0),
               (0.3, 2.0), (0.6, 2.0), (0.4, 5.0)],
    "mnist": [(0.05, 2.0), (0.05, 5.0), (0.15, 2.0), (0.15, 5.0), (0.3, 2.0),
              (0.6, 2.0), (0.3, 1.0), (0.3, 5.0), (0.6, 1.0), (0.45, 2.0)],
    "mr": [(5e-4, 2.0), (5e-4, 5.0), (1e-3, 2.0), (1e-3, 5.0), (2e-3, 2.0), (4e-3, 2.0),
           (2e-3, 1.0)],
    "cifar10": [(0.05, 2.0), (0.05, 5.0), (0.1, 2.0), (0.1, 5.0), (0.025, 5.0),
                (0.05, 10.0), (0.025, 10.0)],
}
_ALONE = {
    "digits": [0.025, 0.05, 0.1, 0.2, 0.15, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.6,
               0.125, 0.175, 0.25],
    "mnist": [0.025, 0.05, 0.15, 0.3, 0.1, 0.2, 0.6, 0.25, 0.175, 0.45],
    "mr": [2.5e-4, 5e-4, 1e-3, 2e-3, 3e-3, 4e-3, 8e-3],
    "cifar10": [0.025, 0.05, 0.1, 0.2, 0.035, 0.07, 0.14],
}
for _lists in (_MOVING, _QFFL, _CFFL, _ALONE):
    _lists["sst"] = _lists["mr"]


def candidates(dataset: str) -> dict[str, list[dict]]:
    """As many for each family of methods, in the words of `settings.with_choice`."""
    moving = [{"lr": lr, "gamma": first, "gamma_decay": decay}
              for lr, first, decay in _MOVING[dataset]]
    return {"standalone": [{"lr": lr} for lr in _ALONE[dataset]],
            "fedavg": moving,
            "cgsv": moving,
            "qffl": [{"lr": lr, "q": q} for lr, q in _QFFL[dataset]],
            "cffl": [{"lr": lr, "alpha": alpha} for lr, alpha in _CFFL[dataset]]}


def runs(datasets: tuple[str, ...] = ORDER) -> Iterator[Run]:
    """All candidates, by data set; within it in the order in which they were added."""
    for dataset in datasets:
        tried = candidates(dataset)
        for number in range(len(tried["fedavg"])):
            for family in FAMILIES:
                yield from _runs(dataset, family, tried[family][number])


def _runs(dataset: str, family: str, candidate: dict) -> Iterator[Run]:
    """One candidate on all partitions with all seeds."""
    size = {"size": choice.SIZE[dataset]} if dataset in choice.SIZE else {}
    rounds = choice.ROUNDS[dataset]
    options = {"beta": 1.0} if family == "cgsv" else {}
    words = "-".join(f"{name.removeprefix('gamma_')}{value:g}"
                     for name, value in candidate.items())
    for seed in SEEDS.get(dataset, (choice.SEED,)):
        for partition in choice.PARTITIONS[dataset]:
            base = starting(dataset, partition, choice.AGENTS, mechanism=family,
                            mechanism_options=options, rounds=rounds, seed=seed,
                            recorded="validation", accuracy_every=rounds // 4, **size)
            file = f"tuning/{dataset}-{partition}-{family}-{words}-seed{seed}.json"
            yield Run(file, with_choice(base, candidate))


def travel(settings: Settings) -> float:
    """sum_t Gamma_t: how far the server can go in a run of a method with a Gamma."""
    return sum(settings.gamma(t) for t in range(1, settings.rounds + 1))


def score(dataset: str, family: str, candidate: dict, results: Path) -> float:
    """Mean validation accuracy after the last round in percent: over agents, partitions
    and seeds.

    Raises:
        FileNotFoundError: the candidate has not been run.
    """
    last = [records.load(run.path(results)).history["validation_accuracy"][-1].mean()
            for run in _runs(dataset, family, candidate)]
    return 100 * float(sum(last) / len(last))


def scores(dataset: str, family: str, results: Path) -> list[tuple[dict, float]]:
    """The candidates that have been run, and their scores."""
    def done(candidate: dict) -> bool:
        return all(r.path(results).exists() for r in _runs(dataset, family, candidate))

    return [(candidate, score(dataset, family, candidate, results))
            for candidate in candidates(dataset)[family] if done(candidate)]


def edges(dataset: str, family: str, results: Path) -> list[str]:
    """In which of its numbers the best candidate lacks a neighbour on a side: no lower
    or no higher one was tried with the others alike. "lr", "travel", "q" or "alpha".

    Raises:
        ValueError: nothing has been run yet.
    """
    found = scores(dataset, family, results)
    if not found:
        raise ValueError(f"no candidate of {family} has been run on {dataset}")
    best = _numbers(dataset, max(found, key=lambda pair: pair[1])[0])
    tried = [_numbers(dataset, candidate) for candidate, _ in found]
    open_ended = []
    for name, value in best.items():
        line = [t[name] for t in tried if {**t, name: value} == best]
        if not min(line) < value < max(line):
            open_ended.append(name)
    return open_ended


def _numbers(dataset: str, candidate: dict) -> dict[str, float]:
    """A candidate with its travel in the place of Gamma_1 and the decay."""
    rest = {k: v for k, v in candidate.items() if not k.startswith("gamma")}
    if "gamma" not in candidate:
        return rest
    base = starting(dataset, "pow", rounds=choice.ROUNDS[dataset])
    return {**rest, "travel": travel(with_choice(base, candidate))}
