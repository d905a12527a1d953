"""What decides the outcome of a run, as plain data."""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import PureWindowsPath
from typing import Any

from fairfl import _checks
from fairfl.runs.files import NewerFile
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining

RECORDED = ("all", "end", "validation", "guarantee", "losses")
TEXTS = ("dataset", "partition", "model", "mechanism")
OPTIONS = ("dataset_options", "partition_options", "mechanism_options",
           "model_options", "attacks")


@dataclass(frozen=True)
class Settings:
    """Everything that decides the outcome of a run, as plain data.

    `dataset_options`, `partition_options` and `mechanism_options` are passed on to
    `datasets.load`, `partition.partition` and `mechanisms.build`, `model_options` to
    `models.build`. A non-empty `label_noise` gives the fraction of wrong labels of
    each agent, see `partition.label_noise`. `attacks` says who cheats, and how, see
    `fairfl.attacks.build`; agents that an attacker brings along are not counted in
    `agents`. Numbers of numpy become plain ones, tuples in options become lists, and a
    number in the place of `gamma` a constant schedule.

    Losses are taken every `evaluate_every` rounds. Test accuracies of the models as
    downloaded and of the models after local training are taken every `accuracy_every`
    rounds and in the first and last; None: as downloaded only, half as often as the
    losses. The cosines between the updates are taken every `cosines_every` rounds (0:
    never).

    That is what is recorded for ``recorded="all"``. "end": losses and test results of
    both kinds after the last round (and every `accuracy_every` rounds where that is
    given), and in each round only what the mechanism logs and the lengths of updates.
    "validation": accuracies on the validation set every `accuracy_every` rounds,
    nothing else. "guarantee": what Theorem 2 speaks of, downloads and distances in each
    round, losses on all samples and the gradient of the server's every `evaluate_every`
    rounds. "losses": the same with each model's loss on each agent's samples, and under
    label noise on the true labels, in the place of that on all samples; and test
    results as for "end".

    Raises:
        ValueError: a field that is not plain data or out of its range, or a schedule
            that leaves the floating-point numbers before the last round.
    """

    dataset: str
    partition: str
    agents: int
    size: int | None  # samples an agent, on average; None: all there are
    model: str  # a name in `models.MODELS`, or "module:Class" for one of your own
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
    validation: int | None = 0  # samples that no agent gets, see `partition.hold_out`
    accuracy_every: int | None = None
    recorded: str = "all"
    attacks: dict = field(default_factory=dict)  # key -> {"kind": "noise", ...}
    buffers: str | None = None  # of BatchNorm and the like, see `Federation`

    def __post_init__(self) -> None:
        for name in (entry.name for entry in fields(self)):
            object.__setattr__(self, name, plain(getattr(self, name), name))
        if isinstance(self.gamma, (int, float)):
            object.__setattr__(self, "gamma", Schedule(self.gamma))
        try:
            noise = tuple(float(fraction) for fraction in self.label_noise)
        except (TypeError, ValueError) as error:
            raise ValueError("label_noise must be a fraction for each agent, not "
                             f"{self.label_noise!r}") from error
        object.__setattr__(self, "label_noise", noise)
        self._check()

    def _check(self) -> None:
        for names, kind, word in ((TEXTS, str, "text"), (OPTIONS, dict, "dictionary"),
                                  (("local",), LocalTraining, "LocalTraining"),
                                  (("gamma",), Schedule, "Schedule or number")):
            for name in names:
                if not isinstance(value := getattr(self, name), kind):
                    raise ValueError(f"{name} must be a {word}, not {value!r}")
        given = {name: 1 if (value := getattr(self, name)) is None else value
                 for name in ("size", "validation", "accuracy_every")}
        _checks.whole(0, validation=given.pop("validation"),
                      cosines_every=self.cosines_every)
        _checks.whole(agents=self.agents, rounds=self.rounds,
                      evaluate_every=self.evaluate_every, **given)
        _checks.whole(-(2**63), seed=self.seed)
        _checks.known("recorded", self.recorded, RECORDED)
        for name, schedule in (("gamma", self.gamma), ("local.lr", self._rate)):
            try:
                fits = schedule(self.rounds) < math.inf
            except OverflowError:
                fits = False
            if not fits:
                raise ValueError(f"{name} is beyond all numbers in round "
                                 f"{self.rounds}; its decay must be smaller")

    def _rate(self, t: int) -> float:
        return self.local.rate(t, self.local.epochs - 1)

    def to_dict(self) -> dict:
        """Plain data for JSON, which has no word for infinity: "inf" stands for it.

        Raises:
            ValueError: local training of a kind that `from_dict` could not tell from
                `LocalTraining`.
        """
        if type(self.local) is not LocalTraining:
            raise ValueError("a record cannot hold local training of the kind "
                             f"{type(self.local).__name__}")
        return _spelled(asdict(self))

    @classmethod
    def from_dict(cls, plain: dict) -> "Settings":
        """The inverse of `to_dict`.

        Raises:
            NewerFile: a field that this version does not know.
            ValueError: fields are missing.
        """
        try:
            local = dict(plain["local"])
            local["lr"] = _made(Schedule, local["lr"])
            return _made(cls, {**plain, "local": _made(LocalTraining, local),
                               "gamma": _made(Schedule, plain["gamma"])})
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not the settings of a run: {error!r}") from error

    def differences(self, other: "Settings") -> list[str]:
        """What is different in other settings, in words: "rounds 3, not 4"."""
        pairs = ((entry.name, getattr(self, entry.name), getattr(other, entry.name))
                 for entry in fields(self))
        return [f"{name} {mine!r}, not {theirs!r}" for name, mine, theirs in pairs
                if mine != theirs]

    @property
    def name(self) -> str:
        """A file name's stem, e.g. "mnist-pow-10-cgsv-beta1-seed0".

        It says nothing of most fields, see `recommendations.file_name`.
        """
        options = _short(self.mechanism_options)
        dataset = PureWindowsPath(self.dataset).name.removesuffix(".npz")
        for key, attack in sorted(self.attacks.items()):
            own = dict(attack)
            words = [f"agent{key}", str(own.pop("kind", "")), *_short(own)]
            options.append("".join(words))
        stem = "-".join([dataset, self.partition, str(self.agents), self.mechanism,
                         *options, f"seed{self.seed}"])
        return re.sub(r"[^\w.+-]", "_", stem)


def plain(value: Any, name: str) -> Any:
    """The value as JSON can hold it, infinity aside; a dataclass stays one.

    Raises:
        ValueError: it cannot; the message starts with the name.
    """
    if hasattr(value, "tolist"):  # of numpy or torch
        value = value.tolist()
    if value == "inf" or value == "-inf":
        return float(value)
    if is_dataclass(value) and not isinstance(value, type):
        parts = (entry.name for entry in fields(value))
        return replace(value, **{part: plain(getattr(value, part), f"{name}.{part}")
                                 for part in parts})
    if isinstance(value, Mapping):
        return {key: plain(entry, f"{name}.{key}") for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry, name) for entry in value]
    if not isinstance(value, (str, int, float, type(None))) or value != value:
        raise ValueError(f"{name} must be plain data (numbers, texts, lists), "
                         f"not {value!r}")
    return value


def _spelled(value: Any) -> Any:
    """Infinity as a text, at any depth."""
    if isinstance(value, dict):
        return {key: _spelled(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_spelled(entry) for entry in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def _made(kind: type, given: Mapping[str, Any]) -> Any:
    if unknown := sorted(set(given) - {entry.name for entry in fields(kind)}):
        raise NewerFile(f"unknown field {unknown[0]!r} of {kind.__name__}")
    return kind(**given)


def _short(options: Mapping[str, Any]) -> list[str]:
    return [f"{name}{value:g}" if isinstance(value, float) else f"{name}{value}"
            for name, value in sorted(options.items())]
