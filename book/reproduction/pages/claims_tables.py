"""The sentences of Xu et al. (2021) on its Tables 1 to 3. Page "Claims"."""

from book.reproduction.pages.quantities import (
    BASELINES,
    COLUMNS,
    HIGH,
    OURS,
    SAME,
    ahead,
    apart,
    behind,
    both,
    favoured,
    grid,
    highest,
    lowest,
    only_for,
    quoted,
    ratios,
    times,
)
from book.reproduction.pages.tables import method_label
from book.reproduction.pages.verdicts import Claim

_ACCURACY, _FAIRNESS, _TIME, _HYPER = (
    f"Sec. 4.2, {part}" for part in ("Predictive Performance", "Fairness",
                                     "Time Overhead", "Hyperparameters"))
_UNEVEN = [column for column in COLUMNS if not column.endswith("uni")]


def sentence(name: str, text: str, column: str, ours: str, baseline: str,
             *numbers: float) -> list[Claim]:
    """On this column our mechanism reaches so much, the best-performing baseline is
    this one and reaches so much."""
    others = [other for other in BASELINES if other not in (baseline, "standalone")]
    a, b, c, d = numbers
    rival = method_label(baseline)
    return [
        Claim(f"{name}-numbers", _ACCURACY,
              f"{text} is {a:g} ({b:g}), of {rival} {c:g} ({d:g})",
              "points above the number in the text",
              quoted(column, ours, baseline, *numbers), -SAME, SAME,
              reading=f"A number counts as the same within {SAME:g} points."),
        Claim(f"{name}-baseline", _ACCURACY,
              f"the best-performing baseline there is {rival}",
              "points above the best of the other baselines",
              both(ahead("mean", [baseline], others, [column]),
                   ahead("best", [baseline], others, [column]), "average", "highest"),
              0, needed="any", reading="By the average or by the highest accuracy."),
    ]


CLAIMS = (
    Claim("accuracy-mean", _ACCURACY,
          "the mechanism generally outperforms the baselines, by average accuracy",
          "points that the best beta is above the best baseline",
          ahead("mean", OURS, BASELINES), 0, needed="most",
          reading="Generally is on more than half of the eleven columns. The best of "
          "four betas is taken, which favours the mechanism."),
    Claim("accuracy-best", _ACCURACY,
          "the mechanism generally outperforms the baselines, by highest accuracy",
          "points that the best beta is above the best baseline",
          ahead("best", OURS, BASELINES), 0, needed="most",
          reading="As above."),
    Claim("especially-uneven", _ACCURACY,
          "it does so especially for heterogeneous partitions",
          "points that it is further ahead on POW and CLA than on UNI, by the average",
          lambda source: [item for name in ("mnist-10", "mnist-20", "cifar10-10")
                          for item in favoured([f"{name}-pow", f"{name}-cla"],
                                               [f"{name}-uni"], "mean")(source)],
          0, needed="most"),
    Claim("especially-mr", _ACCURACY,
          "it does so especially on MR",
          "points that it is further ahead on MR than on SST, by the highest accuracy",
          favoured(["mr-5-pow"], ["sst-5-pow"], "best"), 0,
          reading="By the highest accuracy: by the average RR is ahead in the paper's "
          "table, and the text prints both numbers."),
    *sentence("mnist-cla",
              "MNIST, CLA, 10 agents: average (highest) accuracy at beta = 1.5",
              "mnist-10-cla", "cgsv-beta1.5", "eci", 75, 95, 53, 94),
    Claim("mnist-cla-ahead", _ACCURACY, "it is better than that of ECI there",
          "points above ECI, by the average",
          ahead("mean", ["cgsv-beta1.5"], ["eci"], ["mnist-10-cla"]), 0),
    *sentence("cifar-cla",
              "CIFAR-10, CLA, 10 agents: average (highest) accuracy at beta = 2",
              "cifar10-10-cla", "cgsv-beta2", "dw", 36, 54, 32, 47),
    Claim("cifar-cla-ahead", _ACCURACY, "it is better than that of DW there",
          "points above DW, by the average",
          ahead("mean", ["cgsv-beta2"], ["dw"], ["cifar10-10-cla"]), 0),
    *sentence("mr", "MR: average (highest) accuracy at beta = 1", "mr-5-pow",
              "cgsv-beta1", "rr", 62, 76, 63, 65),
    Claim("mr-ahead", _ACCURACY, "on MR the highest accuracy is better than RR's",
          "points above RR, by the highest",
          ahead("best", ["cgsv-beta1"], ["rr"], ["mr-5-pow"]), 0,
          reading="The text does not say that its average, 62, is better than 63."),
    Claim("eu-comparable", _ACCURACY,
          "EU's average accuracy differs from FedAvg's and ECI's by less than 3 %",
          "points above", apart("eu", ("fedavg", "eci")), -3, 3,
          reading="ECI is our reconstruction, see the chapter The competition."),
    Claim("eu-not-better", _ACCURACY,
          "EU's average accuracy is not better than that of the mechanism",
          "points that the best beta is above EU", ahead("mean", OURS, ["eu"]), 0,
          reading="Equal would do, but a margin cannot show that two are equal."),
    Claim("eu-mnist-cla", _ACCURACY,
          "MNIST, CLA, 10 agents: at beta = 1.5 the average is more than 20 % above "
          "EU's", "points above EU",
          ahead("mean", ["cgsv-beta1.5"], ["eu"], ["mnist-10-cla"]), 20),
    Claim("eu-reason", _ACCURACY,
          "EU is not better because distance, unlike the cosine, does not see the "
          "direction of a gradient", "", lambda source: [],
          reading="To test it, a run would have to exchange the similarity and "
          "nothing else; in EU the weights of the sum change as well."),
    Claim("qffl-uneven", _ACCURACY,
          "q-FFL may be suboptimal for heterogeneous partitions such as POW and CLA",
          "points that the best beta is above q-FFL, by the average",
          ahead("mean", OURS, ["qffl"], _UNEVEN), 0, needed="most"),
    Claim("fairness-high", _FAIRNESS,
          "the mechanism's degree of fairness is above 80", "fairness",
          highest("clear_rho", OURS, COLUMNS), HIGH,
          reading="On every column, for the best beta; in the paper's table it is so "
          "for every beta."),
    Claim("fedavg-lowest", _FAIRNESS, "the lowest fairness of FedAvg is -45.6",
          "points above that", lowest("fedavg", -45.6), -0.05, 0.05,
          reading="The sentence can be read as the lowest of all methods, which q-FFL "
          "has, with -75.92 on SST. It need not be."),
    Claim("fedavg-less-fair", _FAIRNESS, "FedAvg performs suboptimally",
          "points below the best beta", behind("fedavg", OURS, "clear_rho"), 0),
    Claim("eci-fairer", _FAIRNESS,
          "ECI is fairer than the mechanism on MNIST with POW (10 and 20 agents) and "
          "CLA (10)", "points above the best beta",
          ahead("clear_rho", ["eci"], OURS,
                ["mnist-10-pow", "mnist-20-pow", "mnist-10-cla"]), 0),
    Claim("eci-slower", _FAIRNESS,
          "on these columns ECI's time overhead is over 100 times that of the "
          "mechanism", "times that of CGSV",
          times("eci", ["mnist-10-pow", "mnist-20-pow"]), 100, both=False,
          repeats="round"),
    Claim("cffl-less-fair", _FAIRNESS,
          "CFFL is less fair than the mechanism and than ECI",
          "points below", both(behind("cffl", OURS, "clear_rho"),
                               behind("cffl", ["eci"], "clear_rho"),
                               "the mechanism", "ECI"), 0, needed="most",
          reading="On more than half of the columns, as for CFFL's time."),
    Claim("egalitarian", _FAIRNESS,
          "q-FFL and RR, which are egalitarian, are less fair than the mechanism",
          "points that the best beta is above the better of both",
          ahead("clear_rho", OURS, ["qffl", "rr"]), 0),
    Claim("dw-only-pow", _FAIRNESS, "DW is highly fair for the POW partition only",
          "points above 90 on POW, below 90 elsewhere", only_for("dw", "pow", 90), 0,
          reading="High is read as above 90. Above 80, as the text calls its own "
          "fairness high, two columns with equal agents speak against it."),
    Claim("ours-at-most", _TIME,
          "the mechanism takes at most 0.4 times the training time",
          "times the training",
          ratios("cgsv-beta1"), high=0.45, both=False, repeats="round",
          reading="0.4 is rounded."),
    Claim("eci-up-to", _TIME, "ECI takes up to 140 times the training time",
          "times the training",
          ratios("eci"), 140, needed="any", both=False, repeats="round"),
    Claim("cffl-at-most", _TIME, "CFFL takes at most 2 times the training time",
          "times the training",
          ratios("cffl"), high=2.05, both=False, repeats="round",
          reading="2 is rounded: the table prints 2.0."),
    Claim("cffl-times", _TIME, "CFFL takes 5 to 6 times as long as the mechanism",
          "times that of CGSV", times("cffl"), 5, 6, needed="most", both=False,
          repeats="round", reading="On more than half of the columns."),
    Claim("efficient", _TIME,
          "the mechanism is much more efficient than ECI and CFFL",
          "times that of CGSV",
          lambda source: times("eci")(source) + times("cffl")(source), 2, both=False,
          repeats="round", reading="Our reading of much: twice at least."),
    Claim("ranges-accuracy", _HYPER,
          "alpha in [0.8, 1), beta in [1, 2], Gamma in [0.1, 1] give competitive "
          "accuracy", "points above Standalone, by the average", grid("gain"), 0,
          needed="most",
          reading="Our test of it, on digits with a decaying Gamma: above Standalone "
          "at most points of a grid."),
    Claim("ranges-fairness", _HYPER, "the same ranges give competitive fairness",
          "fairness", grid("clear_rho"), HIGH, needed="most",
          reading="The same test: above 80 at most points of the grid."),
)
