"""Experiments of single chapters: Fig. 2 of Xu et al. (2021), real updates to value,
and the authors' settings at the size of a table."""

from collections.abc import Iterator

from book.reproduction.base import METHODS, Run
from fairfl import presets
from fairfl.runs.recommendations import starting
from fairfl.runs.settings import Settings
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining


def label_noise(dataset: str = "mnist", seed: int = 0) -> Settings:
    """The federation of Sec. 3.4 and Fig. 2: five agents with 20, 40, 60, 0 and 0 % of
    their labels wrong.

    "mnist": 600 images an agent; one full-batch gradient step a round, as the paper
    writes local training. "digits", for a laptop: 240 images an agent, one epoch of
    small batches a round. In both Gamma decays, so that the server settles.

    Raises:
        ValueError: another data set.
    """
    common = {
        "partition": "uni",
        "agents": 5,
        "gamma": Schedule(0.5, 0.97),
        "mechanism_options": {"beta": 1.0},
        "label_noise": (0.2, 0.4, 0.6, 0.0, 0.0),
        "evaluate_every": 5,
        "seed": seed,
    }
    if dataset == "mnist":
        local = LocalTraining(lr=Schedule(0.15, 0.977), batch_size=None)
        return Settings(
            "mnist", size=600, model="mnist_cnn", rounds=60, local=local, **common
        )
    if dataset == "digits":
        local = LocalTraining(lr=Schedule(0.05, 0.977), batch_size=16)
        return Settings(
            "digits",
            size=240,
            model="digits_cnn",
            rounds=30,
            local=local,
            **common | {"evaluate_every": 10},
        )
    raise ValueError(
        f"unknown data set {dataset!r} for this experiment; known are 'mnist' and "
        "'digits'"
    )


def updates(dataset: str = "mnist", seed: int = 0) -> dict[str, Settings]:
    """Real updates to value: ten agents whose data differ in four ways, the cosines of
    their updates recorded.

    "uni": alike; "pow": unequal sizes; "cla": one to ten classes; "noise": up to 80 %
    of the labels wrong.

    Raises:
        ValueError: another data set than "mnist" or "digits".
    """
    if dataset not in ("mnist", "digits"):
        raise ValueError(
            f"unknown data set {dataset!r} for this experiment; known are 'mnist' "
            "and 'digits'"
        )
    size, rounds = (600, 20) if dataset == "mnist" else (120, 10)
    local = LocalTraining(
        lr=Schedule(0.05, 0.977), batch_size=32 if dataset == "mnist" else 16
    )
    common = {
        "agents": 10,
        "size": size,
        "model": f"{dataset}_cnn",
        "rounds": rounds,
        "local": local,
        "seed": seed,
        "gamma": Schedule(0.5, 0.97),
        "mechanism_options": {"beta": 1.0},
        "evaluate_every": rounds,
        "cosines_every": 5,
    }
    noise = (0.0, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    replace = {"replace": True} if dataset == "digits" else {}
    return {
        "updates-uni": Settings(dataset, "uni", **common),
        "updates-pow": Settings(dataset, "pow", **common),
        "updates-cla": Settings(dataset, "cla", partition_options=replace, **common),
        "updates-noise": Settings(dataset, "uni", label_noise=noise, **common),
    }


def authors(preset: str, method: str, seed: int) -> Iterator[Run]:
    """MNIST with ten agents as the authors' script sets it: 200 rounds of three epochs,
    their shards, masks and learning rate. `preset` of `fairfl.presets`, `method` of
    `base.METHODS`."""
    chosen = presets.load(preset)
    mechanism, options = METHODS[method]
    if mechanism == "cgsv":
        options = {**chosen.cgsv, **options}
    parts = {"cla": chosen.classes, "pow": chosen.power_law, "uni": {}}
    for kind, part in parts.items():
        settings = starting("mnist", kind, 10, mechanism=mechanism, rounds=200,
                            mechanism_options=options, partition_options=dict(part),
                            local=chosen.local, gamma=chosen.gamma, validation=0,
                            recorded="end", accuracy_every=50, seed=seed)
        file = f"authors/mnist-10-{kind}-{method}-{preset}-seed{seed}.json"
        yield Run(file, settings)


def authors_tables() -> Iterator[Run]:
    """The script before September 2024, then as it is, which takes 15 times as long."""
    methods = ("cgsv-beta1", "fedavg", "standalone")
    for seed in (0, 1, 2):
        for method in methods:
            yield from authors("earlier_published_code", method, seed)
    for method in methods:
        yield from authors("published_code", method, 0)
