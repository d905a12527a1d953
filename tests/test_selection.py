"""Numbers at some ranks, against all of them sorted."""

import pytest
import torch

from fairfl import _selection

D = 200_003


def draws(kind, dtype):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(D, generator=generator, dtype=dtype)
    if kind == "wide":  # over more powers of two than there are bins for
        return x * 2.0 ** torch.randint(-90, 30, (D,), generator=generator)
    return {"normal": x, "zeros": x * (x > 0.8), "one number": torch.ones_like(x),
            "whole": (3 * x).round(), "nothing": torch.zeros_like(x)}[kind]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["normal", "wide", "zeros", "one number", "whole",
                                  "nothing"])
def test_the_order_around_some_ranks_is_that_of_all(kind, dtype):
    magnitude = draws(kind, dtype).abs()
    right = magnitude.sort().values
    ranks = torch.tensor([D - 1, 0, 1, 1000, D // 2, D // 2 + 1, D - 2, 150_000])
    ascending, left_out = _selection.near(magnitude, ranks)
    found = ascending[ranks - left_out]
    assert found.dtype == dtype and torch.equal(found, right[ranks])
    for up in (False, True):  # how many are smaller, and smaller or equal
        counted = left_out + torch.searchsorted(ascending, found, right=up)
        assert torch.equal(counted, torch.searchsorted(right, right[ranks], right=up))


def test_few_entries_are_sorted():
    magnitude = draws("normal", torch.float32).abs()
    ranks = (D * torch.linspace(0, 0.999, 20)).long()
    ascending, _ = _selection.near(magnitude, ranks)
    assert len(ascending) < 0.05 * D
    ascending, left_out = _selection.near(magnitude[:1000], ranks[:1])
    assert len(ascending) == 1000 and left_out.tolist() == [0]


def test_the_place_of_the_kth_of_equal_numbers(monkeypatch):
    monkeypatch.setattr(_selection, "SLICE", 3)
    numbers = torch.tensor([1.0, 2.0, 1.0, 1.0, 3.0, 2.0, 1.0])
    assert [_selection.position(numbers, 1.0, k) for k in range(5)] == [-1, 0, 2, 3, 6]
    with pytest.raises(ValueError, match="fewer entries than asked for equal 2"):
        _selection.position(numbers, 2.0, 3)
