import math
import warnings

import numpy as np
import pytest
import torch
from scipy import stats

from fairfl import metrics

# Deviations from the means 2 and 5: (-1, 0, 1) and (-4, 1, 3): 7 / sqrt(2 * 26)
ALONE, REWARDED, PEARSON = [1.0, 2, 3], [1.0, 6, 8], 7 / math.sqrt(52)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize(
    "kind", [list, np.array, torch.tensor, lambda x: torch.tensor(x).half()]
)
def test_fairness_by_hand(kind):
    found = metrics.fairness(kind(ALONE), kind(REWARDED))
    assert found.dtype == torch.float64 and found.shape == ()
    assert found.item() == pytest.approx(100 * PEARSON, rel=1e-12)


def test_fairness_is_blind_to_scale_and_stays_in_its_range():
    alone = torch.tensor([0.31, 0.52, 0.87])
    assert metrics.fairness(alone, 0.2 + 0.1 * alone.double()).item() == pytest.approx(
        100, abs=1e-9
    )
    assert metrics.fairness(alone, 1 - alone).item() == pytest.approx(-100, abs=1e-4)
    rounded = [0.6, 0.8, 0.7, 0.7]  # 100.00000000000003 if nothing is done about it
    assert metrics.fairness(rounded, rounded).item() == 100


@pytest.mark.parametrize("function", [metrics.fairness, metrics.rank_correlation])
@pytest.mark.parametrize("value", [0.1, 0.0, 95.7])
@pytest.mark.parametrize("agents", [1, 3, 7])
def test_undefined_if_all_agents_are_equal(function, value, agents):
    varied, equal = [*range(agents)], [value] * agents
    for pair in ((varied, equal), (equal, varied), (equal, equal)):
        assert function(*pair).isnan()


@pytest.mark.parametrize("function", [metrics.fairness, metrics.rank_correlation])
def test_differences_of_the_size_of_rounding_count_as_equal(function):
    means = [(0.1 + 0.2 + 0.3) / 3, (0.3 + 0.2 + 0.1) / 3, (0.1 + 0.2 + 0.3) / 3]
    assert means[0] != means[1]
    assert function(means, [0.3, 0.1, 0.3]).isnan()
    assert function([0.3, 0.1, 0.3], [100 * mean for mean in means]).isnan()
    assert function(
        [1, 2, 3], [1, 1, 1 + 1e-12]
    ).isfinite()  # a difference all the same


def test_ranks_of_numbers_equal_but_for_rounding_are_shared():
    found = metrics.rank_correlation([0.1 + 0.2, 0.3, 0.9], [1, 2, 3])
    assert found == metrics.rank_correlation([0.3, 0.3, 0.9], [1, 2, 3])


@pytest.mark.parametrize(
    "function",
    [
        metrics.fairness,
        metrics.rank_correlation,
        metrics.collaboration_gain,
        lambda x, y: metrics.share(x),
    ],
)
@pytest.mark.parametrize(
    "wrong, message",
    [
        ([], "at least one agent"),
        (torch.zeros(2, 0), r"empty, of shape \(2, 0\)"),
        (np.ma.masked_array([1.0, 2], [0, 1]), "masked array"),
        ([1, 1j], "must be real"),
    ],
)
def test_what_cannot_be_measured_is_refused(function, wrong, message):
    with pytest.raises(ValueError, match=message):
        function(wrong, wrong)


@pytest.mark.parametrize("function", [metrics.fairness, metrics.rank_correlation])
def test_undefined_if_a_number_is(function):
    assert function([1, 2, math.nan], [1.0, 2, 3]).isnan()


def test_rank_correlation_by_hand():
    # Ranks 1, 2.5, 2.5, 4 and 2, 1, 3, 4: deviations (-1.5, 0, 0, 1.5), (-.5, -1.5, .5,
    # 1.5)
    found = metrics.rank_correlation([10, 20, 20, 90], [0.5, 0.1, 0.6, 0.7])
    assert found.item() == pytest.approx(3 / math.sqrt(4.5 * 5))
    assert metrics.rank_correlation([1, 2, 3], [1, 10, 1000]).item() == pytest.approx(1)
    assert metrics.rank_correlation([1, 2, 3], [5, 4, -9]).item() == pytest.approx(-1)


def test_both_agree_with_scipy_row_by_row():
    random = np.random.default_rng(0)
    alone, rewarded = (
        random.normal(size=(2, 3, 6)),
        random.integers(0, 4, size=(2, 3, 6)).astype(float),
    )
    fair, rank = (
        metrics.fairness(alone, rewarded),
        metrics.rank_correlation(alone, rewarded),
    )
    assert fair.shape == rank.shape == (2, 3)
    for row in np.ndindex(2, 3):
        assert fair[row].item() == pytest.approx(
            100 * stats.pearsonr(alone[row], rewarded[row]).statistic
        )
        assert rank[row].item() == pytest.approx(
            stats.spearmanr(alone[row], rewarded[row]).statistic
        )


def test_one_standalone_for_many_rounds():
    rounds = torch.tensor([[1.0, 6, 8], [2, 2, 2], [3, 2, 1]])
    found = metrics.fairness(ALONE, rounds)
    assert found[0].item() == pytest.approx(100 * PEARSON)
    assert found[1].isnan()
    assert found[2].item() == pytest.approx(-100)
    assert metrics.collaboration_gain(ALONE, rounds).tolist() == [
        [0, 4, 5],
        [1, 0, -1],
        [2, 0, -2],
    ]


def test_gain_by_hand():
    assert metrics.collaboration_gain([0.5, 0.25], [0.75, 0.125]).tolist() == [
        0.25,
        -0.125,
    ]


def test_share_by_hand():
    assert metrics.share([1, 2, 5]).tolist() == [0.125, 0.25, 0.625]
    assert metrics.share([3, -1]).tolist() == [1.5, -0.5]


@pytest.mark.parametrize(
    "row", [[0, 0, 0], [1, -1, 0], [0.1, 0.2, -0.3], [1e9, 0.1, -1e9 - 0.1]]
)
def test_share_of_nothing_is_undefined(row):
    found = metrics.share([row, [1, 2, 5]])
    assert found[0].isnan().all()
    assert found[1].tolist() == [0.125, 0.25, 0.625]


def test_share_of_small_numbers_is_defined():
    assert metrics.share([1e-300, 3e-300]).tolist() == pytest.approx([0.25, 0.75])


@pytest.mark.parametrize(
    "function", [metrics.fairness, metrics.rank_correlation, metrics.collaboration_gain]
)
def test_wrong_shapes(function):
    with pytest.raises(ValueError, match="standalone is of 3 agents, rewarded of 2"):
        function([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="for each agent"):
        function(1.0, [1, 2])


def test_arguments_stay_as_they_are():
    alone, rewarded = np.array(ALONE), np.array(REWARDED)
    for function in (
        metrics.fairness,
        metrics.rank_correlation,
        metrics.collaboration_gain,
    ):
        function(alone, rewarded)
    metrics.share(alone)
    assert alone.tolist() == ALONE and rewarded.tolist() == REWARDED


def test_read_only_arrays_are_fine():
    alone = np.array(ALONE)
    alone.setflags(write=False)
    assert metrics.fairness(alone, REWARDED).item() == pytest.approx(100 * PEARSON)
