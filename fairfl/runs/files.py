"""Files that appear whole or not at all."""

import os
import time
from contextlib import suppress
from pathlib import Path

STALE = 3600  # seconds after which an unfinished file belongs to nobody


class NewerFile(ValueError):
    """What a newer fairfl wrote; it is not damaged, but cannot be read here."""

    def __str__(self) -> str:
        return f"{super().__str__()}; a newer fairfl made it, update this one"


def check_schema(schema: int, known: int) -> None:
    """NewerFile if the schema of what was read is later than the known one."""
    if schema > known:
        raise NewerFile(f"schema {schema}, known is {known}")


def write_whole(path: str | Path, content: str | bytes | memoryview,
                replace: bool = True) -> None:
    """Write `content` to `path`; if that is interrupted, what was there is still there.

    It is written beside its place first, to a name of this process's own that ends in
    ".part". A process that is killed leaves that behind; writing an hour later removes
    it.

    Args:
        replace: whether a file that is there may be replaced.

    Raises:
        FileExistsError: there is one, and it may not be replaced.
        OSError: no permission, no room, or `path` is something other than a file; the
            message names it.
    """
    path = Path(path)
    _check_regular(path)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        (os.replace if replace else _claim)(part, path)
    except OSError as error:
        message = f"{path} could not be written: {error.strerror}"
        raise OSError(error.errno, message) from error
    finally:
        with suppress(OSError):  # what is reported is why writing failed
            part.unlink(missing_ok=True)
    _remove_stale(path)


def check_writable(path: str | Path) -> None:
    """OSError unless `path` can be written, asked before work begins."""
    path = Path(path)
    _check_regular(path)
    probe = path.with_name(f"{path.name}.{os.getpid()}.probe")
    write_whole(probe, "")
    probe.unlink()


def _claim(part: Path, path: Path) -> None:
    """Give the file its name unless that is taken; in one step, where links are."""
    try:
        os.link(part, path)
    except OSError:
        if path.exists():
            raise
        os.replace(part, path)


def _check_regular(path: Path) -> None:
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is not a regular file; choose another name")


def _remove_stale(path: Path) -> None:
    with suppress(OSError):
        for part in path.parent.iterdir():
            own = part.name.startswith(f"{path.name}.") and part.name.endswith(".part")
            if own and part.stat().st_mtime < time.time() - STALE:
                part.unlink()
