"""The settings that this project recommends, by data set, partition and mechanism; they
converge on the real data within minutes on a CPU. Those of the paper are in `presets`.
"""

import hashlib
import json
from dataclasses import replace
from typing import Any

from fairfl.runs.settings import Settings
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining


def _sgd(lr: float, decay: float, batch_size: int) -> LocalTraining:
    return LocalTraining(lr=Schedule(lr, decay), batch_size=batch_size)


def _adam(batch_size: int) -> LocalTraining:
    return LocalTraining(Schedule(1e-3, 0.977), 1, batch_size, optimizer="adam")


_MNIST = {"model": "mnist_cnn", "size": 600, "rounds": 40,
          "local": _sgd(0.15, 0.977, 32), "gamma": Schedule(0.5, 0.98),
          "accuracy_every": 20, "evaluate_every": 60}
_CIFAR = {"model": "cifar_cnn", "size": 2000, "rounds": 60,
          "local": _sgd(0.1, 0.97, 32), "gamma": Schedule(1.0, 0.97),
          "accuracy_every": 20, "evaluate_every": 60}
_TEXT = {"model": "text_cnn", "size": None, "rounds": 20, "gamma": Schedule(2.0, 0.9),
         "accuracy_every": 5, "evaluate_every": 20}
_DIGITS = {"model": "digits_cnn", "size": None, "rounds": 30,
           "local": _sgd(0.05, 0.977, 16), "gamma": Schedule(0.5, 0.97),
           "accuracy_every": 10, "evaluate_every": 10}
_OWN = {"rounds": 30, "size": None, "local": _sgd(0.05, 0.977, 32),
        "gamma": Schedule(0.5, 0.98), "accuracy_every": 10, "evaluate_every": 30}

# By data set, and what differs for a partition
STARTING: dict[str, dict] = {
    "digits": _DIGITS, "mnist": _MNIST, "cifar10": _CIFAR,
    "mr": _TEXT | {"local": _adam(128)}, "sst": _TEXT | {"local": _adam(256)},
}
STARTING_FOR: dict[tuple[str, str], dict] = {
    ("mnist", "cla"): {"gamma": Schedule(0.5, 0.96)},
    ("cifar10", "cla"): {"gamma": Schedule(0.5, 0.98), "local": _sgd(0.05, 0.98, 32),
                         "partition_options": {"replace": True}},
    ("digits", "cla"): {"partition_options": {"replace": True}},
}


def _best(standalone: float, fedavg: float, cgsv: float, qffl: tuple[float, float],
          cffl: tuple[float, float], usual: dict) -> dict[str, dict]:
    """Learning rates, with q of q-FFL and alpha of CFFL, and the usual Gamma."""
    gamma = {"gamma": usual["gamma"].first, "gamma_decay": usual["gamma"].decay}
    return {"standalone": {"lr": standalone}, "fedavg": {"lr": fedavg} | gamma,
            "cgsv": {"lr": cgsv} | gamma, "qffl": {"lr": qffl[0], "q": qffl[1]},
            "cffl": {"lr": cffl[0], "alpha": cffl[1]}}


# The best of four candidates for each method, in the words of `with_choice`; see
# `book.reproduction.choice`
CHOSEN: dict[str, dict[str, dict]] = {
    "digits": _best(0.2, 0.1, 0.1, (0.1, 0.1), (0.1, 2.0), _DIGITS),
    "mnist": _best(0.15, 0.15, 0.15, (0.15, 0.1), (0.15, 2.0), _MNIST),
    "cifar10": _best(0.1, 0.05, 0.05, (0.1, 0.1), (0.05, 5.0), _CIFAR),
    "sst": _best(1e-3, 5e-4, 1e-3, (1e-3, 1e-4), (1e-3, 2.0), _TEXT),
    "mr": _best(2e-3, 5e-4, 1e-3, (1e-3, 1e-4), (1e-3, 2.0), _TEXT),
}
# They pay in other ways from the sum that FedAvg takes
SAME_SUM = dict.fromkeys(("dw", "rr", "eu", "eci"), "fedavg")
NAMED = ("dataset", "partition", "agents", "mechanism", "mechanism_options", "seed",
         "attacks")  # what a file's name says in words


def with_choice(settings: Settings, choice: dict) -> Settings:
    """The settings with another "lr", "gamma" (in round 1), "gamma_decay" and options
    of the mechanism."""
    options = dict(choice)
    lr = replace(settings.local.lr, first=options.pop("lr"))
    gamma = Schedule(options.pop("gamma", settings.gamma.first),
                     options.pop("gamma_decay", settings.gamma.decay))
    return replace(settings, local=replace(settings.local, lr=lr), gamma=gamma,
                   mechanism_options=settings.mechanism_options | options)


def starting(dataset: str = "mnist", partition: str = "pow", agents: int = 10,
             **changes: Any) -> Settings:
    """The settings among whose neighbours the recommended ones were chosen."""
    if dataset not in STARTING and "model" not in changes:
        raise ValueError(f"no settings for the data set {dataset!r}; known are "
                         f"{', '.join(STARTING)}. For your own data, name a model too")
    fields = STARTING.get(dataset, _OWN) | STARTING_FOR.get((dataset, partition), {})
    return Settings(dataset, partition, agents,
                    **(fields | {"validation": None} | changes))


def recommended(dataset: str = "mnist", partition: str = "pow", agents: int = 10,
                **changes: Any) -> Settings:
    """The settings we recommend for a data set, a partition and a mechanism, e.g.
    ``recommended("mnist", "pow", agents=5, mechanism="dw", seed=1)``.

    One local epoch a round and a decaying Gamma, so that the server settles; a
    validation set is held out whatever the mechanism, so that all mechanisms see the
    same agents. Learning rate, Gamma and hyperparameters are the best of as many
    candidates for each mechanism (`CHOSEN`). For CLA, CIFAR-10 and digits have too few
    images of the first classes; they are drawn with replacement.

    Args:
        changes: fields of `Settings` to set otherwise; hyperparameters that are not
            given in ``mechanism_options`` stay. A ``.npz`` file needs ``model``.

    ValueError without settings for this data set or `model`, TypeError for an unknown
    field.
    """
    found = starting(dataset, partition, agents, **changes)
    chosen = CHOSEN.get(dataset, {}).get(SAME_SUM.get(found.mechanism, found.mechanism))
    if not chosen:
        return found
    best = with_choice(found, chosen)
    given = {part: getattr(found, part) for part in changes}
    options = best.mechanism_options | found.mechanism_options
    return replace(best, **(given | {"mechanism_options": options}))


def file_name(settings: Settings) -> str:
    """A file name's stem that is another for other settings: `Settings.name`, and a
    short hash of what differs from the settings recommended for what the name says."""
    own = settings.dataset not in STARTING  # the name holds its last part only
    named: dict[str, Any] = {"model": ""} if own else {}
    named |= {name: getattr(settings, name) for name in NAMED}
    usual = recommended(**named).to_dict()
    other = {name: value for name, value in settings.to_dict().items()
             if value != usual[name] or (own and name == "dataset")}
    text = json.dumps(other, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{settings.name}-{digest[:6]}" if other else settings.name
