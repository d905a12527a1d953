"""Files below the data root: verified, and fetched where they are missing.

What is pinned is the published files, not the archives: a mirror may pack them anew.
A file gets its place only when it is whole and verified, and a file that is there is
never overwritten.
"""

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
from typing import IO, NamedTuple

from fairfl.datasets.base import DataError, Found, MissingData

TIMEOUT = 20  # seconds without an answer after which a source counts as dead
# What another source does not mend, and what it may
LOCAL_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES,
                errno.EPERM}
FAULTS = (OSError, EOFError, KeyError, zlib.error, zipfile.BadZipFile, tarfile.TarError,
          DataError)
ELSEWHERE = "another folder with root=... or the environment variable FAIRFL_DATA"


class Archive(NamedTuple):
    """Something to download, and the files to take out of it."""

    urls: tuple[str, ...]  # the same .tar.gz, .zip or .gz in several places, in order
    files: Mapping[str, str]  # path below root and in it: "sha256:..." or "md5:..."


def provide(archives: Sequence[Archive], root: Path, download: bool) -> Found:
    """Verify the files of a data set, and first fetch those that are missing. Their
    sha256 is that of the list of their own, as the command sha256sum prints it.

    Raises:
        MissingData: a file is missing, and `download` is false.
        DataError: a file is damaged or cannot be read, or could not be fetched.
    """
    pins = {root / file: pin for archive in archives
            for file, pin in archive.files.items()}
    missing = [path for path in pins if not exists(path)]
    names, folder = ", ".join(path.name for path in pins), next(iter(pins)).parent
    advice = f"put {names} (unpacked) into {folder}, or name {ELSEWHERE}"
    if missing and not download:
        raise MissingData(f"{missing[0]} is missing; load with download=True, or "
                          f"{advice}")
    for path, pin in pins.items():
        if path not in missing:
            verify(path, pin)
    for archive in archives:
        if wanted := [file for file in archive.files if root / file in missing]:
            _fetch(archive, wanted, root, advice)
    listing = "".join(f"{_sha256(path, pin)}  {path.name}\n"
                      for path, pin in pins.items())
    sha256 = hashlib.sha256(listing.encode()).hexdigest()
    return Found(str(folder), sha256, original=True)


def exists(path: Path) -> bool:
    """Like `Path.exists`, but a folder that may not be searched is a DataError."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _unreadable(path, error) from error
    return True


def digest(path: Path, algorithm: str = "sha256") -> str:
    """The file's checksum, or a DataError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, algorithm).hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def verify(path: Path, pin: str) -> None:
    """Raise a DataError unless a file has its pinned checksum, as in `Archive`."""
    algorithm, expected = pin.split(":")
    if (found := digest(path, algorithm)) != expected:
        raise DataError(f"{path} is damaged or incomplete ({algorithm} {found}, "
                        f"expected {expected}); delete it and load again")


def _sha256(path: Path, pin: str) -> str:
    """Of a file that was verified: read again only if another checksum is pinned."""
    return pin.removeprefix("sha256:") if "sha256" in pin else digest(path)


def _fetch(archive: Archive, wanted: Sequence[str], root: Path, advice: str) -> None:
    """Into a folder of its own first, from the first source that holds it all."""
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
            except FAULTS as error:
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
    raise DataError(f"{target} is missing and could not be downloaded; try again with "
                    f"a network connection, or {advice}. What the sources gave: "
                    f"{'; '.join(faults)}")


def _unpacked(url: str, archive: Archive, wanted: Sequence[str],
              folder: Path) -> dict[str, Path]:
    """The wanted files as the archive at this address holds them, verified."""
    from pooch import HTTPDownloader

    packed = folder / "archive"
    # "identity": else a server may mark a .gz as something to be unpacked on arrival
    get = HTTPDownloader(progressbar=sys.stderr.isatty(), chunk_size=2**16,
                         timeout=TIMEOUT, headers={"Accept-Encoding": "identity"})
    get(url, str(packed), None)
    fresh = {file: folder / str(number) for number, file in enumerate(wanted)}
    for file, path in fresh.items():
        with ExitStack() as stack, path.open("wb") as copy:
            shutil.copyfileobj(_opened(packed, url, file, stack), copy)
        try:
            verify(path, archive.files[file])
        except DataError as error:
            raise DataError(f"{file} in it is not the published file") from error
    return fresh


def _opened(packed: Path, url: str, file: str,
            stack: ExitStack) -> IO[bytes] | gzip.GzipFile:
    """A file in an archive; KeyError if it is not there, or not a regular file."""
    if url.endswith(".zip"):
        whole = stack.enter_context(zipfile.ZipFile(packed))
        return stack.enter_context(whole.open(file))
    if url.endswith(".tar.gz"):
        if source := stack.enter_context(tarfile.open(packed)).extractfile(file):
            return source
        raise KeyError(file)
    return stack.enter_context(gzip.open(packed))


def _unwritable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} is missing and cannot be written ({error}); free space "
                     f"there or make the folder writable, or choose {ELSEWHERE}")


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} cannot be read ({error}); make it a readable file or "
                     "choose another root")
