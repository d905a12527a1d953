"""A run as a file: settings, versions, device, checksum of the data, the history and the seconds it took.

A record in `data/results/` is one JSON file. What it says can be repeated from what it says. The chapters plot records.
"""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import torch

import fairfl
from fairfl.history import History
from fairfl.runs.files import write_whole
from fairfl.runs.settings import Settings

DIGITS = 9  # a float32 comes back as it was


class Record(NamedTuple):
    """A finished run."""

    settings: Settings
    history: History
    about: dict  # versions, device, data, seconds


def versions(*packages: str) -> dict[str, str]:
    """Of what made the numbers: this library, torch, Python, and other packages by name."""
    return {"fairfl": fairfl.__version__, "torch": torch.__version__, "python": platform.python_version()} | {
        package: version(package) for package in packages
    }


def save(record: Record, path: str | Path) -> None:
    """Write a record, numbers with `DIGITS` significant digits; the file appears whole or not at all.

    Raises:
        OSError: it cannot be written; the message names the file.
    """
    plain = {"settings": record.settings.to_dict(), **record.about, "history": record.history.to_dict(DIGITS)}
    write_whole(path, json.dumps(plain, allow_nan=False) + "\n")


def load(path: str | Path) -> Record:
    """Read a record.

    Raises:
        FileNotFoundError: there is none; the message says how to make it.
        ValueError: the file is damaged or not a record; the message names it.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no record at {path}; `python -m book.reproduction` writes the records of the book")
    try:
        plain = json.loads(path.read_text())
        settings, history = Settings.from_dict(plain.pop("settings")), History.from_dict(plain.pop("history"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged or not a record of a run: {error}") from error
    return Record(settings, history, plain)
