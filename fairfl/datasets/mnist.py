"""MNIST: handwritten digits of 28 x 28 pixels."""

from pathlib import Path

from fairfl.datasets import fetching
from fairfl.datasets.base import About, Data
from fairfl.datasets.fetching import Archive
from fairfl.datasets.images import standardised

ABOUT = About(
    "MNIST", (60_000, 0, 10_000),
    citation="LeCun, Cortes and Burges: The MNIST Database of Handwritten Digits, 1998",
    licence="not stated by its authors", home="http://yann.lecun.com/exdb/mnist/",
)
MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/",
           "https://storage.googleapis.com/cvdf-datasets/mnist/")
SHA256 = {
    "train-images-idx3-ubyte":
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte":
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte":
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte":
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
ARCHIVES = tuple(Archive(tuple(f"{mirror}{name}.gz" for mirror in MIRRORS),
                         {f"MNIST/raw/{name}": f"sha256:{digest}"})
                 for name, digest in SHA256.items())


def load(root: Path, download: bool) -> Data:
    """60,000 and 10,000 images, standardised by the mean and standard deviation of the
    training pixels, float32."""
    # torchvision's readers, not its class MNIST, which would prefer a
    # processed/training.pt of unknown origin
    from torchvision.datasets.mnist import read_image_file, read_label_file

    found = fetching.provide(ARCHIVES, root, download)
    paths = [str(root / file) for archive in ARCHIVES for file in archive.files]
    images, test_images = map(read_image_file, paths[::2])
    y, test_y = map(read_label_file, paths[1::2])
    x, test_x = standardised(images.unsqueeze(1), test_images.unsqueeze(1))
    return Data("mnist", x, y, test_x, test_y, 10, found.sha256, original=True)
