"""How the settings of `fairfl.runs` were chosen: on the validation set, with as many
candidates for every method.

The candidates run with five agents, on other shards and another seed than any run of
the tables. A candidate's score is the mean of all agents' accuracies on the validation
set after the last round, averaged over the partitions.

Methods that sum normalised updates (FedAvg, DW, RR, EU, ECI and CGSV) share learning
rate and Gamma, and so the travel sum_t Gamma_t: the candidate with the best mean score
of FedAvg and CGSV. The choice of travel moves their accuracies by more than they
differ; with one travel it cannot decide who is ahead. q-FFL, CFFL and training alone
have no Gamma; each has its own best.

How the candidates were found:

1. Those of `recommendations.STARTING`, and neighbours.
2. At one learning rate, longer travels, a constant Gamma among them, and twice nearly
   the same travel with another decay; then other learning rates at a good travel. The
   families without Gamma get as many steps along their learning rate and along q or
   alpha.
3. Where the best had no neighbour on one side, candidates were added there, for every
   family of the data set equally many. `edges` says what is left.

It is a search along lines, not over the whole grid, and it looks at one seed, but for
digits: their validation set has 120 images, and single runs of Lin collapse at learning
rates on either side of good ones, so they have six seeds; three where the best is clear
with them.

What sets how differently a mechanism pays is not searched: CGSV's beta; Lin's beta,
ratio and rounds of the first stage; IAFL's kappa and recovery; ShapFed's memory and
pull. A search for the highest mean accuracy tends to end where all are paid alike.
These are rows of the tables or keep the mechanism's default.
"""

from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

from book.reproduction import base
from book.reproduction.base import TOLD, Run
from book.reproduction.tried import ALONE, CFFL, CLIPPED, MOVING, QFFL, RATE
from fairfl.runs import records
from fairfl.runs.recommendations import starting, with_choice
from fairfl.runs.settings import Settings

AGENTS, SEED = 5, 100
SEEDS = {"digits": tuple(range(100, 106))}  # else `SEED`
# Three of them settle it
FEWER_SEEDS = ("fedavg-raw", "rffl", "iafl", "fedce", "shapfed")
ORDER = ("digits", "mnist", "mr", "sst", "cifar10")
# Family -> the mechanisms that run its candidates
FAMILIES = {"standalone": ("standalone",), "averaging": ("fedavg", "cgsv"),
            "qffl": ("qffl",), "cffl": ("cffl",)}
LATER = {name: (name,) for name in ("fedavg-raw", "rffl", "lin", "iafl", "fedce",
                                    "shapfed")}
# Other than a mechanism with its defaults
VARIANTS = {"cgsv": base.METHODS["cgsv-beta1"], "fedavg-raw": base.LATER["fedavg-raw"]}
PARTITIONS = {"digits": ("pow", "cla"), "mnist": ("pow", "cla"), "mr": ("pow",),
              "sst": ("pow",), "cifar10": ("pow", "cla")}
ROUNDS = {"digits": 30, "mnist": 40, "mr": 20, "sst": 20, "cifar10": 60}
SIZE = {"cifar10": 1000}  # half of what the tables give an agent


def candidates(dataset: str) -> dict[str, list[dict]]:
    """As many for each family of methods, in the words of `settings.with_choice`."""
    return {"standalone": [{"lr": lr} for lr in ALONE[dataset]],
            "averaging": [{"lr": lr, "gamma": first, "gamma_decay": decay}
                          for lr, first, decay in MOVING[dataset]],
            "qffl": [{"lr": lr, "q": q} for lr, q in QFFL[dataset]],
            "cffl": [{"lr": lr, "alpha": alpha} for lr, alpha in CFFL[dataset]]}


def later_candidates(dataset: str) -> dict[str, list[dict]]:
    """The same for the later mechanisms; {} where they are not tried. On MNIST fewer:
    with one number to choose, ten steps lie closer than the others' eighteen."""
    if dataset not in RATE:
        return {}
    rates = [{"lr": lr} for lr in RATE[dataset]]
    return {"rffl": [{"lr": lr, "gamma": gamma, "gamma_decay": 1.0}
                     for lr, gamma in CLIPPED[dataset]],
            "lin": rates, "iafl": rates, "fedce": rates, "shapfed": rates,
            "fedavg-raw": rates}


def runs(datasets: tuple[str, ...] = ORDER) -> Iterator[Run]:
    """All candidates, by data set; within it in the order in which they were added."""
    for dataset in datasets:
        tried = candidates(dataset)
        for number in range(len(tried["averaging"])):
            for family, mechanisms in FAMILIES.items():
                for mechanism in mechanisms:
                    yield from _runs(dataset, mechanism, tried[family][number])


def later_runs(dataset: str) -> Iterator[Run]:
    """All candidates of the later mechanisms."""
    for mechanism, tried in later_candidates(dataset).items():
        for candidate in tried:
            yield from _runs(dataset, mechanism, candidate)


def _runs(dataset: str, method: str, candidate: dict) -> Iterator[Run]:
    """One candidate on all partitions with all seeds."""
    mechanism, fixed = VARIANTS.get(method, (method, {}))
    size = {"size": SIZE[dataset]} if dataset in SIZE else {}
    rounds = ROUNDS[dataset]
    words = "-".join(f"{name.removeprefix('gamma_')}{value:g}"
                     for name, value in candidate.items())
    seeds = SEEDS.get(dataset, (SEED,))
    for seed in seeds[:3] if method in FEWER_SEEDS else seeds:
        for partition in PARTITIONS[dataset]:
            options = fixed | TOLD.get((mechanism, partition), {})
            usual = starting(dataset, partition, AGENTS, mechanism=mechanism,
                             mechanism_options=options, rounds=rounds, seed=seed,
                             recorded="validation", accuracy_every=rounds // 4, **size)
            file = f"tuning/{dataset}-{partition}-{method}-{words}-seed{seed}.json"
            yield Run(file, with_choice(usual, candidate))


def travel(settings: Settings) -> float:
    """sum_t Gamma_t: how far the server can go in a run of a method with a Gamma."""
    return sum(settings.gamma(t) for t in range(1, settings.rounds + 1))


def scores(dataset: str, family: str, results: Path
           ) -> list[tuple[dict, tuple[float, ...]]]:
    """The candidates that have been run, and for each mechanism of the family the mean
    validation accuracy after the last round in percent: over agents, partitions and
    seeds."""
    found = []
    every = candidates(dataset) | later_candidates(dataset)
    for candidate in every.get(family, ()):
        tried = [list(_runs(dataset, mechanism, candidate))
                 for mechanism in (FAMILIES | LATER)[family]]
        if all(run.path(results).exists() for runs in tried for run in runs):
            means = [fmean(_last(run, results) for run in runs) for runs in tried]
            found.append((candidate, tuple(100 * mean for mean in means)))
    return found


def _last(run: Run, results: Path) -> float:
    history = records.load(run.path(results)).history
    return float(history["validation_accuracy"][-1].mean())


def best(dataset: str, family: str, results: Path) -> dict:
    """The candidate with the highest score, the mean over the family's mechanisms; of
    equals the first.

    Raises:
        ValueError: nothing has been run yet.
    """
    found = scores(dataset, family, results)
    if not found:
        raise ValueError(f"no candidate of {family} has been run on {dataset}")
    return max(found, key=lambda pair: round(fmean(pair[1]), 6))[0]


def edges(dataset: str, family: str, results: Path) -> list[str]:
    """In which of its numbers the best candidate lacks a neighbour on a side: no lower
    or no higher one was tried with the others alike. "lr", "travel", "q" or "alpha".

    Raises:
        ValueError: nothing has been run yet.
    """
    found = numbers(dataset, best(dataset, family, results))
    tried = [numbers(dataset, candidate)
             for candidate, _ in scores(dataset, family, results)]
    open_ended = []
    for name, value in found.items():
        line = [t[name] for t in tried if {**t, name: value} == found]
        if not min(line) < value < max(line):
            open_ended.append(name)
    return open_ended


def numbers(dataset: str, candidate: dict) -> dict[str, float]:
    """A candidate with its travel in the place of Gamma_1 and the decay."""
    rest = {k: v for k, v in candidate.items() if not k.startswith("gamma")}
    if "gamma" not in candidate:
        return rest
    usual = starting(dataset, "pow", rounds=ROUNDS[dataset])
    return {**rest, "travel": travel(with_choice(usual, candidate))}
