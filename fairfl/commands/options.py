"""What is typed after ``fairfl run``, as settings."""

import ast
import math
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from fairfl.runs.settings import Settings

# --set of these replaces a part of what is recommended, not the whole
COMPOSED = {"local", "gamma", "participation"}


class Listed(click.Option):
    """An option whose help lists names, imported only when the help is asked for."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        from fairfl.attacks import KINDS
        from fairfl.datasets import DATASETS
        from fairfl.mechanisms import MECHANISMS
        from fairfl.models import MODELS
        from fairfl.partition import PARTITIONS
        from fairfl.runs.settings import Settings

        known: dict[str, Iterable[str]] = {
            "attacks": KINDS, "datasets": DATASETS, "mechanisms": MECHANISMS,
            "models": MODELS, "partitions": PARTITIONS,
            "fields": [entry.name for entry in fields(Settings)]}
        self.help = (self.help or "").format(
            **{name: ", ".join(names) for name, names in known.items()})
        return super().get_help_record(ctx)


def settings_of(dataset: str, partition: str, agents: int, mechanism: str,
                beta: float | None, lr: float | None, gamma: float | None,
                attacks: Sequence[str], assignments: Sequence[str],
                **changes: Any) -> "Settings":
    """The recommended settings with what was asked for instead; click.UsageError for
    something that does not exist or does not fit."""
    from fairfl import _checks, mechanisms
    from fairfl import attacks as cheats
    from fairfl.partition import PARTITIONS
    from fairfl.runs import Settings, recommended

    whole = {entry.name for entry in fields(Settings)} - COMPOSED
    asked: dict[str, Any] = dict(dataset=dataset, partition=partition.lower(),
                                 agents=agents, mechanism=mechanism)
    asked |= {name: value for name, value in changes.items() if value is not None}
    if attacks:
        asked["attacks"] = dict(_attack(text) for text in attacks)
    if beta is not None:
        asked["mechanism_options"] = {"beta": beta}
    later = [("local.lr.first", lr)] * (lr is not None)
    later += [("gamma.first", gamma)] * (gamma is not None)
    for path, value in (_pair("--set", text) for text in assignments):
        if path in whole:
            asked[path] = value
        else:
            later.append((path, value))
    try:
        found = recommended(**asked)
        for path, value in later:
            found = _set(found, path, value)
        mechanisms.build(found.mechanism, **found.mechanism_options)
        cheats.build(found.attacks)
        _checks.known("partition", found.partition.lower(), PARTITIONS)
        return found
    except (ValueError, TypeError) as error:
        raise click.UsageError(str(error)) from error


def _set(found: "Settings", path: str, value: Any) -> "Settings":
    try:
        return _changed(found, path.split("."), value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}={value!r}: {error}") from error


def _changed(whole: Any, parts: Sequence[str], value: Any) -> Any:
    """A copy of settings, or of a part of them, with another value at `parts`."""
    if not parts:
        return value
    name, *rest = parts
    if isinstance(whole, dict):
        return {**whole, name: _changed(whole.get(name, {}), rest, value)}
    if not is_dataclass(whole) or isinstance(whole, type):
        raise ValueError(f"{whole!r} has no part {name!r}")
    known = [entry.name for entry in fields(whole)]
    if name not in known:
        raise ValueError(f"unknown field {name!r}; known are {', '.join(known)}")
    return replace(whole, **{name: _changed(getattr(whole, name), rest, value)})


def _pair(flag: str, text: str) -> tuple[str, Any]:
    """NAME=VALUE, the value read as Python's literal where it is one."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise click.UsageError(f"{flag} wants NAME=VALUE, not {text!r}")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, math.inf if value == "inf" else value


def _attack(text: str) -> tuple[str, dict[str, Any]]:
    """An agent's key and its attack as plain data, from KEY=KIND,NAME=VALUE,..."""
    key, equals, rest = text.partition("=")
    kind, *pairs = rest.split(",")
    if not (key and equals and kind):
        raise click.UsageError(f"--attack wants KEY=KIND[,NAME=VALUE], not {text!r}")
    return key, {"kind": kind} | dict(_pair("--attack", pair) for pair in pairs)
