"""MR ("sentence polarity dataset v1.0"): film reviews, negative or positive."""

from pathlib import Path

import torch

from fairfl.datasets import fetching, text
from fairfl.datasets.base import About, Data
from fairfl.datasets.fetching import Archive

ABOUT = About(
    "MR, sentence polarity", (8530, 0, 2132),
    citation="Pang and Lee: Seeing stars: Exploiting class relationships for sentiment "
    "categorization with respect to rating scales. ACL 2005",
    licence="not stated by its authors",
    home="https://www.cs.cornell.edu/people/pabo/movie-review-data/",
)
ARCHIVE = f"{ABOUT.home}rt-polaritydata.tar.gz"
ARCHIVES = (Archive(
    (ARCHIVE, f"https://web.archive.org/web/2020id_/{ARCHIVE}",
     "https://storage.googleapis.com/seldon-datasets/sentence_polarity_v1/"
     "rt-polaritydata.tar.gz"),
    {"rt-polaritydata/rt-polarity.neg":  # by label
     "sha256:4ace77d558c3714723843f1d65b60c01e3417b208180f0728808d76ad0eeeaca",
     "rt-polaritydata/rt-polarity.pos":
     "sha256:2da124ec187a9d5a29c9f04e91c540e02baed5af8868f550a26bd6fd4dbf8bf0"},
),)


def load(root: Path, download: bool, *, vocabulary: str = "train") -> Data:
    """8,530 sentences for training and 2,132 for testing, half of each negative (0) and
    half positive (1), always split in the same way; word numbers as in `text.encode`,
    `vocabulary` as in `text.data`.

    There is no published split, and the files hold all negative sentences before all
    positive ones. So the split must be stratified: a test set cut off the end would
    hold one class only, and "accuracy" on it would be the recall of that class. Words
    are what stands between white space, in lower case as in the files.
    """
    from sklearn.model_selection import train_test_split

    found = fetching.provide(ARCHIVES, root, download)
    lines = [text.lines(root / file, "latin-1") for file in ARCHIVES[0].files]
    sentences = [line.lower().split() for part in lines for line in part]
    labels = [label for label, part in enumerate(lines) for _ in part]
    count = len(sentences) // 10 * 2
    x, test_x, y, test_y = train_test_split(sentences, labels, test_size=count,
                                            random_state=0, stratify=labels)
    train, test = (x, torch.tensor(y)), (test_x, torch.tensor(test_y))
    return text.data("mr", found, train, test, classes=2, source=vocabulary)
