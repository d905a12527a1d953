"""A run as a file: settings, versions, device, checksum of the data, history, seconds.

A record in `data/results/` is one JSON file. What it says can be repeated from what it
says. The chapters plot records; `CONTRIBUTING.md` describes the format.
"""

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import torch

import fairfl
from fairfl.history import History
from fairfl.runs.files import check_schema, reading, write_whole
from fairfl.runs.settings import Settings

DIGITS = 9  # a float32 comes back as it was
SCHEMA = 1  # rises when a reader of the older format would misread the newer one


class Record(NamedTuple):
    """A finished run."""

    settings: Settings
    history: History
    about: dict  # versions, device, data, seconds


def versions(*packages: str) -> dict[str, str]:
    """Of this library, torch, Python, and other packages by name."""
    own = {"fairfl": fairfl.__version__, "torch": torch.__version__,
           "python": platform.python_version()}
    return own | {package: version(package) for package in packages}


def save(record: Record, path: str | Path, replace: bool = True) -> None:
    """Write a record with `DIGITS` significant digits. Errors: see `write_whole`."""
    plain = {"schema": SCHEMA, "settings": record.settings.to_dict(), **record.about,
             "history": record.history.to_dict(DIGITS)}
    write_whole(path, json.dumps(plain, allow_nan=False) + "\n", replace)


def load(path: str | Path) -> Record:
    """Read a record. Errors: see `reading`; a missing one's says how to make it."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no record at {path}; `fairfl run` writes one, "
                                "`python -m book.reproduction` those of the book")
    with reading(path, "record"):
        about = json.loads(path.read_text())
        check_schema(about.pop("schema", 1), SCHEMA)
        settings = Settings.from_dict(about.pop("settings"))
        return Record(settings, History.from_dict(about.pop("history")), about)
