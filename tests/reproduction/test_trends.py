"""What the claims on figures and theorems compare, on histories made by hand."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from book.reproduction import experiments, plan
from book.reproduction.pages import theorems, trends
from book.reproduction.pages.intervals import FAILS, HOLDS, word
from book.reproduction.pages.sources import Published, Recorded
from book.theory import guarantee
from fairfl.history import History
from fairfl.runs import records

PAPER = Path(__file__).resolve().parents[2] / "data" / "paper"
RESULTS = PAPER.parent / "results"


def record(folder, name, settings, seed=0, parameters=100, **series):
    """A record of two rounds."""
    plain = {key: {"rounds": [1, 2], "values": values}
             for key, values in series.items()}
    agents = [str(i + 1) for i in range(settings.agents)]
    history = History.from_dict({"agents": agents, "series": plain})
    file = folder / f"{name}-seed{seed}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    found = records.Record(replace(settings, rounds=2, seed=seed), history,
                           {"parameters": parameters})
    records.save(found, file)
    return found


NOISE = replace(experiments.label_noise("digits"), agents=2, label_noise=(0.5, 0.0))
# Of agent 1's model on the samples of agents 1 and 2, then of agent 2's
SHARDS = [[1.0, 2.0], [3.0, 0.5]]


def test_the_loss_under_each_weighting(tmp_path):
    found = record(tmp_path, "a", NOISE, shard_losses=[SHARDS] * 2,
                   r=[[0.5, 0.5], [0.1, 0.9]], weights=[[0.75, 0.25], [0.5, 0.5]],
                   true_loss=[[7.0, 8.0]] * 2)
    assert trends.losses(found, "r")[-1].tolist() == pytest.approx([1.9, 0.75])
    assert trends.losses(found, "r")[0].tolist() == pytest.approx([1.5, 1.75])
    # Of the first sum, in all rounds
    assert trends.losses(found, "sizes")[-1].tolist() == pytest.approx([1.25, 2.375])
    assert trends.losses(found, "true")[-1].tolist() == [7, 8]
    assert trends.losses(found, "test") is None
    older = record(tmp_path, "b", NOISE, union_loss=[[1.0, 2.0]] * 2)
    assert trends.losses(older, "sizes")[-1].tolist() == [1, 2]
    assert trends.losses(older, "r") is None


def test_the_loss_is_ordered_by_the_better_agent(tmp_path):
    """Agents 1 to 5 as in Fig. 2: with the weights r the worst is last, by sizes it is
    the other way round."""
    settings = experiments.label_noise("mnist")
    own = [0.2, 0.4, 0.6, 0.0, 0.1]  # how wrong an agent is on what is right
    shards = [[2 - own[i] if j < 3 else own[i] for j in range(5)] for i in range(5)]
    for seed in range(3):
        record(tmp_path, trends.FIG2, settings, seed, shard_losses=[shards] * 2,
               r=[[0.0, 0.0, 0.0, 0.5, 0.5]] * 2, weights=[[0.2] * 5] * 2)
    source = Recorded(tmp_path)
    by_r, by_sizes = (trends.fig2_losses(weights)(source) for weights in ("r", "sizes"))
    assert [item.what for item in by_r][0] == "loss, agents 3 and 2"
    assert by_r[0].values == pytest.approx(dict.fromkeys(range(3), 0.2))
    assert [word(list(i.values.values()), 0, 9, 0.0) for i in by_r] == [HOLDS] * 4
    assert [word(list(i.values.values()), 0, 9, 0.0) for i in by_sizes] == [FAILS] * 4


def test_what_three_agents_show(tmp_path):
    settings = plan.run(plan.Column("mnist", 3, "cla"), "cgsv-beta1", 0).settings
    record(tmp_path, "runs/mnist-3-cla-cgsv-beta1", settings,
           r=[[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]], psi=[[0.9, 0.5, 0.1]] * 2,
           download_cosine=[[0.6, 1.0, 1.0], [0.8, 1.0, 1.0]],
           aggregate_norm=[1.0, 2.0], last_layer_distance=[[0, 0, 0], [3.0, 2.0, 1.0]])
    source = Recorded(tmp_path)
    late, early, fig5, fig6 = (function(source)[0].values[0] for function in (
        trends.fig4_late, trends.fig4_early, trends.fig5, trends.fig6))
    assert (late, early, fig6) == pytest.approx((0.3, 0.8, 2.0))
    assert fig5 == pytest.approx((0.8 + 2 * 0.6) / 2)  # sqrt(1 - cos^2) |u|


def test_altruism_helps_agent_1_most(tmp_path):
    settings = plan.run(plan.MNIST_10[0], "cgsv-beta1", 0).settings
    falls = [0.5, *[0.1] * 8, 0.0]
    for beta, loss in (("1", [1.0] * 10), ("inf", [1 - fall for fall in falls])):
        record(tmp_path, f"losses/fig7-beta{beta}", settings, union_loss=[loss] * 2)
    source = Recorded(tmp_path)
    every = [item.values[0] for item in trends.fig7("sizes")(source)]
    assert every == pytest.approx(falls)
    (first,) = trends.fig7("sizes", first=True)(source)
    assert first.values == pytest.approx({0: 0.4})
    assert trends.fig7("r")(source)[0].values == {}


def test_the_share_that_meets_theorem_2(tmp_path):
    """Agent 1 has the larger r and is nearer by more than twice its download. The
    conclusion holds for it by the weights r and does not by sizes."""
    record(tmp_path, trends.FIG2, NOISE, r=[[0.9, 0.1]] * 2,
           server_distance=[[0.0, 1.0]] * 2, download_cosine=[[1.0, 1.0]] * 2,
           aggregate_norm=[0.4, 0.4], weights=[[0.1, 0.9]] * 2,
           shard_losses=[SHARDS] * 2)
    source = Recorded(tmp_path)
    assert theorems.guaranteed("r")(source)[0].values == {0: 1.0}
    assert theorems.guaranteed("sizes")(source)[0].values == {0: 0.0}
    record(tmp_path, trends.FIG2, NOISE, r=[[0.9, 0.1]] * 2,
           server_distance=[[0.0, 0.7]] * 2, download_cosine=[[1.0, 1.0]] * 2,
           aggregate_norm=[0.4, 0.4], weights=[[0.1, 0.9]] * 2,
           shard_losses=[SHARDS] * 2)
    # The premise is not met
    assert math.isnan(theorems.guaranteed("r")(source)[0].values[0])


def test_the_share_is_the_one_of_the_chapter():
    """The chapter's functions, on the recorded run with wrong labels."""
    found = records.load(RESULTS / f"{trends.FIG2}-seed0.json")
    history = found.history
    t = history.rounds("true_loss")
    late = t > found.settings.rounds / 2
    at = t[late] - 1
    lengths = history["download_cosine"] * history["aggregate_norm"][:, None]
    r = history["r"][at]
    premise = guarantee.premise(r, history["server_distance"][at - 1], lengths[at])
    for weights in ("true", "sizes", "r"):
        item = theorems.guaranteed(weights)(Recorded(RESULTS))[0]
        loss = trends.losses(found, weights)[late]
        shares = guarantee.shares(guarantee.ordered(r), premise,
                                  guarantee.conclusion(loss))
        assert item.values[0] == pytest.approx(shares.given)


def test_the_bound_on_beta(tmp_path):
    """tanh(.2) = .19737: at least 19 of 100 entries."""
    for least, slack in ((19, 0), (18, -1)):
        record(tmp_path, "fig2-mnist", NOISE, q=[[least, 100], [50, 100]],
               r=[[0.2, 0.8], [0.3, 0.7]])
        item = theorems.altruism_bound(Recorded(tmp_path))[0]
        assert item.values == {0: slack} and item.margin is None


def test_theorem_1_and_its_gamma():
    ours = Recorded(Path("nowhere"))
    (bound,) = theorems.theorem1(ours)
    assert all(value < 0 for value in bound.values.values()) and len(bound.values) == 10
    (factor,) = theorems.quadratic(ours)
    assert factor.values == pytest.approx(dict.fromkeys(range(10), 1.0), rel=1e-6)
    assert theorems.theorem1(Published(PAPER)) == []


def test_fig_1_is_read_and_measured():
    theirs, ours = (theorems.fig1_widens(source)
                    for source in (Published(PAPER), Recorded(Path("nowhere"))))
    gap = (0.0360195 - 0.0101330) - (0.0000002310 - 0.0091719)
    assert theirs[0].values[0].middle == pytest.approx(gap)
    assert len(ours[0].values) == 10
    draws = [theorems._values(6, 1024, draw) for draw in range(3)]
    assert all(torch.allclose(phi.sum(), torch.ones(()).double())
               for phi, _, _ in draws)
