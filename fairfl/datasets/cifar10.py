"""CIFAR-10: small colour photographs of ten kinds of things."""

from pathlib import Path

import torch

from fairfl.datasets import fetching, npz
from fairfl.datasets.base import About, Data, Found
from fairfl.datasets.fetching import Archive
from fairfl.datasets.images import standardised

ABOUT = About(
    "CIFAR-10", (50_000, 0, 10_000),
    citation="Krizhevsky: Learning Multiple Layers of Features from Tiny Images. "
    "Technical report, University of Toronto, 2009",
    licence="not stated by its author",
    home="https://www.cs.toronto.edu/~kriz/cifar.html",
)
FOLDER, COPY = "cifar-10-batches-py", "cifar10.npz"
ADDRESS = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
MD5 = {  # torchvision's; taken from there, every import would take twice as long
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
}
ARCHIVES = (Archive((ADDRESS, f"https://web.archive.org/web/2020id_/{ADDRESS}"),
                    {f"{FOLDER}/{name}": f"md5:{md5}" for name, md5 in MD5.items()}),)


def provide(root: Path, download: bool) -> Found:
    """The original, verified; or, where nothing of it lies, a copy, whole."""
    if copy := _copy(root):
        return npz.provide(copy)
    return fetching.provide(ARCHIVES, root, download)


def load(root: Path, download: bool) -> Data:
    """Images of 3 x 32 x 32 pixels, standardised by each channel's mean and standard
    deviation over the training pixels, float32.

    The original lies in `cifar-10-batches-py` below the root and has 50,000 training
    and 10,000 test images. Where nothing of it lies, a file `cifar10.npz` below the
    root is taken instead, with arrays as in `npz.load`: a copy of unknown quality and
    size, so its `original` is False.
    """
    if copy := _copy(root):
        return npz.load(copy)._replace(name="cifar10", classes=10)
    found = fetching.provide(ARCHIVES, root, download)
    from torchvision.datasets import CIFAR10

    parts = [CIFAR10(root, train) for train in (True, False)]
    images, test_images = (torch.from_numpy(part.data).movedim(3, 1) for part in parts)
    x, test_x = standardised(images, test_images)
    y, test_y = (torch.tensor(part.targets) for part in parts)
    return Data("cifar10", x, y, test_x, test_y, 10, found.sha256, original=True)


def _copy(root: Path) -> Path | None:
    original = any(fetching.exists(root / FOLDER / name) for name in MD5)
    return root / COPY if not original and fetching.exists(root / COPY) else None
