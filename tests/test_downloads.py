"""The shared mask against the textbook mask, agent by agent."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fairfl import rewards
from fairfl.downloads import Everything, OwnUpdates, Sparsified, sparsify

F64 = torch.float64


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=15), st.data())
def test_same_as_the_textbook_mask_ties_or_not(entries, data):
    u = torch.tensor(entries, dtype=F64)
    q = data.draw(st.lists(st.integers(0, len(u)), min_size=1, max_size=5))
    reward = Sparsified(u, torch.tensor(q)[:, None], [slice(0, len(u))])
    models = torch.ones(len(q), len(u), dtype=F64)
    reward.add_to(models)
    for i, count in enumerate(q):
        assert torch.equal(reward.row(i), rewards.mask(u, count))
        assert torch.equal(models[i], 1 + rewards.mask(u, count))
    assert reward.kept.tolist() == q


def test_eq_5_by_hand():
    u = torch.tensor([5.0, -1.0, 4.0, 2.0, -3.0, 0.5])
    reward = sparsify(u, torch.tensor([1.0, 0.63, 0.42], dtype=F64))
    assert reward.kept.tolist() == [6, 3, 2]
    assert reward.row(1).tolist() == [5, 0, 4, 0, -3, 0]
    assert reward.row(2).tolist() == [5, 0, 4, 0, 0, 0]


def test_layers_by_hand_as_the_published_script_masks_them():
    # Blocks of 4 and 2 entries at quality 1 and .5: min(ceil(4 * 1), 3) = 3 and 1 entries, then 2 and 1.
    u = torch.tensor([1.0, 2.0, 3.0, 4.0, 9.0, 8.0])
    reward = sparsify(u, torch.tensor([1.0, 0.5], dtype=F64), [slice(0, 4), slice(4, 6)], "ceil_below_size", True)
    assert reward.row(0).tolist() == [0, 2, 3, 4, 9, 0]
    assert reward.row(1).tolist() == [0, 0, 3, 4, 9, 0]
    assert reward.kept.tolist() == [4, 3]


def test_ties_kept():
    u = torch.tensor([1.0, -2.0, 2.0, 2.0])
    reward = Sparsified(u, torch.tensor([[1], [0], [4]]), [slice(0, 4)], keep_ties=True)
    assert reward.row(0).tolist() == [0, -2, 2, 2]
    assert reward.kept.tolist() == [3, 0, 4]


def test_rows_are_copies():
    for reward in (Everything(torch.ones(3), 2), OwnUpdates(torch.ones(2, 3)), sparsify(torch.ones(3), torch.ones(2))):
        reward.row(0).zero_()
        assert reward.row(0).tolist() == [1, 1, 1]
        assert reward.kept.tolist() == [3, 3]


def test_own_updates_go_to_their_owner():
    models = torch.zeros(2, 2)
    OwnUpdates(torch.tensor([[1.0, 2.0], [3.0, 4.0]])).add_to(models)
    assert models.tolist() == [[1, 2], [3, 4]]


def test_what_cannot_be_kept_is_refused():
    with pytest.raises(ValueError, match="between 0 and the sizes"):
        Sparsified(torch.ones(3), torch.tensor([[4]]), [slice(0, 3)])
    with pytest.raises(ValueError, match="known are 'floor' and 'ceil_below_size'"):
        sparsify(torch.ones(3), torch.ones(1), rounding="up")
