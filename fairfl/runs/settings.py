"""What decides the outcome of a run, as plain data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field

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
    of the server's every `evaluate_every` rounds. "losses": the same with each model's loss on each agent's samples, and
    under label noise on the true labels, in the place of that on all samples; and test results as for "end".
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
