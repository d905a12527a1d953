"""The shared mask against the textbook mask, agent by agent."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fairfl import _selection, downloads, rewards
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


# magnitudes of which many are equal, and numbers at both ends of what a float can be
HARD = {
    "ties": [-2.0, -1.0, -0.5, 0.0, -0.0, 0.5, 1.0, 2.0],
    "zeros": [0.0, 0.0, 0.0, -0.0, 1.0],
    "denormal": [0.0, -0.0, 5e-324, -1e-323, 1e-45, -3e-45, 1e-40, 1e-310],
    "largest": [3.4028234e38, -3.4028234e38, 1.0, 0.0],
    "one magnitude": [1.0, -1.0],
}


@pytest.mark.parametrize("dtype", [torch.float32, F64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("slice_size", [7, 1 << 17])
def test_same_as_the_textbook_mask_on_hard_vectors_of_any_length(
    name, dtype, slice_size, monkeypatch
):
    # short ones have many seams to get wrong, and a selection to be made from few
    monkeypatch.setattr(downloads, "SLICE", slice_size)
    monkeypatch.setattr(_selection, "SLICE", slice_size)
    monkeypatch.setattr(_selection, "SMALL", slice_size)
    draws = torch.Generator().manual_seed(0)
    u = torch.tensor(HARD[name], dtype=F64)
    u = u[torch.randint(len(u), (203,), generator=draws)].to(dtype)
    u = u.clamp(-torch.finfo(dtype).max, torch.finfo(dtype).max)
    counts = torch.tensor([[0], [1], [6], [7], [8], [60], [101], [102], [202], [203]])
    reward, models = (
        Sparsified(u, counts, [slice(0, 203)]),
        torch.zeros(10, 203, dtype=dtype),
    )
    reward.add_to(models)
    for i, q in enumerate(counts.flatten().tolist()):
        assert torch.equal(reward.row(i), rewards.mask(u, q))
        assert torch.equal(models[i], rewards.mask(u, q))
        indices, entries = reward.sparse(i)
        assert len(indices) == q and torch.equal(entries, u[indices])
        dense = torch.zeros_like(u).index_put((indices,), entries)
        assert torch.equal(dense, rewards.mask(u, q))


@pytest.mark.parametrize("keep_ties", [False, True])
def test_layers_are_masked_each_by_itself(keep_ties):
    draws = torch.Generator().manual_seed(1)
    u = torch.randint(-4, 5, (500,), generator=draws).double()
    blocks = [slice(0, 200), slice(200, 201), slice(201, 500)]
    quality = torch.tensor([0.0, 0.3, 0.77, 1.0], dtype=F64)
    reward, models = (
        sparsify(u, quality, blocks, keep_ties=keep_ties),
        torch.zeros(4, 500, dtype=F64),
    )
    reward.add_to(models)
    for i in range(4):
        masked, kept = [], 0
        for part, q in (
            (u[block], int(rewards.count(quality[i], len(u[block]))))
            for block in blocks
        ):
            if keep_ties and q:
                q = int(
                    (part.abs() >= part.abs().sort(descending=True).values[q - 1]).sum()
                )
            masked.append(rewards.mask(part, q))
            kept += q
        assert torch.equal(reward.row(i), torch.cat(masked)) and torch.equal(
            models[i], torch.cat(masked)
        )
        assert reward.kept[i] == kept


def test_limits_by_hand():
    magnitude = torch.tensor([2.0, 1.0, 2.0, 1.0, 0.0, 1.0])
    found, kept = downloads.limits(magnitude, torch.tensor([0, 1, 2, 3, 4, 5, 6]))
    assert [limit[:2] for limit in found[1:]] == [
        (2.0, 0), (2.0, 5), (1.0, 1), (1.0, 3), (1.0, 5), (0.0, 5)]
    assert found[0][:2] == (2.0, -1)  # nothing is larger than the largest
    assert found[1].below == torch.tensor(2.0).nextafter(torch.tensor(0.0)).item()
    assert kept.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert downloads.limits(magnitude, torch.tensor([0, 1, 3]), True)[1].tolist() == [
        0, 2, 5]


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_refused(wrong):
    u = torch.ones(6)
    u[4] = wrong
    with pytest.raises(ValueError, match="NaN or infinite entries between 3 and 6"):
        Sparsified(u, torch.tensor([[1, 1]]), [slice(0, 3), slice(3, 6)])


def test_eq_5_by_hand():
    u = torch.tensor([5.0, -1.0, 4.0, 2.0, -3.0, 0.5])
    reward = sparsify(u, torch.tensor([1.0, 0.63, 0.42], dtype=F64))
    assert reward.kept.tolist() == [6, 3, 2]
    assert reward.row(1).tolist() == [5, 0, 4, 0, -3, 0]
    assert reward.row(2).tolist() == [5, 0, 4, 0, 0, 0]


def test_layers_by_hand_as_the_published_script_masks_them():
    # Blocks of 4 and 2 entries at quality 1 and .5: min(ceil(4 * 1), 3) = 3 and 1
    # entries, then 2 and 1.
    u = torch.tensor([1.0, 2.0, 3.0, 4.0, 9.0, 8.0])
    reward = sparsify(
        u,
        torch.tensor([1.0, 0.5], dtype=F64),
        [slice(0, 4), slice(4, 6)],
        "ceil_below_size",
        True,
    )
    assert reward.row(0).tolist() == [0, 2, 3, 4, 9, 0]
    assert reward.row(1).tolist() == [0, 0, 3, 4, 9, 0]
    assert reward.kept.tolist() == [4, 3]


def test_ties_kept():
    u = torch.tensor([1.0, -2.0, 2.0, 2.0])
    reward = Sparsified(u, torch.tensor([[1], [0], [4]]), [slice(0, 4)], keep_ties=True)
    assert reward.row(0).tolist() == [0, -2, 2, 2]
    assert reward.kept.tolist() == [3, 0, 4]


def test_rows_are_copies():
    for reward in (
        Everything(torch.ones(3), 2),
        OwnUpdates(torch.ones(2, 3)),
        sparsify(torch.ones(3), torch.ones(2)),
    ):
        reward.row(0).zero_()
        assert reward.row(0).tolist() == [1, 1, 1]
        assert reward.kept.tolist() == [3, 3]


def test_own_updates_go_to_their_owner():
    models = torch.zeros(2, 2)
    OwnUpdates(torch.tensor([[1.0, 2.0], [3.0, 4.0]])).add_to(models)
    assert models.tolist() == [[1, 2], [3, 4]]


def test_models_made_in_inference_mode_are_added_to_there():
    with torch.inference_mode():
        u, models = torch.arange(1.0, 300_001.0), torch.zeros(2, 300_000)
        sparsify(u, torch.tensor([1.0, 0.5])).add_to(models)
    assert torch.equal(models[0], u) and int((models[1] != 0).sum()) == 150_000


def test_what_cannot_be_kept_is_refused():
    with pytest.raises(ValueError, match="between 0 and the sizes"):
        Sparsified(torch.ones(3), torch.tensor([[4]]), [slice(0, 3)])
    with pytest.raises(
        ValueError, match="unknown rounding 'up'; known are floor, ceil_below_size"
    ):
        sparsify(torch.ones(3), torch.ones(1), rounding="up")
