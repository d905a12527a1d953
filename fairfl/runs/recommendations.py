"""The settings that this project recommends, by data set, partition and mechanism.

They are ours: they converge on the real data within minutes on a CPU. The paper's text
and its published code are in `presets`.
"""

from __future__ import annotations

from dataclasses import replace

from fairfl.runs.settings import Settings
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining


def _sgd(lr: float, decay: float, batch_size: int) -> LocalTraining:
    return LocalTraining(lr=Schedule(lr, decay), batch_size=batch_size)


def _adam(batch_size: int) -> LocalTraining:
    return LocalTraining(lr=Schedule(1e-3, 0.977), batch_size=batch_size, optimizer="adam")


_MNIST = {"model": "mnist_cnn", "size": 600, "rounds": 40, "local": _sgd(0.15, 0.977, 32), "gamma": Schedule(0.5, 0.98),
          "accuracy_every": 20, "evaluate_every": 60}
_CIFAR = {"model": "cifar_cnn", "size": 2000, "rounds": 60, "local": _sgd(0.1, 0.97, 32), "gamma": Schedule(1.0, 0.97),
          "accuracy_every": 20, "evaluate_every": 60}
_TEXT = {"model": "text_cnn", "size": None, "rounds": 20, "gamma": Schedule(2.0, 0.9), "accuracy_every": 5,
         "evaluate_every": 20}
_DIGITS = {"model": "digits_cnn", "size": None, "rounds": 30, "local": _sgd(0.05, 0.977, 16),
           "gamma": Schedule(0.5, 0.97), "accuracy_every": 10, "evaluate_every": 10}

# By data set, and what differs for a partition
STARTING: dict[str, dict] = {"digits": _DIGITS, "mnist": _MNIST, "cifar10": _CIFAR,
                             "mr": _TEXT | {"local": _adam(128)}, "sst": _TEXT | {"local": _adam(256)}}
STARTING_FOR: dict[tuple[str, str], dict] = {
    ("mnist", "cla"): {"gamma": Schedule(0.5, 0.96)},
    ("cifar10", "cla"): {"gamma": Schedule(0.5, 0.98), "local": _sgd(0.05, 0.98, 32),
                         "partition_options": {"replace": True}},
    ("digits", "cla"): {"partition_options": {"replace": True}},
}

# The best of four candidates for each method, see `book.reproduction.choice`, in the words of `with_choice`
CHOSEN: dict[str, dict[str, dict]] = {
    "digits": {
        "standalone": {"lr": 0.2},
        "fedavg": {"lr": 0.1, "gamma": 0.5, "gamma_decay": 0.97},
        "cgsv": {"lr": 0.1, "gamma": 0.5, "gamma_decay": 0.97},
        "qffl": {"lr": 0.1, "q": 0.1},
        "cffl": {"lr": 0.1, "alpha": 2.0},
    },
    "mnist": {
        "standalone": {"lr": 0.15},
        "fedavg": {"lr": 0.15, "gamma": 0.5, "gamma_decay": 0.98},
        "cgsv": {"lr": 0.15, "gamma": 0.5, "gamma_decay": 0.98},
        "qffl": {"lr": 0.15, "q": 0.1},
        "cffl": {"lr": 0.15, "alpha": 2.0},
    },
    "cifar10": {
        "standalone": {"lr": 0.1},
        "fedavg": {"lr": 0.05, "gamma": 1.0, "gamma_decay": 0.97},
        "cgsv": {"lr": 0.05, "gamma": 1.0, "gamma_decay": 0.97},
        "qffl": {"lr": 0.1, "q": 0.1},
        "cffl": {"lr": 0.05, "alpha": 5.0},
    },
    "sst": {
        "standalone": {"lr": 1e-3},
        "fedavg": {"lr": 5e-4, "gamma": 2.0, "gamma_decay": 0.9},
        "cgsv": {"lr": 1e-3, "gamma": 2.0, "gamma_decay": 0.9},
        "qffl": {"lr": 1e-3, "q": 1e-4},
        "cffl": {"lr": 1e-3, "alpha": 2.0},
    },
    "mr": {
        "standalone": {"lr": 2e-3},
        "fedavg": {"lr": 5e-4, "gamma": 2.0, "gamma_decay": 0.9},
        "cgsv": {"lr": 1e-3, "gamma": 2.0, "gamma_decay": 0.9},
        "qffl": {"lr": 1e-3, "q": 1e-4},
        "cffl": {"lr": 1e-3, "alpha": 2.0},
    },
}
SAME_SUM = dict.fromkeys(("dw", "rr", "eu", "eci"), "fedavg")  # they pay in other ways from the sum that FedAvg takes


def with_choice(settings: Settings, choice: dict) -> Settings:
    """The settings with the learning rate and, where they are given, Gamma_1, its decay and hyperparameters.

    Args:
        choice: "lr", "gamma", "gamma_decay", and the mechanism's own options.
    """
    options = dict(choice)
    local = replace(settings.local, lr=replace(settings.local.lr, first=options.pop("lr")))
    gamma = replace(settings.gamma, first=options.pop("gamma", settings.gamma.first),
                    decay=options.pop("gamma_decay", settings.gamma.decay))
    return replace(settings, local=local, gamma=gamma, mechanism_options=settings.mechanism_options | options)


def starting(dataset: str = "mnist", partition: str = "pow", agents: int = 10, **changes) -> Settings:
    """The settings among whose neighbours the recommended ones were chosen; as `recommended`."""
    own = {"rounds": 30, "size": None, "local": _sgd(0.05, 0.977, 32), "gamma": Schedule(0.5, 0.98),
           "accuracy_every": 10, "evaluate_every": 30}
    if dataset not in STARTING and "model" not in changes:
        raise ValueError(f"no settings for the data set {dataset!r}; known are {', '.join(STARTING)}. For data of "
                         "your own, name the model too")
    fields = {**STARTING.get(dataset, own), **STARTING_FOR.get((dataset, partition), {}), "validation": None}
    return Settings(**{"dataset": dataset, "partition": partition, "agents": agents, **fields, **changes})


def recommended(dataset: str = "mnist", partition: str = "pow", agents: int = 10, **changes) -> Settings:
    """The settings we recommend for a data set, a partition and a mechanism, e.g.
    ``recommended("mnist", "pow", agents=5, mechanism="dw", seed=1)``.

    One local epoch a round and a decaying Gamma, so that the server settles; a validation set is held out whatever the
    mechanism, so that all mechanisms see the same agents. Learning rate, Gamma and hyperparameters are the best of as
    many candidates for each mechanism (`CHOSEN`). Nested classes of CIFAR-10 and digits (CLA) are drawn with
    replacement, because there are not enough images of the first classes.

    Args:
        changes: fields of `Settings` to set otherwise; hyperparameters in ``mechanism_options`` that are not given
            stay. A data set of one's own (a ``.npz`` file) needs ``model``.

    Raises:
        ValueError: no settings for this data set, and `model` is not given.
        TypeError: an unknown field.
    """
    found = starting(dataset, partition, agents, **changes)
    chosen = CHOSEN.get(dataset, {}).get(SAME_SUM.get(found.mechanism, found.mechanism))
    if not chosen:
        return found
    best = with_choice(found, chosen)
    given = {name: changes[name] for name in ("local", "gamma") if name in changes}
    return replace(best, mechanism_options=best.mechanism_options | found.mechanism_options, **given)
