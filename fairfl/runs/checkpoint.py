"""A run as it stands after a round, in a file from which it goes on.

The file is an uncompressed ``.npz``: arrays, and one text in JSON with everything else.
Reading it runs no code.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fairfl.history import History, Snapshot
from fairfl.runs.files import NewerFile, check_schema, write_whole

SCHEMA = 1  # of the file


class Checkpoint(NamedTuple):
    """What a file holds."""

    history: History  # with `last`, the snapshot to go on from
    about: dict  # whatever was saved with it, plain data


def save(path: str | Path, history: History, about: dict) -> None:
    """Write what is needed to go on after the last round of `history`, or nothing.

    Args:
        history: of at least one round.
        about: plain data to keep beside it, such as the settings.

    Raises:
        OSError: it cannot be written; the message names the file.
    """
    last = history.last
    assert last is not None, "a history without a round"
    arrays = {"server": last.server, "models": last.models, "buffers": last.buffers}
    arrays |= {f"downloads/{name}": value for name, value in last.downloads.items()}
    numbers: dict[str, float] = {}
    for name, value in last.state.items():
        if isinstance(value, Tensor):
            arrays[f"state/{name}"] = value
        else:
            numbers[name] = value
    plain = {"schema": SCHEMA, "t": last.t, "about": about, "state": numbers,
             "history": history.until(last.t).to_dict()}
    text = json.dumps(plain, default=lambda value: value.tolist())  # of numpy
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, json=np.frombuffer(text.encode(), np.uint8),
             **{name: value.detach().cpu().numpy() for name, value in arrays.items()})
    write_whole(path, buffer.getbuffer())


def load(path: str | Path, device: str | torch.device = "cpu") -> Checkpoint:
    """Read a checkpoint; its models are placed on `device`.

    Raises:
        FileNotFoundError: there is none.
        NewerFile: a newer fairfl wrote it; the message names the file.
        ValueError: the file is damaged or not a checkpoint; the message names it.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: torch.from_numpy(file[name]) for name in file.files}
        plain = json.loads(arrays.pop("json").numpy().tobytes())
        check_schema(plain.get("schema", 1), SCHEMA)
        history = History.from_dict(plain["history"])
        placed = {name: value if name.startswith("state/") else value.to(device)
                  for name, value in arrays.items()}
        history.last = Snapshot(
            plain["t"], placed["server"], placed["models"], placed["buffers"],
            {**_under("state/", placed), **plain["state"]},
            downloads=_under("downloads/", placed))
        return Checkpoint(history, plain["about"])
    except FileNotFoundError:
        raise
    except NewerFile as error:
        raise NewerFile(f"{path} cannot be read: {error.args[0]}") from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError,
            zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is damaged or not a checkpoint: {error}") from error


def _under(start: str, arrays: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(start): value for name, value in arrays.items()
            if name.startswith(start)}
