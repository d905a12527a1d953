"""Files below the data root: verified, and fetched where they are missing.

What is pinned is the published files, not the archives: a mirror may pack them anew. A file gets its place only when
it is whole and verified, and a file that is there is never overwritten.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import shutil
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from fairfl.datasets.base import DataError, Found, MissingData

TIMEOUT = 20  # seconds without an answer after which a source counts as dead
# What another source does not mend
LOCAL_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}


class Archive(NamedTuple):
    """Something to download, and the files to take out of it."""

    urls: tuple[str, ...]  # the same .tar.gz, .zip or .gz in several places, tried in this order
    files: Mapping[str, str]  # path below the root, and in the archive: "sha256:..." or "md5:..."


def provide(archives: Sequence[Archive], root: Path, download: bool) -> Found:
    """Verify the files of a data set, and first fetch those that are missing.

    Returns:
        Their folder, and the sha256 of the list of their own, as the command sha256sum prints it.

    Raises:
        MissingData: a file is missing, and `download` is false.
        DataError: a file is damaged or cannot be read, or could not be fetched.
    """
    files = [root / file for archive in archives for file in archive.files]
    missing = [path for path in files if not exists(path)]
    if missing and not download:
        raise MissingData(f"{missing[0]} is missing; load with download=True, or {_advice(files)}")
    for archive in archives:
        for file, pin in archive.files.items():
            if root / file not in missing:
                verify(root / file, pin)
    for archive in archives:
        if wanted := [file for file in archive.files if root / file in missing]:
            _fetch(archive, wanted, root, _advice(files))
    pins = {root / file: pin for archive in archives for file, pin in archive.files.items()}
    digests = {path.name: pin.removeprefix("sha256:") if pin.startswith("sha256:") else sha256(path)
               for path, pin in pins.items()}
    listing = "".join(f"{digest}  {name}\n" for name, digest in digests.items())
    return Found(str(files[0].parent), hashlib.sha256(listing.encode()).hexdigest(), original=True)


def exists(path: Path) -> bool:
    """Like `Path.exists`, but a folder that may not be searched is an error.

    Raises:
        DataError: it cannot be told.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _unreadable(path, error) from error
    return True


def sha256(path: Path) -> str:
    """The file's sha256.

    Raises:
        DataError: it cannot be read.
    """
    return _digest(path, "sha256")


def verify(path: Path, pin: str) -> None:
    """Compare a file with its pinned checksum, "sha256:..." or "md5:...".

    Raises:
        DataError: it differs or cannot be read.
    """
    algorithm, expected = pin.split(":")
    if (found := _digest(path, algorithm)) != expected:
        raise DataError(
            f"{path} is damaged or incomplete ({algorithm} {found}, expected {expected}); delete it and load again"
        )


def _digest(path: Path, algorithm: str) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, algorithm).hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _fetch(archive: Archive, wanted: Sequence[str], root: Path, advice: str) -> None:
    """Into a folder of its own first, from the first source that holds what is wanted."""
    target, faults = root / wanted[0], []
    try:
        root.mkdir(parents=True, exist_ok=True)
        stage = tempfile.TemporaryDirectory(prefix="download-", dir=root)
    except OSError as error:
        raise _unwritable(target, error) from error
    with stage as folder:
        for url in archive.urls:
            try:
                fresh = _unpacked(url, archive, wanted, Path(folder))
            except (OSError, EOFError, KeyError, zlib.error, zipfile.BadZipFile, tarfile.TarError, DataError) as error:
                if isinstance(error, OSError) and error.errno in LOCAL_FAULTS:
                    raise _unwritable(target, error) from error
                faults.append(f"{url}: {error or type(error).__name__}")
                continue
            for file, path in fresh.items():
                try:
                    (root / file).parent.mkdir(parents=True, exist_ok=True)
                    os.replace(path, root / file)
                except OSError as error:
                    raise _unwritable(root / file, error) from error
            return
    raise DataError(f"{target} is missing and could not be downloaded; try again with a network connection, or "
                    f"{advice}. What the sources gave: {'; '.join(faults)}")


def _unpacked(url: str, archive: Archive, wanted: Sequence[str], folder: Path) -> dict[str, Path]:
    """The wanted files as the archive at this address holds them, verified."""
    from pooch import HTTPDownloader

    packed = folder / "archive"
    plain = {"Accept-Encoding": "identity"}  # else a server may mark a .gz as something to be unpacked on arrival
    get = HTTPDownloader(progressbar=sys.stderr.isatty(), chunk_size=2**16, timeout=TIMEOUT, headers=plain)
    get(url, str(packed), None)
    fresh = {}
    for number, file in enumerate(wanted):
        fresh[file] = folder / str(number)
        with ExitStack() as stack:
            if url.endswith(".zip"):
                source = stack.enter_context(stack.enter_context(zipfile.ZipFile(packed)).open(file))
            elif url.endswith(".tar.gz"):
                source = stack.enter_context(tarfile.open(packed)).extractfile(file)
                if source is None:  # not a regular file
                    raise KeyError(file)
            else:
                source = stack.enter_context(gzip.open(packed))
            with fresh[file].open("wb") as copy:
                shutil.copyfileobj(source, copy)
        try:
            verify(fresh[file], archive.files[file])
        except DataError as error:
            raise DataError(f"{file} in it is not the published file") from error
    return fresh


def _advice(files: Sequence[Path]) -> str:
    return (f"put {', '.join(path.name for path in files)} (unpacked) into {files[0].parent}, or name another folder "
            "with root=... or the environment variable FAIRFL_DATA")


def _unwritable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} is missing and cannot be written ({error}); free space there or make the folder "
                     "writable, or choose another folder with root=... or the environment variable FAIRFL_DATA")


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} cannot be read ({error}); make it a readable file or choose another root")
