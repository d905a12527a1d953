"""Files that appear whole or not at all."""

import glob
import os
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STALE = 3600  # seconds after which an unfinished file belongs to nobody


class NewerFile(ValueError):
    """What a newer fairfl wrote; it is not damaged, but cannot be read here."""

    def __str__(self) -> str:
        return f"{super().__str__()}; a newer fairfl made it, update this one"


@contextmanager
def reading(path: str | Path, kind: str) -> Iterator[None]:
    """What goes wrong inside is said of the file at `path`, which should be a `kind`:
    NewerFile if a newer fairfl wrote it, FileNotFoundError, else ValueError."""
    try:
        yield
    except FileNotFoundError:
        raise
    except NewerFile as error:
        raise NewerFile(f"{path} cannot be read: {error.args[0]}") from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError,
            zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is damaged or not a {kind}: {error}") from error


def check_schema(schema: int, known: int) -> None:
    """NewerFile if the schema of what was read is later than the known one."""
    if schema > known:
        raise NewerFile(f"schema {schema}, known is {known}")


def write_whole(path: str | Path, content: str | bytes | memoryview,
                replace: bool = True) -> None:
    """Write `content` to `path`; if that is interrupted, what was there is still there.

    It is written beside its place first, to a name of this process's own that ends in
    ".part". A process that is killed leaves that; writing an hour later removes it.

    OSError, which names `path`, if it cannot be written; FileExistsError if a file is
    there that may not be replaced.
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
    with suppress(OSError):
        for old in path.parent.glob(f"{glob.escape(path.name)}.*.part"):
            if old.stat().st_mtime < time.time() - STALE:
                old.unlink()


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
