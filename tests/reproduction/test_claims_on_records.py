"""What our records say of the claims of the paper, whichever way it comes out.

A new record can turn a verdict, and the page shows it. Here are those whose records are
complete, and what must be true of every verdict.
"""

from pathlib import Path

import pytest

from book.reproduction.pages import claims, dynamics, tables, verdicts
from book.reproduction.pages.intervals import CANNOT_TELL, FAILS, HOLDS
from book.reproduction.pages.sources import Recorded

RESULTS = Path(__file__).resolve().parents[2] / "data" / "results"
CONVENTIONS = ("downloaded", "trained")
SETTLED = {
    "factor": HOLDS, "theorem-1": HOLDS, "quadratic": FAILS, "fig1-better": HOLDS,
    "wrong-labels": HOLDS, "fig2-distance": HOLDS, "fig2-loss-r": HOLDS,
    "fig2-loss-sizes": FAILS, "fig2-loss-true": HOLDS, "fig2-loss-test": HOLDS,
    "altruism-bound": HOLDS, "theorem-2-true": HOLDS, "eu-reason": CANNOT_TELL,
}


@pytest.fixture(scope="module")
def judged():
    return [(claim, verdicts.judge(claim, source)) for source in
            (Recorded(RESULTS, convention) for convention in CONVENTIONS)
            for claim in claims.CLAIMS]


def test_verdicts_whose_records_are_complete(judged):
    for claim, verdict in judged:
        assert verdict.word == SETTLED.get(claim.name, verdict.word), claim.name


def test_no_verdict_turns_without_one_seed(judged):
    for claim, verdict in judged:
        assert verdicts.turned(claim, verdict) == [], claim.name


def test_nothing_is_said_by_a_single_seed_or_by_noise(judged):
    """Except of what has no noise, such as a count."""
    seen = 0
    for claim, verdict in judged:
        for one in verdict.items:
            if len(one.numbers) < 2 and one.item.margin is not None:
                assert one.word == CANNOT_TELL, (claim.name, one.item.what)
                seen += 1
    assert seen > 100


def test_fairness_under_uni_is_not_counted_where_it_is_noise(judged):
    """The accuracies of the mechanism's agents are equal there up to chance."""
    for claim, verdict in judged:
        if claim.name == "fairness-high":
            mnist = [one for one in verdict.items if "MNIST 10 UNI" in one.item.what]
            assert {one.why for one in mnist} == {verdicts.NOISE}


def test_every_accuracy_has_a_margin(judged):
    for claim, verdict in judged:
        if claim.name.startswith(("accuracy", "eu-n", "eu-c", "mr-", "mnist-cla-")):
            assert all(one.item.margin > 0.1 for one in verdict.items if one.numbers)


def test_clipping_cures_neither_the_lock_in_nor_the_fall():
    """Section "On MNIST, CLA, 100 rounds" of the chapter "Accuracy and fairness", on
    the first seed."""
    column = "mnist-10-cla"
    alone = (
        100 * tables.read(RESULTS, column, "standalone", 0).history["test_accuracy"][-1]
    )
    runs = {
        scaling: tables.read(RESULTS, column, "cgsv-beta1", 0, f"long-{scaling}")
        for scaling in ("normalised", "clipped", "raw")
    }
    heard = {
        scaling: dynamics.heard(run.history["r"], alone)
        for scaling, run in runs.items()
    }
    assert all(
        heard[scaling][-1] < heard[scaling][39] - 5
        for scaling in ("normalised", "clipped")
    )
    server = {
        scaling: 100 * run.history["server_test_accuracy"]
        for scaling, run in runs.items()
    }
    assert server["clipped"][-1] > server["normalised"][-1] + 5
    assert server["raw"][-1] > server["clipped"][-1] + 5
    assert all(curve[-1] < curve.max() - 1 for curve in server.values())
    fall = {scaling: curve.max() - curve[-1] for scaling, curve in server.items()}
    assert fall["clipped"] > fall["normalised"] + 1
    assert fall["raw"] < fall["normalised"] - 1
    without_r = {
        scaling: tables.read(RESULTS, column, "fedavg", 0, f"long-{scaling}")
        for scaling in runs
    }
    fedavg = {
        scaling: 100 * run.history["server_test_accuracy"]
        for scaling, run in without_r.items()
    }
    assert all(curve[-1] == curve.max() for curve in fedavg.values())
    ahead = {scaling: server[scaling] - fedavg[scaling] for scaling in runs}
    assert ahead["normalised"][-1] < -1
    assert abs(ahead["clipped"][-1]) < 1
    assert ahead["clipped"].max() > 5
    assert (ahead["raw"] > 1).all()
    assert fedavg["clipped"][-1] > fedavg["normalised"][-1] + 1
    lengths, settings = (
        runs["normalised"].history["update_norm"],
        runs["normalised"].settings,
    )
    shorter = [
        (lengths[t - 1] < settings.gamma(t)).double().mean()
        for t in range(1, settings.rounds + 1)
    ]
    assert sum(shorter) / len(shorter) > 0.5
