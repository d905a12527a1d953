"""The data sets, read, verified and scaled. Chapter "Data and partitions".

"digits" comes with scikit-learn. The others lie below the data root: the argument
`root`, else the folder that the environment variable FAIRFL_DATA names, else a cache of
the user. What is missing is fetched; files are verified whenever they are read. Each
data set is a module with what is known about it (`ABOUT`), the archives that hold it
(`ARCHIVES`), and a function `load` (the tensors).
"""

import os
from functools import partial
from inspect import signature
from pathlib import Path
from typing import NamedTuple

from fairfl import _checks
from fairfl.datasets import cifar10, digits, fetching, mnist, mr, npz, sst
from fairfl.datasets.base import About, Data, DataError, Found, MissingData

__all__ = ["About", "DATASETS", "Data", "DataError", "Found", "MissingData", "Status",
           "data_root", "fetch", "load", "status"]

DATASETS = {"digits": digits, "mnist": mnist, "cifar10": cifar10, "mr": mr, "sst": sst}
Name = str | os.PathLike
Root = str | os.PathLike | None


def load(name: Name, root: Root = None, download: bool = True, **options) -> Data:
    """The data set of that name, as fresh tensors.

    Args:
        name: a key of `DATASETS`, as `digits.load`, `mnist.load`, `cifar10.load`,
            `mr.load` and `sst.load` describe it; or the path of a file `.npz`, see
            `npz.load`.
        root: folder that holds or gets the files; "digits" and an `.npz` need none.
        download: fetch what is missing.
        options: of the data set: "mr" and "sst" take `vocabulary`, see `text.data`.

    Raises:
        ValueError: an unknown name or option; the message lists the known ones.
        DataError: see there.
    """
    if path := _own(name):
        _check_options(name, npz.load, options)
        return npz.load(path)
    module = _module(name)
    _check_options(name, module.load, options)
    return module.load(data_root(root), download, **options)


def fetch(name: str, root: Root = None) -> None:
    """Fetch the files of a data set that are missing below the root, and verify all of
    them. Of CIFAR-10 it fetches the original, even where a copy lies.

    Raises: as `load`.
    """
    if archives := _module(name).ARCHIVES:
        fetching.provide(archives, data_root(root), download=True)


class Status(NamedTuple):
    """Whether a data set can be read."""

    state: str  # "intact", "missing" or "damaged"
    found: Found | None  # if intact
    fault: str = ""  # else: which file, and what to do


def status(name: Name, root: Root = None) -> Status:
    """Look for a data set, or a file `.npz`, and verify it, without fetching anything.

    Raises:
        ValueError: an unknown name.
    """
    try:
        if path := _own(name):
            return Status("intact", npz.provide(path))
        module = _module(name)
        provide = getattr(module, "provide", partial(fetching.provide, module.ARCHIVES))
        return Status("intact", provide(data_root(root), download=False))
    except MissingData as error:
        return Status("missing", None, str(error))
    except DataError as error:
        return Status("damaged", None, str(error))


def data_root(root: Root = None) -> Path:
    """The folder in which data sets are looked for, whether it exists or not."""
    if root is None:
        from platformdirs import user_cache_path

        cache = user_cache_path("fairfl", appauthor=False)
        root = os.environ.get("FAIRFL_DATA") or cache
    return Path(root).expanduser()


def _own(name: Name) -> Path | None:
    """The path of a file .npz, if the name is one."""
    return Path(name).expanduser() if str(name).endswith(".npz") else None


def _module(name: Name):
    known = (*sorted(DATASETS), "and the path of a file .npz")
    _checks.known("data set", str(name), known)
    return DATASETS[str(name)]


def _check_options(name: Name, function, options: dict) -> None:
    parameters = signature(function).parameters.values()
    known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    for option in options:
        _checks.known(f"option of the data set {str(name)!r}:", option,
                      known or ["none"])
