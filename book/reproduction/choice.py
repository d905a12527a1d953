"""How the settings of `fairfl.runs` were chosen: on the validation set, with as many
candidates for every method.

Methods that pay from the same sum train with the same settings: DW, RR, EU and ECI with
those of FedAvg. The candidates run with five agents, on other shards and another seed
than any run of the tables. The best one has the highest mean of all agents' accuracies
on the validation set after the last round, averaged over the partitions.
"""

from collections.abc import Iterator
from pathlib import Path

from book.reproduction.base import Run
from fairfl.runs import records
from fairfl.runs.recommendations import starting, with_choice
from fairfl.runs.settings import Settings

SEED, AGENTS = 100, 5
PARTITIONS = {
    "mnist": ("pow", "cla"),
    "cifar10": ("pow", "cla"),
    "digits": ("pow", "cla"),
    "sst": ("pow",),
    "mr": ("pow",),
}
ROUNDS = {"mnist": 40, "cifar10": 60, "digits": 30, "sst": 20, "mr": 20}
SIZE = {"cifar10": 1000}  # half of what the tables give an agent

# Learning rates, then Gamma_1 and its decay where there is a Gamma
_RATES = {
    "mnist": (0.05, 0.15),
    "cifar10": (0.05, 0.1),
    "digits": (0.05, 0.1),
    "sst": (5e-4, 1e-3),
    "mr": (5e-4, 1e-3),
}
_GAMMAS = {
    "mnist": ((0.5, 0.96), (0.5, 0.98)),
    "cifar10": ((0.5, 0.98), (1.0, 0.97)),
    "digits": ((0.5, 0.95), (0.5, 0.97)),
    "sst": ((1.0, 0.9), (2.0, 0.9)),
    "mr": ((1.0, 0.9), (2.0, 0.9)),
}
# q-FFL's; under Adam, whose eta is small, q |Delta w|^2 / eta and with it the
# denominator are large
_QS = {"sst": (0.1, 1e-4), "mr": (0.1, 1e-4)}


def candidates(dataset: str) -> dict[str, list[dict]]:
    """Four for each family of methods, as `runs.with_choice` takes them."""
    low, high = _RATES[dataset]
    two = [{"lr": low}, {"lr": high}]
    gammas = [
        {**rate, "gamma": first, "gamma_decay": decay}
        for rate in two
        for first, decay in _GAMMAS[dataset]
    ]
    return {
        "standalone": [{"lr": low / 2}, *two, {"lr": 2 * high}],
        "fedavg": gammas,
        "cgsv": gammas,
        "qffl": [
            {**rate, "q": q} for rate in two for q in _QS.get(dataset, (0.1, 1.0))
        ],
        "cffl": [{**rate, "alpha": alpha} for rate in two for alpha in (2.0, 5.0)],
    }


def runs(datasets: tuple[str, ...] = tuple(ROUNDS)) -> Iterator[Run]:
    """All candidates."""
    for dataset in datasets:
        for family, tried in candidates(dataset).items():
            for number, candidate in enumerate(tried, 1):
                for partition in PARTITIONS[dataset]:
                    yield Run(
                        f"choice/{dataset}-{partition}-{family}-{number}.json",
                        _settings(dataset, partition, family, candidate),
                    )


def _settings(dataset: str, partition: str, family: str, candidate: dict) -> Settings:
    changes = {"size": SIZE[dataset]} if dataset in SIZE else {}
    base = starting(
        dataset,
        partition,
        AGENTS,
        mechanism=family,
        rounds=ROUNDS[dataset],
        seed=SEED,
        mechanism_options={"beta": 1.0} if family == "cgsv" else {},
        recorded="validation",
        accuracy_every=ROUNDS[dataset] // 4,
        **changes,
    )
    return with_choice(base, candidate)


def scores(dataset: str, results: Path) -> dict[str, list[dict[int, float]]]:
    """Mean validation accuracy in percent of each family's candidates, by the round:
    over agents and partitions.

    Raises:
        FileNotFoundError: a candidate has not been run.
    """
    found = {}
    for family, tried in candidates(dataset).items():
        found[family] = []
        for number in range(1, len(tried) + 1):
            histories = [
                records.load(
                    results / f"choice/{dataset}-{partition}-{family}-{number}.json"
                ).history
                for partition in PARTITIONS[dataset]
            ]
            curves = [history["validation_accuracy"].mean(1) for history in histories]
            mean = 100 * sum(curves) / len(curves)
            found[family].append(
                dict(
                    zip(
                        histories[0].rounds("validation_accuracy").tolist(),
                        mean.tolist(),
                        strict=True,
                    )
                )
            )
    return found


def best(dataset: str, results: Path) -> dict[str, dict]:
    """The candidate of each family that is highest after the last round; of equals the
    first."""
    last = ROUNDS[dataset]
    tried = candidates(dataset)
    return {
        family: tried[family][max(range(len(curves)), key=lambda i: curves[i][last])]
        for family, curves in scores(dataset, results).items()
    }
