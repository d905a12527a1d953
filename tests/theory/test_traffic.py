"""Bytes of a download, against downloads that are really packed and unpacked."""

import numpy as np
import pytest
import torch

from book.theory import traffic
from fairfl import rewards
from fairfl.randomness import generator


def update(dimension):
    draw = generator(0, "traffic", dimension)
    return torch.randn(dimension, generator=draw, dtype=torch.float32)


def packed(v):
    """The three messages that say v, a float32 array whose zeros are not sent."""
    sent = v != 0
    index = np.flatnonzero(sent).astype(np.int32).tobytes()
    values = v[sent].tobytes()
    return index + values, np.packbits(sent).tobytes() + values, v.tobytes()


def unpacked(messages, q, dimension):
    """The vectors that they say."""
    pairs, bitmap, dense = messages
    one, two = np.zeros((2, dimension), np.float32)
    one[np.frombuffer(pairs[: 4 * q], np.int32)] = np.frombuffer(pairs[4 * q :],
                                                                 np.float32)
    bits = np.frombuffer(bitmap[: len(bitmap) - 4 * q], np.uint8)
    two[np.unpackbits(bits, count=dimension).astype(bool)] = np.frombuffer(
        bitmap[len(bitmap) - 4 * q :], np.float32)
    return one, two, np.frombuffer(dense, np.float32)


@pytest.mark.parametrize("dimension", [1, 8, 9, 1000])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_the_bytes_are_those_of_messages_that_say_the_download(dimension, share):
    q = int(share * dimension)
    v = rewards.mask(update(dimension), q).numpy()
    messages = packed(v)
    assert all((found == v).all() for found in unpacked(messages, q, dimension))
    found = traffic.forms(q, dimension)
    assert [int(part) for part in found] == [len(message) for message in messages]
    assert int(found.least) == min(map(len, messages))


@pytest.mark.parametrize("value", [2, 4, 8])
def test_the_shortest_form_changes_where_the_formulas_say(value):
    dimension = 64_000
    low, high = (round(share * dimension) for share in traffic.changes(value))
    pairs, bitmap, dense = traffic.forms(torch.tensor([low, high]), dimension, value)
    assert pairs[0] == bitmap[0] and bitmap[1] == dense[1]
    q = torch.tensor([low - 1, low + 1, high - 1, high + 1])
    shortest = torch.stack(traffic.forms(q, dimension, value)).argmin(0)
    assert shortest.tolist() == [0, 1, 1, 2]


def test_an_index_beyond_int32_takes_eight_bytes():
    assert traffic.index_bytes(2**31) == 4 and traffic.index_bytes(2**31 + 1) == 8
    assert int(traffic.forms(10, 2**32).pairs) == 10 * (8 + 4)


@pytest.mark.parametrize("q", [-1, 11, 0.5, [3, 11]])
def test_a_quota_out_of_range_is_refused(q):
    with pytest.raises(ValueError, match="q must be whole numbers from 0 to 10"):
        traffic.forms(q, 10)
