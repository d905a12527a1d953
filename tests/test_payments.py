"""What a transport asks of a reward: a word, and entries instead of a vector."""

import pytest
import torch

from fairfl.downloads import Everything, OwnUpdates, Sparsified, sparsify
from fairfl.payments import CatchUp, Nothing, ToSome

F64 = torch.float64
# Ties, zeros of both signs, and a largest entry in the middle
TOTAL = torch.tensor([0.0, 2, -2, 5, 2, -0.0, 1, -3], dtype=F64)
BLOCKS = [slice(0, 3), slice(3, 8)]


def counts(*rows):
    return torch.tensor(rows)


REWARDS = {
    "one block": Sparsified(TOTAL, counts(*([q] for q in range(9))), [slice(0, 8)]),
    "blocks": Sparsified(TOTAL, counts([0, 0], [1, 2], [3, 4], [2, 5], [3, 5]), BLOCKS),
    "ties": Sparsified(TOTAL, counts([0], [3], [8]), [slice(0, 8)], keep_ties=True),
    "float32": Sparsified(TOTAL.float(), counts([2], [7]), [slice(0, 8)]),
    "bfloat16": Sparsified(TOTAL.bfloat16(), counts([2], [7]), [slice(0, 8)]),
    "zeros": Sparsified(0 * TOTAL, counts([0], [3], [8]), [slice(0, 8)]),
    "everything": Everything(TOTAL, 2),
    "own": OwnUpdates(torch.stack([TOTAL, -TOTAL])),
    "nothing": Nothing(TOTAL, 2),
    "catch up": CatchUp(torch.stack([TOTAL, -TOTAL]), 2 * TOTAL,
                        torch.tensor([True, False])),
    "some": ToSome(Sparsified(TOTAL, counts([3], [8]), [slice(0, 8)]), TOTAL,
                   torch.tensor([False, True, False, True])),
}


@pytest.mark.parametrize("reward", REWARDS.values(), ids=REWARDS)
def test_the_entries_make_the_vector(reward):
    for i, kept in enumerate(reward.kept.tolist()):
        indices, values = reward.sparse(i)
        row = reward.row(i)
        assert indices.dtype == torch.int64 and values.dtype == row.dtype
        assert indices.shape == values.shape == (kept,)
        assert (indices.diff() > 0).all()  # ascending, none twice
        made = torch.zeros_like(row)
        made[indices] = values
        assert torch.equal(made, row)


def test_the_word():
    words = {name: [reward.kind(i) for i in range(len(reward.kept))]
             for name, reward in REWARDS.items()}
    assert words["one block"] == ["nothing", *["sparse"] * 7, "all"]
    assert words["blocks"] == ["nothing", *["sparse"] * 3, "all"]
    assert words["everything"] == ["all"] * 2 and words["own"] == ["own"] * 2
    assert words["nothing"] == ["nothing"] * 2
    assert words["catch up"] == ["model", "nothing"]
    assert words["some"] == ["nothing", "sparse", "nothing", "all"]


def test_entries_of_many_random_sums():
    draws = torch.Generator().manual_seed(0)
    for _ in range(20):
        total = torch.randint(-3, 4, (200,), generator=draws).double()
        reward = sparsify(total, torch.rand(6, generator=draws).double(), BLOCKS_200)
        for i in range(6):
            made = torch.zeros(200, dtype=F64)
            indices, values = reward.sparse(i)
            made[indices] = values
            assert torch.equal(made, reward.row(i)) and len(indices) == reward.kept[i]


BLOCKS_200 = [slice(0, 50), slice(50, 51), slice(51, 200)]
