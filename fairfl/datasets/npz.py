"""Arrays of one's own, in a file `.npz`."""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fairfl.datasets import fetching
from fairfl.datasets.base import Data, DataError, Found, MissingData
from fairfl.datasets.images import standardised

NAMES = (
    ("x", "y", "test_x", "test_y"),
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
)
Faults = Iterator[tuple[str, str]]


def provide(path: Path) -> Found:
    """The file, after the checks that `load` promises."""
    _, y, _, test_y = read(path)
    samples = len(y), 0, len(test_y)
    return Found(str(path), fetching.digest(path), original=False, samples=samples)


def load(path: Path) -> Data:
    """The training and test samples in four arrays, under one of the groups of `NAMES`.

    Samples are uint8 images, (n, H, W) or (n, H, W, C) with at most 4 channels, which
    become (n, C, H, W), float32, as `standardised` scales them; or float32 or float64
    of any shape (n, ...), kept as they are; or word numbers below 2^31, (n, L) of
    another integer type. Labels are integers of any type, (n,), from 0 to C - 1, each
    of which occurs.

    Raises:
        DataError: the file is missing, damaged or holds something else; the message
            names it and the array.
    """
    x, y, test_x, test_y = (_tensor(array) for array in read(path))
    if x.dtype == torch.uint8:
        x, test_x = standardised(_channels_first(x), _channels_first(test_x))
    classes = int(max(y.max(), test_y.max())) + 1
    return Data(path.name, x, y.long(), test_x, test_y.long(), classes,
                fetching.digest(path), original=False)


def read(path: Path) -> list[np.ndarray]:
    """The four arrays as they are in the file, once they are as `load` promises."""
    if not fetching.exists(path):
        raise MissingData(f"{path} is missing; give the path of a file .npz")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: _array(path, file, name) for name in _names(path, file)}
    except (OSError, EOFError, ValueError, AttributeError, TypeError, RuntimeError,
            zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged or not a file .npz: {error}") from error
    for name, rule in _faults(arrays):
        what = f"{arrays[name].dtype} of shape {arrays[name].shape}"
        raise DataError(f"{path}: array {name}, {what}, {rule}")
    return list(arrays.values())


def _names(path: Path, file) -> tuple[str, ...]:
    group = next((group for group in NAMES if set(group) & set(file.files)), ())
    missing = [name for name in group if name not in file.files]
    if missing or not group:
        wanted = ", or ".join(", ".join(names) for names in NAMES)
        raise DataError(f"{path} must hold the arrays {wanted}; missing: "
                        f"{', '.join(missing) or 'all of them'} "
                        f"(it holds {', '.join(file.files) or 'nothing'})")
    return group


def _array(path: Path, file, name: str) -> np.ndarray:
    try:
        return file[name]
    except (ValueError, OverflowError, MemoryError) as error:  # objects; absurd sizes
        raise DataError(f"{path}: array {name} cannot be read: {error}") from error


def _faults(arrays: dict[str, np.ndarray]) -> Faults:
    """The arrays that are not as `load` says, and what they should be."""
    (x, first), (y, labels), (test_x, second), (test_y, test_labels) = arrays.items()
    yield from _samples_and_labels(x, first, y, labels)
    yield from _samples_and_labels(test_x, second, test_y, test_labels)
    if second.dtype != first.dtype or second.shape[1:] != first.shape[1:]:
        row = ", ".join(map(str, first.shape[1:]))
        yield test_x, f"must be like {x}, {first.dtype} of shape (n, {row})"
    classes = len(np.unique(np.concatenate([labels, test_labels])))
    for name in (y, test_y):
        if arrays[name].max() >= classes:
            yield name, (f"holds the label {arrays[name].max()}; {y} and {test_y} hold "
                         f"{classes} different ones, which go from 0 on without a gap")


def _samples_and_labels(samples: str, x: np.ndarray, labels: str,
                        y: np.ndarray) -> Faults:
    if x.size == 0:
        yield samples, "is empty"
    if x.dtype == np.uint8:
        if x.ndim != 3 and (x.ndim != 4 or x.shape[3] > 4):
            yield samples, ("must be images of shape (n, height, width) or "
                            "(n, height, width, channels), 4 channels at most")
    elif x.dtype in (np.float32, np.float64):
        if x.ndim < 2 or not np.isfinite(x).all():
            yield samples, "must have the shape (n, ...), without NaN or infinity"
    elif x.dtype.kind not in "iu":
        yield samples, "must be uint8 images, float32, float64 or integer word numbers"
    elif x.ndim != 2 or not 0 <= x.min() <= x.max() < 2**31:
        yield samples, "must be word numbers (n, L) from 0 to 2^31 - 1"
    if y.dtype.kind not in "iu" or y.ndim != 1:
        yield labels, "must be integers of shape (n,)"
    if len(y) != len(x):
        yield labels, f"must have as many entries as {samples} has, {len(x)}"
    if y.min() < 0:
        yield labels, "holds negative labels; they go from 0 on"


def _tensor(array: np.ndarray) -> Tensor:
    kept = array.dtype == np.uint8 or array.dtype.kind == "f"
    return torch.from_numpy(array if kept else array.astype(np.int64))


def _channels_first(images: Tensor) -> Tensor:
    return images.unsqueeze(1) if images.ndim == 3 else images.movedim(3, 1)
