"""SST: the Stanford Sentiment Treebank, sentences from film reviews in five classes."""

import re
from pathlib import Path

import torch

from fairfl.datasets import fetching, text
from fairfl.datasets.base import About, Data
from fairfl.datasets.fetching import Archive

ABOUT = About(
    "SST, Stanford Sentiment Treebank", (8544, 1101, 2210),
    citation="Socher, Perelygin, Wu, Chuang, Manning, Ng and Potts: Recursive Deep "
    "Models for Semantic Compositionality Over a Sentiment Treebank. EMNLP 2013",
    licence="not stated by its authors",
    home="https://nlp.stanford.edu/sentiment/",
)
ARCHIVE = f"{ABOUT.home}trainDevTestTrees_PTB.zip"
ARCHIVES = (Archive(
    (ARCHIVE, f"https://web.archive.org/web/2020id_/{ARCHIVE}"),
    {"trees/train.txt":
     "sha256:e2f3f41b0b1e6d4dddc0effe3bfc2d27ed8928079aa9a03d652311614fc5feb7",
     "trees/dev.txt":
     "sha256:0e9336aed6e4730e19f58d00a77b3f0297efdb755f7b5e598c98a05e3f97ea40",
     "trees/test.txt":
     "sha256:6e54806dee95cf80cd918e7dfb3f6770f6df24bf826f289a4d1f709e1c8f6761"},
),)
# A leaf is "(2 word)". A word may hold a no-break space, so only the bracket ends it.
LEAF = re.compile(r"\(\d ([^()]+)\)")
ESCAPED = {"-LRB-": "(", "-RRB-": ")"}


def load(root: Path, download: bool, *, vocabulary: str = "train") -> Data:
    """8,544 sentences for training, 1,101 for validation and 2,210 for testing, from
    very negative (0) to very positive (4); word numbers as in `text.encode`,
    `vocabulary` as in `text.data`.

    The split is the published one; only whole sentences count, not their phrases. Words
    are the leaves of the trees, in lower case; what the trees had to escape (-LRB-,
    -RRB-, and a backslash before / and *) is itself again.
    """
    found = fetching.provide(ARCHIVES, root, download)
    train, dev, test = (_labelled(root / file) for file in ARCHIVES[0].files)
    return text.data("sst", found, train, test, dev, classes=5, source=vocabulary)


def _labelled(path: Path) -> text.Labelled:
    trees = text.lines(path, "utf-8")
    labels = [int(tree[1]) for tree in trees]
    return [words(tree) for tree in trees], torch.tensor(labels)


def words(tree: str) -> list[str]:
    """The words of a sentence, from its tree, as "(3 (2 It) (4 (2 's) (4 great)))"."""
    return [ESCAPED.get(leaf, leaf).replace("\\", "").lower()
            for leaf in LEAF.findall(tree)]
