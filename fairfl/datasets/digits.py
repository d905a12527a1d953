"""Scikit-learn's copy of the test set of the UCI's handwritten digits."""

import hashlib
from pathlib import Path

import torch

from fairfl.datasets.base import About, Data, Found

ABOUT = About(
    "Digits, 8 x 8 pixels", (1200, 0, 597),
    citation="Alpaydin and Kaynak: Optical Recognition of Handwritten Digits. "
    "UCI Machine Learning Repository, 1998",
    licence="CC BY 4.0",
    home="https://archive.ics.uci.edu/dataset/80/"
    "optical+recognition+of+handwritten+digits",
)
ARCHIVES = ()


def provide(root: Path, download: bool) -> Found:
    """Nothing to do: scikit-learn brings them along."""
    return Found("in scikit-learn", load(root, download).sha256, original=True)


def load(root: Path, download: bool) -> Data:
    """1,200 for training and 597 for testing, stratified, always split in the same way;
    pixels in [0, 1], float64."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    split = train_test_split(pixels / 16, labels, train_size=1200, random_state=0,
                             stratify=labels)
    x, test_x = (torch.from_numpy(part).reshape(-1, 1, 8, 8) for part in split[:2])
    y, test_y = (torch.from_numpy(part).long() for part in split[2:])
    content = b"".join(part.numpy().tobytes() for part in (x, y, test_x, test_y))
    digest = hashlib.sha256(content).hexdigest()
    return Data("digits", x, y, test_x, test_y, 10, digest, original=True)
