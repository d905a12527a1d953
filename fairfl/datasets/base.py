"""What a data set is."""

from typing import NamedTuple

from torch import Tensor


class Data(NamedTuple):
    """A data set, split into training pool and test set."""

    name: str
    x: Tensor  # (n, channels, height, width) floats, or (n, length) int64 word numbers
    y: Tensor  # (n,) int64
    test_x: Tensor
    test_y: Tensor
    classes: int  # labels lie in 0 to classes - 1
    sha256: str  # of what was read
    original: bool  # False for anything not verified to be the published files
    validation: tuple[Tensor, Tensor] | None = None  # the published x and y, if any
    vocabulary: tuple[str, ...] | None = None  # of texts: word number -> word


class About(NamedTuple):
    """What a user of a data set should know, and cite."""

    title: str
    samples: tuple[int, int, int]  # training pool, validation set, test set
    citation: str
    licence: str
    home: str  # address of the page that describes it


class Found(NamedTuple):
    """Files that were found and verified."""

    place: str  # where they lie
    sha256: str
    original: bool  # verified to be the published files
    samples: tuple[int, int, int] | None = None  # as in About, of anything else


class DataError(Exception):
    """A data set is missing, damaged or out of reach; the message says what to do."""


class MissingData(DataError):
    """A file of a data set is not there."""
