"""Sentences to word numbers; MR and SST."""

import hashlib

import pytest
import torch

from fairfl import datasets
from fairfl.datasets import DataError, Found, load, mr, sst, status, text

FOUND = Found("here", "0", True)


def sentences(x: torch.Tensor, words: tuple[str, ...]) -> list[str]:
    return [" ".join(words[i] for i in row if i) for row in x.tolist()]


def test_vocabulary_by_hand():
    words = text.vocabulary([["b", "a", "c"], ["c", "a"], ["Z", "c"]])
    # 3, 2, 1, 1 times; Z comes before b
    assert words == ("<pad>", "<unk>", "c", "a", "Z", "b")


def test_encoding_by_hand():
    words = ("<pad>", "<unk>", "the", "end")
    assert text.encode([["the", "end", "<pad>"], [], ["end"]], words, 4).tolist() == [
        [2, 3, 1, 0], [0, 0, 0, 0], [3, 0, 0, 0]
    ]


def example(**options):
    train = ([["good", "film"], ["bad", "film"]], torch.tensor([1, 0]))
    test = ([["good", "play", "."]], torch.tensor([1]))
    dev = ([["dull"]], torch.tensor([0]))
    return text.data("example", FOUND, train, test, dev, classes=2, **options)


def test_words_of_the_training_text_only():
    data = example()
    assert data.vocabulary == ("<pad>", "<unk>", "film", "bad", "good")
    assert data.x.tolist() == [[4, 2, 0], [3, 2, 0]] and data.x.dtype == torch.int64
    assert data.test_x.tolist() == [[4, 1, 1]]
    assert data.validation[0].tolist() == [[1, 0, 0]]
    assert data.validation[1].tolist() == [0]
    assert (data.name, data.classes, data.sha256, data.original) == (
        "example", 2, "0", True
    )


def test_words_of_all_texts():
    data = example(source="all")
    assert data.vocabulary == ("<pad>", "<unk>", "film", "good", ".", "bad", "dull",
                               "play")
    assert sentences(data.test_x, data.vocabulary) == ["good play ."]


def test_unknown_vocabulary():
    with pytest.raises(ValueError,
                       match="vocabulary 'test'; known are train, all"):
        example(source="test")


# ----------------------------------------------------------------------------------- MR


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """20 sentences of each class, some with the character that Unicode takes for an end
    of line."""
    negative = b"".join(b"bad%d film . \n" % i for i in range(20))
    positive = b"".join(b"good%d caf\xe9\x85film . \n" % i for i in range(20))
    files = {"rt-polaritydata/rt-polarity.neg": negative,
             "rt-polaritydata/rt-polarity.pos": positive}
    pins = {name: f"sha256:{hashlib.sha256(content).hexdigest()}"
            for name, content in files.items()}
    monkeypatch.setattr(mr, "ARCHIVES", (mr.ARCHIVES[0]._replace(files=pins),))
    (tmp_path / "rt-polaritydata").mkdir()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_mr(tiny):
    data = load("mr", tiny)
    assert data.y.bincount().tolist() == [16, 16]
    assert data.test_y.bincount().tolist() == [4, 4]
    assert data.x.shape == (32, 4) and data.test_x.shape == (8, 4) and data.classes == 2
    assert data.original
    bad = sorted(word for word in data.vocabulary if word[:3] == "bad")
    assert data.vocabulary[2:6] == (".", "film", "café", bad[0])
    assert (data.test_x == 1).any() and not (data.x == 1).any()
    everything = load("mr", tiny, vocabulary="all")
    texts = sentences(torch.cat([everything.x, everything.test_x]),
                      everything.vocabulary)
    assert sorted(texts) == sorted([f"bad{i} film ." for i in range(20)]
                                   + [f"good{i} café film ." for i in range(20)])
    labels = torch.cat([everything.y, everything.test_y]).tolist()
    for line, label in zip(texts, labels, strict=True):
        assert line.startswith("good" if label else "bad")
    assert torch.equal(load("mr", tiny).x, data.x)


def test_real_mr():
    if status("mr").state == "missing":
        pytest.skip(f"no MR in {datasets.data_root()}: set FAIRFL_DATA")
    data = load("mr", download=False)
    assert data.y.bincount().tolist() == [4265, 4265]
    assert data.test_y.bincount().tolist() == [1066, 1066]
    everything = load("mr", download=False, vocabulary="all")
    ours = sorted(sentences(torch.cat([everything.x, everything.test_x]),
                            everything.vocabulary))
    lines = []
    for file in mr.ARCHIVES[0].files:
        path = datasets.data_root() / file
        with path.open(encoding="latin-1", newline="\n") as opened:
            lines += [" ".join(line.lower().split()) for line in opened]
    assert ours == sorted(lines)
    assert len(ours) == 2 * 5331


# ---------------------------------------------------------------------------------- SST


TREE = r"(3 (2 It) (4 (4 (2 's) (4 (2 -LRB-) (3 (3 A\/B) (2 -RRB-)))) (2 \*)))"


def test_words_of_a_tree():
    assert sst.words(TREE) == ["it", "'s", "(", "a/b", ")", "*"]
    assert sst.words("(1 (2 2\xa01\\/2) (0 hours))") == ["2\xa01/2", "hours"]


def test_sst(monkeypatch, tmp_path):
    files = {"trees/train.txt": f"{TREE}\n(0 (0 Bad) (2 .))\n",
             "trees/dev.txt": "(4 (3 It) (2 's))\n",
             "trees/test.txt": "(2 (2 \u0085) (2 Good))\n"}  # no end of line either
    pins = {name: f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
            for name, content in files.items()}
    monkeypatch.setattr(sst, "ARCHIVES", (sst.ARCHIVES[0]._replace(files=pins),))
    (tmp_path / "trees").mkdir()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content.encode())
    data = load("sst", tmp_path)
    assert data.y.tolist() == [3, 0] and data.test_y.tolist() == [2]
    assert data.validation[1].tolist() == [4] and data.classes == 5
    assert sentences(data.x, data.vocabulary) == ["it 's ( a/b ) *", "bad ."]
    assert sentences(data.validation[0], data.vocabulary) == ["it 's"]
    assert data.test_x.tolist() == [[1, 1, 0, 0, 0, 0]]
    (tmp_path / "trees" / "dev.txt").write_text("(4 (3 It))\n")
    with pytest.raises(DataError, match="dev.txt is damaged"):
        load("sst", tmp_path)


def test_real_sst():
    if status("sst").state == "missing":
        pytest.skip(f"no SST in {datasets.data_root()}: set FAIRFL_DATA")
    data = load("sst", download=False)
    samples = len(data.y), len(data.validation[1]), len(data.test_y)
    assert samples == (8544, 1101, 2210) == sst.ABOUT.samples
    assert data.test_y.bincount().tolist() == [279, 633, 389, 510, 399]
    # the answer of whoever knows the training labels only
    assert data.y.bincount().argmax() == 3
    everything = load("sst", download=False, vocabulary="all")
    assert len(everything.vocabulary) > len(data.vocabulary)
    assert not any((part == 1).any()
                   for part in (everything.x, everything.test_x,
                                everything.validation[0]))
    raw = (datasets.data_root() / "trees" / "train.txt").read_bytes().decode()
    # all other brackets close brackets
    leaves = sum(a != ")" for a, b in zip(raw, raw[1:], strict=False) if b == ")")
    assert int((data.x > 0).sum()) == leaves
