"""The data sets, read, verified and scaled. Chapter "Data and partitions".

"digits" comes with scikit-learn. "mnist" is downloaded by torchvision into the data root: the argument
`root`, else the folder that the environment variable FAIRFL_DATA names, else a cache of the user. Files are
verified whenever they are read.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor


class Data(NamedTuple):
    """A data set, split into training pool and test set."""

    name: str
    x: Tensor  # (n, channels, height, width) floating point, or (n, length) int64 word numbers
    y: Tensor  # (n,) int64
    test_x: Tensor
    test_y: Tensor
    classes: int  # labels lie in 0 to classes - 1
    sha256: str  # of what was read
    original: bool  # False for anything that was not verified to be the published files
    validation: tuple[Tensor, Tensor] | None = None  # x and y of the published validation set, where there is one


class DataError(Exception):
    """A data set is missing, damaged or out of reach; the message names the file and says what to do."""


def load(name: str, root: str | os.PathLike | None = None, download: bool = True) -> Data:
    """The data set of that name, as fresh tensors.

    Args:
        name: "digits", scikit-learn's 8 x 8 digits, 1,200 for training and 597 for testing, stratified,
            always split in the same way, pixels in [0, 1], float64; or "mnist", 60,000 and 10,000 images of
            28 x 28 pixels, standardised by the mean and standard deviation of the training pixels, float32.
        root: folder that holds or gets the files, see above; "digits" needs none.
        download: fetch what is missing.

    Raises:
        ValueError: an unknown name; the message lists the known ones.
        DataError: see there.
    """
    if name not in DATASETS:
        raise ValueError(f"unknown data set {name!r}; known are {', '.join(sorted(DATASETS))}")
    return DATASETS[name](data_root(root), download)


def data_root(root: str | os.PathLike | None = None) -> Path:
    """The folder in which data sets are looked for, whether it exists or not."""
    if root is None:
        from platformdirs import user_cache_path

        root = os.environ.get("FAIRFL_DATA") or user_cache_path("fairfl", appauthor=False)
    return Path(root).expanduser()


def _digits(root: Path, download: bool) -> Data:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    split = train_test_split(pixels / 16, labels, train_size=1200, random_state=0, stratify=labels)
    x, test_x = (torch.from_numpy(part).reshape(-1, 1, 8, 8) for part in split[:2])
    y, test_y = (torch.from_numpy(part).long() for part in split[2:])
    digest = hashlib.sha256(b"".join(part.numpy().tobytes() for part in (x, y, test_x, test_y)))
    return Data("digits", x, y, test_x, test_y, 10, digest.hexdigest(), original=True)


MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def _mnist(root: Path, download: bool) -> Data:
    # torchvision's readers, not its class MNIST, which would prefer a processed/training.pt of unknown origin
    from torchvision.datasets.mnist import read_image_file, read_label_file

    folder = root / "MNIST" / "raw"
    missing = [name for name in MNIST_SHA256 if not _exists(folder / name)]
    if missing and not download:
        raise DataError(f"{folder / missing[0]} is missing; load with download=True, or {_advice(folder)}")
    for name, digest in MNIST_SHA256.items():
        if name not in missing:
            _verify(folder / name, digest)
    if missing:
        _download_mnist(root, missing)
    paths = [str(folder / name) for name in MNIST_SHA256]
    images, y = read_image_file(paths[0]), read_label_file(paths[1])
    test_images, test_y = read_image_file(paths[2]), read_label_file(paths[3])

    # From the counts of the 256 grey levels: exact, however many threads add up
    level = torch.arange(256, dtype=torch.float64)
    share = torch.bincount(images.flatten(), minlength=256).double() / images.numel()
    mean = (share * level).sum()
    std = (share * (level - mean) ** 2).sum().sqrt()
    x, test_x = (part.unsqueeze(1).float().sub_(mean).div_(std) for part in (images, test_images))
    listing = "".join(f"{digest}  {name}\n" for name, digest in MNIST_SHA256.items())  # as sha256sum prints
    digest = hashlib.sha256(listing.encode()).hexdigest()
    return Data("mnist", x, y, test_x, test_y, 10, digest, original=True)


def _download_mnist(root: Path, missing: list[str]) -> None:
    """Into a folder of its own first: a file gets its place only when it is whole and verified."""
    from torchvision.datasets import MNIST

    folder = root / "MNIST" / "raw"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stage = tempfile.TemporaryDirectory(prefix="download-", dir=root)
    except OSError as error:
        raise DataError(
            f"{folder / missing[0]} is missing and cannot be downloaded: {root} is not writable ({error}); "
            "choose another folder with root=... or the environment variable FAIRFL_DATA"
        ) from error
    with stage:
        try:
            MNIST(stage.name, download=True)
            for name in missing:
                fresh = Path(stage.name) / "MNIST" / "raw" / name
                _verify(fresh, MNIST_SHA256[name])
                os.replace(fresh, folder / name)
        except (OSError, RuntimeError, EOFError, HTTPException) as error:
            raise DataError(
                f"{folder / missing[0]} is missing and MNIST could not be downloaded; try again with a "
                f"network connection, or {_advice(folder)}. The reason was: {error}"
            ) from error


def _advice(folder: Path) -> str:
    return (
        f"put {', '.join(MNIST_SHA256)} (unpacked) into {folder}, or name a folder that holds MNIST/raw with "
        "root=... or the environment variable FAIRFL_DATA"
    )


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _unreadable(path, error) from error
    return True


def _verify(path: Path, expected: str) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error
    if found != expected:
        raise DataError(
            f"{path} is damaged or incomplete (sha256 {found}, expected {expected}); delete it and load again"
        )


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} cannot be read ({error}); make it a readable file or choose another root")


DATASETS = {"digits": _digits, "mnist": _mnist}
