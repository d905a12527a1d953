"""Sentences to word numbers."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from fairfl import _checks
from fairfl.datasets.base import Data, Found

PADDING, UNKNOWN = "<pad>", "<unk>"  # words 0 and 1
Sentence = Sequence[str]
Labelled = tuple[Sequence[Sentence], Tensor]


def lines(path: Path, encoding: str) -> list[str]:
    """The lines of a file. Only a line feed ends one, unlike `splitlines`: sentences
    hold the character \\x85, which Unicode takes for the end of a line, too."""
    return path.read_bytes().decode(encoding).removesuffix("\n").split("\n")


def vocabulary(sentences: Iterable[Sentence]) -> tuple[str, ...]:
    """Word number -> word: the padding, the unknown word, then all words, the most
    frequent first, words of equal frequency in the order of their code points."""
    counts = Counter(word for sentence in sentences for word in sentence)
    return PADDING, UNKNOWN, *sorted(counts, key=lambda word: (-counts[word], word))


def encode(sentences: Sequence[Sentence], words: Sequence[str], length: int) -> Tensor:
    """(n, length) int64: each sentence's word numbers, then padding; a word that is not
    in `words` is word 1."""
    number = {word: i for i, word in enumerate(words[2:], start=2)}
    rows = [[number.get(word, 1) for word in sentence] for sentence in sentences]
    return torch.tensor([row + [0] * (length - len(row)) for row in rows])


def data(name: str, found: Found, train: Labelled, test: Labelled,
         validation: Labelled | None = None, *, classes: int,
         source: str = "train") -> Data:
    """A data set of sentences, padded to the length of the longest.

    Args:
        source: "train": the vocabulary is that of the training sentences, and a word
            that only others hold is unknown, as it would be in use; "all": of all
            sentences, as the authors of the paper have it.

    Raises:
        ValueError: another `source`.
    """
    _checks.known("vocabulary", source, ("train", "all"))
    parts = [part for part in (train, test, validation) if part]
    read = parts if source == "all" else [train]
    words = vocabulary(sentence for sentences, _ in read for sentence in sentences)
    length = max(len(sentence) for sentences, _ in parts for sentence in sentences)
    coded = [(encode(sentences, words, length), labels) for sentences, labels in parts]
    return Data(name, *coded[0], *coded[1], classes, found.sha256, found.original,
                coded[2] if validation else None, words)
