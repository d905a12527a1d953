"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Write `content` to `path`, replacing what is there; after an interruption the old file is still there.

    It is written beside its place first, to the same name with ".part" at the end; a process that is killed leaves
    that file behind, and the next write replaces it.

    Raises:
        OSError: no permission, no room, or `path` is something other than a file; the message names it.
    """
    path = Path(path)
    _check_regular(path)
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        _remove(part)
        raise OSError(error.errno, f"{path} could not be written: {error.strerror}") from error
    except BaseException:
        _remove(part)
        raise


def check_writable(path: str | Path) -> None:
    """OSError unless `path` can be written, asked before work begins whose result it shall hold."""
    path = Path(path)
    _check_regular(path)
    probe = path.with_name(path.name + ".probe")
    write_whole(probe, "")
    probe.unlink()


def _check_regular(path: Path) -> None:
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is not a regular file; choose another name")


def _remove(part: Path) -> None:
    try:
        part.unlink(missing_ok=True)
    except OSError:
        pass  # what is reported is why writing failed
