"""What the paper, its published code and this project set. Page "Hyperparameters and
sizes"."""

import csv
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from book.reproduction import plan
from book.reproduction.base import METHODS, Column
from book.reproduction.pages import rendering, tables
from book.reproduction.pages.tables import PUBLISHED_DATASETS, method_label
from fairfl import mechanisms, models
from fairfl.runs.settings import Settings
from fairfl.schedules import Schedule

RESULTS = Path(__file__).resolve().parents[3] / "data" / "results"
HEADER = ("what", "data set", "paper", "published code", "ours", "why")
PARTITIONS = {
    "mnist": ("uni", "pow", "cla"),
    "cifar10": ("uni", "pow", "cla"),
    "mr": ("pow",),
    "sst": ("pow",),
}
AGENTS = {"mnist": 10, "cifar10": 10, "mr": 5, "sst": 5}


def used(dataset: str, partition: str) -> Settings:
    """What the recorded run of CGSV in Tables 1 and 2 is set to; if there is none, what
    it will be."""
    column = Column(dataset, AGENTS[dataset], partition)
    record = tables.read(RESULTS, column, "cgsv-beta1", 0)
    return record.settings if record else plan.run(column, "cgsv-beta1", 0).settings


def _schedule(schedule: Schedule) -> str:
    return f"{schedule.first:g}" + (
        f", times {schedule.decay:g} after each round" if schedule.decay != 1 else ""
    )


def _batch(settings: Settings) -> str:
    return f"{settings.local.batch_size or 'all samples'}"


def _size(settings: Settings) -> str:
    return f"{settings.size}" if settings.size else "the training set dealt out"


def _drawn(settings: Settings) -> str:
    return (
        "nested, drawn "
        + ("with" if settings.partition_options.get("replace") else "without")
        + " replacement"
    )


def _validation(settings: Settings) -> str:
    published = "the published one, else " if settings.dataset == "sst" else ""
    return (
        f"{published}a tenth, at most 1,000, held out"
        if settings.validation is None
        else f"{settings.validation}"
    )


# quantity -> (ours from the settings of a run and its mechanism, why)
OURS: dict[str, tuple[Callable[[Settings], str], str]] = {
    "alpha": (
        lambda s: f"{_mechanism(s).alpha:g}",
        "as both; the grid below tries others",
    ),
    "beta": (
        lambda s: ", ".join(
            f"{options['beta']:g}"
            for _, options in METHODS.values()
            if "beta" in options
        ),
        "as the paper; Fig. 7 needs larger ones to show anything",
    ),
    "first Gamma": (lambda s: f"{s.gamma.first:g}", "chosen on the validation set"),
    "decay of Gamma": (
        lambda s: f"times {s.gamma.decay:g} after each round",
        "with a constant Gamma every round moves the server as far as the first, and "
        "nothing settles",
    ),
    "rounds": (lambda s: f"{s.rounds}", "until training settles under the decay"),
    "local training": (
        lambda s: f"{s.local.epochs} epoch" + "s" * (s.local.epochs != 1),
        "a gradient step a round is slow; many epochs drive the agents apart",
    ),
    "batch size": (_batch, "as the published code, or smaller"),
    "learning rate": (
        lambda s: (
            f"{s.local.optimizer.upper() if s.local.optimizer == 'sgd' else 'Adam'}, "
            f"{_schedule(s.local.lr)}"
        ),
        "chosen on the validation set",
    ),
    "samples an agent": (
        _size,
        "as the published code; on CIFAR-10 more than the paper has under CLA",
    ),
    "network": (
        lambda s: models.MODELS[s.model].__name__,
        "as the published code; for sentences the kernels of 3, 4 "
        "and 5 words of the original",
    ),
    "test set": (
        lambda s: "balanced",
        "on positive reviews alone, always saying yes is best",
    ),
    "sizes under POW": (
        lambda s: "a power law",
        "what the text says: sizes that grow faster than linearly",
    ),
    "classes under CLA": (
        _drawn,
        "without replacement where there are enough samples of the first classes",
    ),
    "validation set": (
        _validation,
        "the same agents for all methods, whether they use it or not",
    ),
    "mask": (
        lambda s: {"vector": "the whole vector", "layers": "layer by layer"}[
            _mechanism(s).mask
        ],
        "as the text",
    ),
    "rounding of the quota": (
        lambda s: {"floor": "down"}[_mechanism(s).rounding],
        "as the text",
    ),
    "floor under r": (
        lambda s: f"{_mechanism(s).floor:g}",
        "as the published code: a coefficient of 0 never returns",
    ),
    "weights of the first sum": (
        lambda s: {"sizes": "by the numbers of samples"}[_mechanism(s).first_weights],
        "zeros would sum to nothing",
    ),
    "seeds": (
        lambda s: _seeds(s),
        "the spread over seeds is what differences are judged by",
    ),
}


def _mechanism(settings: Settings) -> mechanisms.CGSV:
    return mechanisms.build(settings.mechanism, **settings.mechanism_options)


def other_methods() -> list[list[str]]:
    """Method and hyperparameters of the baselines, on MNIST with POW."""
    found = []
    for method in METHODS:
        if not method.startswith("cgsv"):
            column = Column("mnist", 10, "pow")
            record = tables.read(RESULTS, column, method, 0)
            settings = (record.settings if record
                        else plan.run(column, method, 0).settings)
            options = asdict(
                mechanisms.build(settings.mechanism, **settings.mechanism_options)
            )
            text = ", ".join(
                f"{name} {_plain(value)}" for name, value in options.items()
            )
            found.append([method_label(method), text or "none"])
    return found


def _plain(value) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", False: "no", True: "yes"}[value]
    return f"{value:.3g}" if isinstance(value, float) else f"{value}"


def _seeds(settings: Settings) -> str:
    """As many as are recorded."""
    column = Column(settings.dataset, settings.agents, settings.partition)
    return rendering.seeds(RESULTS, column)


def rows(paper: Path) -> list[list[str]]:
    """A row for each line of ``data/paper/settings.csv``, as `HEADER` says; where ours
    depends on data set or partition all values are given.

    Raises:
        KeyError: the file names a quantity that `OURS` does not know.
    """
    with (Path(paper) / "settings.csv").open() as file:
        lines = list(csv.DictReader(file))
    found = []
    for line in lines:
        get, why = OURS[line["quantity"]]
        ours = _by_place(
            get,
            [line["dataset"]] if line["dataset"] else list(PARTITIONS),
            line["quantity"],
        )
        dataset = PUBLISHED_DATASETS[line["dataset"]] if line["dataset"] else "all"
        found.append(
            [
                line["quantity"],
                dataset,
                line["paper"],
                line["published_code"],
                ours,
                why,
            ]
        )
    return found


def _by_place(
    get: Callable[[Settings], str], datasets: list[str], quantity: str
) -> str:
    """The value, or which values hold where."""
    only = {"sizes under POW": "pow", "classes under CLA": "cla"}.get(quantity, "")
    grouped: dict[str, list[str]] = {}
    for dataset in datasets:
        partitions = [
            partition for partition in PARTITIONS[dataset] if only in ("", partition)
        ]
        values = {partition: get(used(dataset, partition)) for partition in partitions}
        name = PUBLISHED_DATASETS[dataset] if len(datasets) > 1 else ""
        for partition, value in values.items():
            place = (
                name
                if len(set(values.values())) == 1
                else f"{name} {partition.upper()}".strip()
            )
            if place not in grouped.setdefault(value, []):
                grouped[value].append(place)
    if len(grouped) == 1:
        return next(iter(grouped))
    return "\n".join(
        f"{value} ({', '.join(names)})" for value, names in grouped.items()
    )
