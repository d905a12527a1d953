"""A run as it stands after a round, in a file from which it goes on.

The file is an uncompressed ``.npz``: arrays, and one text in JSON with everything else. Reading it runs no code.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from fairfl.history import History, Snapshot
from fairfl.runs.files import write_whole


class Checkpoint(NamedTuple):
    """What a file holds."""

    history: History  # with `last`, the snapshot to go on from
    about: dict  # whatever was saved with it, plain data


def save(path: str | Path, history: History, about: dict) -> None:
    """Write what is needed to go on after the last round of `history`; the file appears whole or not at all.

    Args:
        history: of at least one round.
        about: plain data to keep beside it, such as the settings.

    Raises:
        OSError: it cannot be written; the message names the file.
    """
    last = history.last
    arrays = {"server": last.server, "models": last.models, "buffers": last.buffers}
    tensors = {name: value for name, value in last.state.items() if isinstance(value, torch.Tensor)}
    arrays |= {f"state/{name}": value for name, value in tensors.items()}
    arrays |= {f"downloads/{name}": value for name, value in last.downloads.items()}
    plain = {"t": last.t, "about": about, "history": history.until(last.t).to_dict(),
             "state": {name: value for name, value in last.state.items() if name not in tensors}}
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(plain, allow_nan=False).encode(), dtype=np.uint8)
    np.savez(buffer, json=text, **{name: value.detach().cpu().numpy() for name, value in arrays.items()})
    write_whole(path, buffer.getbuffer())


def load(path: str | Path, device: str | torch.device = "cpu") -> Checkpoint:
    """Read a checkpoint; its models are placed on `device`.

    Raises:
        FileNotFoundError: there is none.
        ValueError: the file is damaged or not a checkpoint; the message names it.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: torch.from_numpy(file[name]) for name in file.files}
        plain = json.loads(arrays.pop("json").numpy().tobytes())
        history = History.from_dict(plain["history"])
        state = {name.removeprefix("state/"): value for name, value in arrays.items() if name.startswith("state/")}
        server, models, buffers = (arrays[name].to(device) for name in ("server", "models", "buffers"))
        downloads = {name.removeprefix("downloads/"): value.to(device) for name, value in arrays.items()
                     if name.startswith("downloads/")}
        history.last = Snapshot(plain["t"], server, models, buffers, state | plain["state"], downloads=downloads)
        return Checkpoint(history, plain["about"])
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is damaged or not a checkpoint of a run: {error}") from error
