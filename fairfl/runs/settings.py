"""What decides the outcome of a run, as plain data."""

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from functools import partial
from pathlib import PureWindowsPath
from typing import Any

from fairfl import _checks
from fairfl.participation import Participation
from fairfl.runs.files import NewerFile
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining
from fairfl.training.local import FUNCTIONS

RECORDED = ("all", "end", "validation", "guarantee", "losses")
WORDS = {str: "text", dict: "dictionary", LocalTraining: "LocalTraining",
         Schedule: "Schedule or number", Participation: "Participation or number"}


@dataclass(frozen=True)
class Settings:
    """Everything that decides the outcome of a run.

    Options are passed on to `datasets.load`, `partition.partition`, `mechanisms.build`
    and `models.build`. A non-empty `label_noise` is the fraction of wrong labels of
    each agent. `attacks` says who cheats, and how, see `fairfl.attacks.build`; agents
    that an attacker brings along are not counted in `agents`. Numbers of numpy become
    plain ones, tuples in options lists, and a number as `gamma` a constant schedule.

    ``recorded="all"``: losses every `evaluate_every` rounds, cosines between updates
    every `cosines_every` (0: never), test accuracies as downloaded and after local
    training every `accuracy_every` and in the first and last (None: as downloaded only,
    half as often as the losses). "end": losses and test results of both kinds after the
    last round (and every `accuracy_every` where given), and in each round only what the
    mechanism logs and the lengths of updates. "validation": accuracies on the
    validation set every `accuracy_every` rounds only. "guarantee": what Theorem 2
    speaks of, downloads and distances in each round, losses on all samples and the
    gradient of the server's every `evaluate_every`. "losses": the same with each
    model's loss on each agent's samples, and under label noise on the true labels, in
    the place of that on all samples; and test results as for "end".

    ValueError for a field that is not plain data or out of its range, or a schedule
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
    participation: Participation = Participation()  # a number: its `present`

    def __post_init__(self) -> None:
        for name in vars(self).copy():
            object.__setattr__(self, name, plain(getattr(self, name), name))
        if isinstance(self.gamma, (int, float)):
            object.__setattr__(self, "gamma", Schedule(self.gamma))
        if isinstance(self.participation, (int, float)):
            object.__setattr__(self, "participation", Participation(self.participation))
        try:
            noise = tuple(float(fraction) for fraction in self.label_noise)
        except (TypeError, ValueError) as error:
            raise ValueError("label_noise must be a fraction for each agent, not "
                             f"{self.label_noise!r}") from error
        object.__setattr__(self, "label_noise", noise)
        self._check()

    def _check(self) -> None:
        for entry in fields(self):
            kind: Any = entry.type
            if kind in WORDS and not isinstance(getattr(self, entry.name), kind):
                raise ValueError(f"{entry.name} must be a {WORDS[kind]}, not "
                                 f"{getattr(self, entry.name)!r}")
        given = {name: 1 if (value := getattr(self, name)) is None else value
                 for name in ("size", "validation", "accuracy_every")}
        _checks.whole(0, validation=given.pop("validation"),
                      cosines_every=self.cosines_every)
        _checks.whole(agents=self.agents, rounds=self.rounds,
                      evaluate_every=self.evaluate_every, **given)
        _checks.whole(-(2**63), seed=self.seed)
        _checks.known("recorded", self.recorded, RECORDED)
        rate = partial(self.local.rate, epoch=self.local.epochs - 1)
        for name, schedule in (("gamma", self.gamma), ("local.lr", rate)):
            with suppress(OverflowError):
                if schedule(self.rounds) < math.inf:
                    continue
            raise ValueError(f"{name} is beyond all numbers in round {self.rounds}; "
                             "its decay must be smaller")

    def to_dict(self) -> dict:
        """Plain data for JSON, which has no word for infinity: "inf" stands for it.

        ValueError for local training of a kind that `from_dict` could not know.
        """
        if type(self.local) is not LocalTraining:
            raise ValueError("a record cannot hold local training of the kind "
                             f"{type(self.local).__name__}")
        found = asdict(self)
        for name in FUNCTIONS:  # None: `plain` refuses functions
            del found["local"][name]
        return _spelled(found)

    @classmethod
    def from_dict(cls, plain: dict) -> "Settings":
        """The inverse of `to_dict`; NewerFile for a field that this version does not
        know, ValueError if one is missing."""
        try:
            local = dict(plain["local"])
            local["lr"] = _made(Schedule, local["lr"])
            return _made(cls, {**plain, "local": _made(LocalTraining, local),
                               "gamma": _made(Schedule, plain["gamma"]),
                               "participation": _made(
                                   Participation, plain.get("participation", {}))})
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not the settings of a run: {error!r}") from error

    def differences(self, other: "Settings") -> list[str]:
        """What is different in other settings, in words: "rounds 3, not 4"."""
        return [f"{name} {mine!r}, not {theirs!r}" for name, mine in vars(self).items()
                if mine != (theirs := getattr(other, name))]

    @property
    def name(self) -> str:
        """A file name's stem, e.g. "mnist-pow-10-cgsv-beta1-seed0"; it says nothing of
        most fields, see `recommendations.file_name`."""
        options = _short(self.mechanism_options)
        dataset = PureWindowsPath(self.dataset).name.removesuffix(".npz")
        for key, attack in sorted(self.attacks.items()):
            own = dict(attack)
            kind = own.pop("kind", "")
            options.append("".join([f"agent{key}{kind}", *_short(own)]))
        stem = "-".join([dataset, self.partition, str(self.agents), self.mechanism,
                         *options, f"seed{self.seed}"])
        return re.sub(r"[^\w.+-]", "_", stem)


def plain(value: Any, name: str) -> Any:
    """The value as JSON can hold it, infinity aside; a dataclass stays one.

    ValueError if it cannot; the message starts with the name.
    """
    if hasattr(value, "tolist"):  # of numpy or torch
        value = value.tolist()
    if value == "inf" or value == "-inf":
        return float(value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{part: plain(entry, f"{name}.{part}")
                                 for part, entry in vars(value).items()})
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
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
