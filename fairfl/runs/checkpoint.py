"""A run as it stands after a round, in a file from which it goes on: an uncompressed
``.npz`` of arrays and a text in JSON with everything else. Reading it runs no code.
"""

import io
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fairfl.history import History, Snapshot
from fairfl.runs.files import check_schema, reading, write_whole

SCHEMA = 1  # of the file


class Checkpoint(NamedTuple):
    """What a file holds."""

    history: History  # with `last`, the snapshot to go on from
    about: dict  # plain data saved with it, such as the settings


def save(path: str | Path, history: History, about: dict) -> None:
    """Write what is needed to go on after the last round. Errors: see `write_whole`."""
    last = history.last
    assert last is not None, "a history without a round"
    arrays = {"server": last.server, "models": last.models, "buffers": last.buffers}
    arrays |= {f"downloads/{name}": value for name, value in last.downloads.items()}
    arrays |= {f"earlier/{name}": value for name, value in last.earlier.items()}
    arrays |= {f"state/{name}": value for name, value in last.state.items()
               if isinstance(value, Tensor)}
    arrays |= {f"late/{name}": value for name, value in last.late.items()}
    numbers = {name: value for name, value in last.state.items()
               if not isinstance(value, Tensor)}
    plain = {"schema": SCHEMA, "t": last.t, "about": about, "state": numbers,
             "history": history.until(last.t).to_dict()}
    text = json.dumps(plain, default=lambda value: value.tolist())  # of numpy
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, json=np.frombuffer(text.encode(), np.uint8),
             **dict(_numpy(name, value.cpu()) for name, value in arrays.items()))
    write_whole(path, buffer.getbuffer())


def load(path: str | Path, device: str | torch.device = "cpu") -> Checkpoint:
    """Read a checkpoint; its models are placed on `device`. Errors: see `reading`."""
    with reading(path, "checkpoint"):
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(_torch(name, file[name]) for name in file.files)
        plain = json.loads(arrays.pop("json").numpy().tobytes())
        check_schema(plain.get("schema", 1), SCHEMA)
        history = History.from_dict(plain["history"])
        state = plain["state"] | _under("state/", arrays)
        placed = {name: value.to(device) for name, value in arrays.items()}
        history.last = Snapshot(plain["t"], placed["server"], placed["models"],
                                placed["buffers"], state,
                                downloads=_under("downloads/", placed),
                                earlier=_under("earlier/", placed),
                                late=_under("late/", placed))
        return Checkpoint(history, plain["about"])


def _numpy(name: str, value: Tensor) -> tuple[str, np.ndarray]:
    """numpy has no bfloat16: its bits stand under a name of their own."""
    if value.dtype == torch.bfloat16:
        return f"bfloat16/{name}", value.view(torch.int16).numpy()
    return name, value.numpy()


def _torch(name: str, value: np.ndarray) -> tuple[str, Tensor]:
    kept, half = torch.from_numpy(value), name.startswith("bfloat16/")
    return name.removeprefix("bfloat16/"), kept.view(torch.bfloat16) if half else kept


def _under(start: str, arrays: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(start): value for name, value in arrays.items()
            if name.startswith(start)}
