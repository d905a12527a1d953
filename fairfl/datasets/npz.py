"""Arrays of one's own, in a file `.npz`."""

from __future__ import annotations

import zipfile
import zlib
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


def provide(path: Path) -> Found:
    """The file, after the checks that `load` promises."""
    _, y, _, test_y = read(path)
    return Found(str(path), fetching.sha256(path), original=False, samples=(len(y), 0, len(test_y)))


def load(path: Path) -> Data:
    """The training and test samples in four arrays, under one of the three groups of `NAMES`.

    Args:
        path: of the file. Its samples are uint8 images, (n, H, W) or (n, H, W, C) with at most 4 channels, which
            become (n, C, H, W), float32, standardised by each channel's mean and standard deviation over the training
            images; or float32 or float64 of any shape (n, ...), kept as they are; or word numbers, (n, L) of another
            integer type. Its labels are integers of any type, (n,), from 0 to C - 1.

    Raises:
        DataError: the file is missing, damaged or holds something else; the message names it and the array.
    """
    x, y, test_x, test_y = read(path)
    if x.dtype == np.uint8:
        samples = standardised(*(_channels_first(part) for part in (x, test_x)))
    else:
        samples = (torch.from_numpy(part if part.dtype.kind == "f" else part.astype(np.int64)) for part in (x, test_x))
    x, test_x = samples
    y, test_y = (torch.from_numpy(part.astype(np.int64)) for part in (y, test_y))
    classes = int(max(y.max(), test_y.max())) + 1
    return Data(path.name, x, y, test_x, test_y, classes, fetching.sha256(path), original=False)


def read(path: Path) -> list[np.ndarray]:
    """The four arrays as they are in the file, after the checks that `load` promises."""
    if not fetching.exists(path):
        raise MissingData(f"{path} is missing; give the path of a file .npz")
    try:
        with np.load(path, allow_pickle=False) as file:
            group = next((group for group in NAMES if set(group) & set(file.files)), None)
            if group is None or (absent := sorted(set(group) - set(file.files))):
                missing = ", ".join(absent) if group else "all of them"
                raise DataError(f"{path} must hold the arrays {', or '.join(', '.join(group) for group in NAMES)}; "
                                f"missing: {missing} (it holds {', '.join(file.files) or 'nothing'})")
            arrays = {}
            for name in group:
                try:
                    arrays[name] = file[name]
                except ValueError as error:  # pickled objects
                    raise DataError(f"{path}: array {name} cannot be read: {error}") from error
    except (OSError, EOFError, ValueError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged or not a file .npz: {error}") from error
    _check(path, arrays)
    return list(arrays.values())


def _check(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Whether these are samples and labels, in this order, for training and for testing."""

    def demand(condition: bool, name: str, rule: str) -> None:
        if not condition:
            array = arrays[name]
            raise DataError(f"{path}: array {name}, {array.dtype} of shape {array.shape}, {rule}")

    (x, first), (y, _), (test_x, _), (test_y, _) = names = [(name, arrays[name]) for name in arrays]
    for (samples, inputs), (labels, targets) in (names[:2], names[2:]):
        demand(inputs.size > 0, samples, "is empty")
        demand(inputs.dtype == np.uint8 or inputs.dtype in (np.float32, np.float64) or inputs.dtype.kind in "iu",
               samples, "must be uint8 images, float32, float64 or integer word numbers")
        if inputs.dtype == np.uint8:
            demand(inputs.ndim == 3 or inputs.ndim == 4 and inputs.shape[3] <= 4, samples,
                   "must be images of shape (n, height, width) or (n, height, width, channels), 4 channels at most")
        elif inputs.dtype.kind == "f":
            demand(inputs.ndim > 1, samples, "must have the shape (n, ...)")
            demand(bool(np.isfinite(inputs).all()), samples, "holds NaN or infinity")
        else:
            demand(inputs.ndim == 2 and bool((inputs >= 0).all()), samples, "must be word numbers (n, L) from 0 on")
        demand(targets.dtype.kind in "iu" and targets.ndim == 1, labels, "must be integers of shape (n,)")
        demand(len(targets) == len(inputs), labels, f"must have as many entries as {samples} has, {len(inputs)}")
        demand(bool((targets >= 0).all()), labels, "holds negative labels; they go from 0 on")
    demand(arrays[test_x].dtype == first.dtype and arrays[test_x].shape[1:] == first.shape[1:], test_x,
           f"must be like {x}, {first.dtype} of shape (n, {', '.join(map(str, first.shape[1:]))})")


def _channels_first(images: np.ndarray) -> Tensor:
    batch = torch.from_numpy(images)
    return batch.unsqueeze(1) if batch.ndim == 3 else batch.movedim(3, 1)
