"""What decides the outcome of a run, as plain data, and the settings that this project recommends.

The recommended settings are ours: they converge on the real data within minutes on a CPU. The paper's text and its
published code are in `presets`.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace

from fairfl.schedules import Schedule
from fairfl.training import LocalTraining


@dataclass(frozen=True)
class Settings:
    """Everything that decides the outcome of a run, as plain data.

    `dataset_options`, `partition_options` and `mechanism_options` are passed on to `datasets.load`,
    `partition.partition` and `mechanisms.build`, `model_options` to `models.build`; a non-empty `label_noise` gives
    the fraction of wrong labels of each agent, see `partition.label_noise`. `attacks` says who cheats, and how, see
    `fairfl.attacks.build`; agents that an attacker brings along are not counted in `agents`.

    Losses are taken every `evaluate_every` rounds. Test accuracies of the models as downloaded and of the models after
    local training are taken every `accuracy_every` rounds and in the first and last; None: as downloaded only, half as
    often as the losses. The cosines between the updates are taken every `cosines_every` rounds (0: never).

    That is what is recorded for ``recorded="all"``. "end": losses and test results of both kinds after the last round
    (and every `accuracy_every` rounds where that is given), and in each round only what the mechanism logs and the
    lengths of updates. "validation": accuracies on the validation set every `accuracy_every` rounds, nothing else.
    "guarantee": what Theorem 2 speaks of, downloads and distances in each round, losses on all samples and the gradient
    of the server's every `evaluate_every` rounds.
    """

    dataset: str
    partition: str
    agents: int
    size: int | None  # samples an agent, on average; None: all there are
    model: str
    rounds: int
    local: LocalTraining
    gamma: Schedule
    mechanism: str = "cgsv"
    mechanism_options: dict = field(default_factory=dict)
    partition_options: dict = field(default_factory=dict)
    label_noise: tuple[float, ...] = ()
    evaluate_every: int = 1
    cosines_every: int = 0
    seed: int = 0
    dataset_options: dict = field(default_factory=dict)
    model_options: dict = field(default_factory=dict)
    validation: int | None = 0  # samples that no agent gets, see `partition.hold_out`; None: its default
    accuracy_every: int | None = None
    recorded: str = "all"
    attacks: dict = field(default_factory=dict)  # agent's key -> {"kind": "noise", "from_round": 1, ...}

    def to_dict(self) -> dict:
        """Plain data for JSON, which has no word for infinity: "inf" stands for it in the options.

        Raises:
            ValueError: local training of a kind that `from_dict` could not tell from `LocalTraining`.
        """
        if type(self.local) is not LocalTraining:
            raise ValueError(f"a record cannot hold local training of the kind {type(self.local).__name__}")
        plain = asdict(self)
        plain["mechanism_options"] = {
            name: "inf" if value == math.inf else value for name, value in self.mechanism_options.items()
        }
        return plain

    @classmethod
    def from_dict(cls, plain: dict) -> Settings:
        """The inverse of `to_dict`.

        Raises:
            ValueError: fields are missing or unknown.
        """
        try:
            options = {name: math.inf if value == "inf" else value
                       for name, value in plain.get("mechanism_options", {}).items()}
            local = {**plain["local"], "lr": Schedule(**plain["local"]["lr"])}
            return cls(**{**plain, "local": LocalTraining(**local), "gamma": Schedule(**plain["gamma"]),
                          "label_noise": tuple(plain["label_noise"]), "mechanism_options": options})
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not the settings of a run: {error!r}") from error

    @property
    def name(self) -> str:
        """A file name's stem, e.g. "mnist-pow-10-cgsv-beta1-seed0"."""
        options = [f"{key}{value:g}" if isinstance(value, float) else f"{key}{value}"
                   for key, value in sorted(self.mechanism_options.items())]
        dataset = self.dataset.replace("\\", "/").rpartition("/")[2].removesuffix(".npz")
        for key, attack in sorted(self.attacks.items()):
            own = [f"{name}{value}" for name, value in sorted(attack.items()) if name != "kind"]
            options.append("".join([f"agent{key}", attack.get("kind", ""), *own]))
        return "-".join([dataset, self.partition, str(self.agents), self.mechanism, *options, f"seed{self.seed}"])


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

# The best of four candidates for each method, see `fairfl.reproduction.choice`, in the words of `with_choice`
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
