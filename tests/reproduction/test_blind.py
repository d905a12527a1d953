"""The blind check: simulated records in which the truth is known."""

from pathlib import Path
from statistics import stdev

import pytest
import torch
from test_claims import write

from book.reproduction import plan
from book.reproduction.pages import blind
from book.reproduction.pages.intervals import CANNOT_TELL, HOLDS, word
from book.reproduction.pages.quantities import ahead
from book.reproduction.pages.sources import Recorded
from book.reproduction.pages.verdicts import Claim, judge
from fairfl import datasets, models
from fairfl.randomness import generator
from fairfl.runs import running

RESULTS = Path(__file__).resolve().parents[2] / "data" / "results"
RECORDS = Recorded(RESULTS)
NOISES = list(blind.measured(RECORDS))


def on_mnist():
    """What seeds do to the server's accuracy on MNIST, recorded of the federation with
    wrong labels. Two methods that share nothing differ by sqrt(2) times that; those
    that share agents and first model by less."""
    accuracies = [100 * float(record.history["server_test_accuracy"][-1])
                  for record in RECORDS.records("losses/fig2-mnist").values()]
    level = sum(accuracies) / len(accuracies)
    return blind.Noise("mnist", len(accuracies), 2**0.5 * stdev(accuracies),
                       RECORDS.margin("mnist", level))


def test_the_truth_is_found_on_mnist():
    noise = on_mnist()
    assert noise.seeds >= 3 and noise.spread > 0.2 and noise.error > 0.2
    assert blind.rate(noise, 0.0) >= 0.9
    assert blind.rate(noise, 1.0) >= 0.8


@pytest.mark.parametrize("noise", NOISES, ids=[noise.column for noise in NOISES])
def test_the_truth_is_found_with_the_noise_of_each_column(noise):
    """One point is less than the margin on digits, SST and MR, and under CLA the seeds
    lie far apart."""
    assert blind.rate(noise, 0.0) >= 0.9
    if noise.column.startswith("mnist") and not noise.column.endswith("cla"):
        assert blind.rate(noise, 1.0) >= 0.8


def test_what_would_be_wrong():
    """Signs without a margin find equal methods different, and so does an interval
    without a margin where the test set is the larger noise."""
    noise = blind.Noise("a", 5, 0.02, 0.3)
    signs = margins = 0
    for numbers in blind.simulated(noise, 0.0):
        signs += all(n > 0 for n in numbers) or all(n < 0 for n in numbers)
        margins += word(numbers, 0.0, float("inf"), 0.0) != CANNOT_TELL
    assert signs > 500 and margins > 500
    assert blind.rate(noise, 0.0) >= 0.9
    assert blind.rate(noise, 1.0, seeds=1) == 0


def test_the_noise_grows_with_what_it_is_made_of():
    def noise(spread, error):
        return blind.Noise("a", 5, spread, error)

    rates = [blind.rate(noise(spread, 0.2), 1.0) for spread in (0.1, 0.6, 2)]
    assert rates[0] > rates[1] > rates[2]
    assert blind.largest_spread(0.17) > blind.largest_spread(0.4) > 0
    assert blind.largest_spread(2.0) == 0


def test_simulated_files_go_the_whole_way(tmp_path):
    """Ten agents, five seeds, FedAvg one point better or equal, in files that are read
    and judged as the real ones are."""
    claim = Claim("a", "", "FedAvg is better", "points",
                  ahead("mean", ["fedavg"], ["rr"], ["mnist-10-pow"]), 0)
    words = {0.0: [], 1.0: []}
    for truth, found in words.items():
        for draw in range(20):
            numbers = generator(draw, "files", str(truth))
            folder = tmp_path / f"{truth}-{draw}"
            test = 0.08 * torch.randn(1, generator=numbers)
            for seed in range(5):
                level = 96 + torch.randn(10, generator=numbers)
                for method, more in (("rr", 0.0), ("fedavg", truth + float(test))):
                    own = 0.2 * torch.randn(1, generator=numbers)
                    accuracy = (level + more + own) / 100
                    write(folder, plan.run(plan.MNIST_10[1], method, seed),
                          accuracy.tolist())
            found.append(judge(claim, Recorded(folder)).word)
    assert words[0.0].count(CANNOT_TELL) >= 18
    assert words[1.0].count(HOLDS) >= 16


@pytest.mark.slow
def test_two_methods_share_most_of_their_mistakes():
    """`SHARED`: the standard error of the difference of CGSV's and FedAvg's average
    accuracies, from what each sample of the test set adds to it, is at most half of
    that of one accuracy (digits, POW, three seeds)."""
    data = datasets.load("digits")
    right = {}
    for method in ("cgsv-beta1", "fedavg"):
        found = []
        for seed in range(3):
            settings = plan.run(plan.COLUMNS["digits-5-pow"], method, seed).settings
            last = running.run(settings, data).history.last
            network = models.build(settings.model, seed).double()
            for model in last.models:
                torch.nn.utils.vector_to_parameters(model.double(),
                                                    network.parameters())
                with torch.no_grad():
                    answers = network(data.test_x.double()).argmax(1)
                found.append((answers == data.test_y).double())
        right[method] = torch.stack(found).mean(0)
    gap = right["cgsv-beta1"] - right["fedavg"]
    error = 100 * float(gap.std()) / len(gap) ** 0.5
    level = 50 * float((right["cgsv-beta1"] + right["fedavg"]).mean())
    assert 0 < error < blind.SHARED * RECORDS.margin("digits", level)
