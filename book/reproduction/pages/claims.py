"""The sentences of Xu et al. (2021) that name a number or an order of numbers. Page "Claims".

A sentence is taken at its word, and where it leaves something open in the way that favours it: among the degrees of
altruism the best one counts. What decides is in `verdicts`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product

from book.reproduction import plan
from book.reproduction.base import METHODS
from book.reproduction.pages import overhead
from book.reproduction.pages.sources import Source, Values
from book.reproduction.pages.tables import column_label, method_label
from book.reproduction.pages.verdicts import Claim, Item

COLUMNS = tuple(column.name for column in (*plan.MNIST_10, *plan.MNIST_20, *plan.CIFAR_10, *plan.TEXT))
OURS = tuple(method for method in METHODS if method.startswith("cgsv"))
BASELINES = tuple(method for method in METHODS if method not in OURS)
SAME = 2.0  # points by which an accuracy may differ from a number of the text and still count as that number
HIGH = 80.0  # the degree of fairness that the text calls high


def combined(function: Callable[..., float], *several: Values) -> Values:
    """A number from the numbers of the same seed; for the seeds that all of them have."""
    seeds = set.intersection(*(set(values) for values in several)) if several else set()
    return {seed: function(*(values[seed] for values in several)) for seed in sorted(seeds)}


def _minus(left: Values, right: Values) -> Values:
    return combined(lambda a, b: a - b, left, right)


def _over(left: Values, right: Values) -> Values:
    return combined(lambda a, b: a / b, left, right)


def _top(several: Sequence[Values]) -> Values:
    """The largest of those that are defined."""
    return combined(lambda *x: max((a for a in x if not math.isnan(a)), default=math.nan), *several)


def _bottom(several: Sequence[Values]) -> Values:
    """The smallest of what is there and defined, whichever it is."""
    seeds = sorted({seed for values in several for seed in values})
    there = {seed: [values[seed] for values in several if seed in values] for seed in seeds}
    return {seed: min((a for a in x if not math.isnan(a)), default=math.nan) for seed, x in there.items()}


def _ahead(quantity: str, methods: Sequence[str], others: Sequence[str], columns: Sequence[str] = COLUMNS):
    """In each column, how far the best of `methods` lies above the best of `others`."""

    def items(source: Source) -> list[Item]:
        get = getattr(source, quantity)
        return [Item(column_label(column), _minus(_top([get(method, column) for method in methods]),
                                    _top([get(other, column) for other in others]))) for column in columns]

    return items


def _apart(method: str, others: Sequence[str]):
    """How far a method's average accuracy is from that of each of `others`."""

    def items(source: Source) -> list[Item]:
        return [Item(f"{column_label(column)}: {method_label(other)}",
                     combined(lambda a, b: abs(a - b), source.mean(method, column), source.mean(other, column)))
                for column in COLUMNS for other in others]

    return items


def _each(quantity: str, methods: Sequence[str], columns: Sequence[str]):
    def items(source: Source) -> list[Item]:
        return [Item(column_label(column) + (f": {method_label(method)}" if len(methods) > 1 else ""),
                     getattr(source, quantity)(method, column))
                for column in columns for method in methods]

    return items


def _times(method: str, columns: Sequence[str] = overhead.COLUMNS):
    """In each column, a method's time over that of CGSV."""

    def items(source: Source) -> list[Item]:
        return [Item(column_label(column), _over(source.seconds(method, column), source.seconds("cgsv-beta1", column)))
                for column in columns]

    return items


def _quoted(column: str, ours: str, baseline: str, *quoted: float):
    """Average and highest accuracy of two methods less what the text says they are."""

    def items(source: Source) -> list[Item]:
        found = [(f"{method_label(method)}, {name}", getattr(source, quantity)(method, column))
                 for method in (ours, baseline) for quantity, name in (("mean", "average"), ("best", "highest"))]
        return [Item(what, combined(lambda a, number=number: a - number, values))
                for (what, values), number in zip(found, quoted, strict=True)]

    return items


def _sentence(name: str, text: str, column: str, ours: str, baseline: str, *quoted: float) -> list[Claim]:
    """On this column our mechanism reaches so much, the best-performing baseline is this one and reaches so much."""
    where = "Sec. 4.2, Predictive Performance"
    others = [other for other in BASELINES if other not in (baseline, "standalone")]
    a, b, c, d = quoted
    rival = method_label(baseline)
    return [
        Claim(f"{name}-numbers", where, f"{text} is {a:g} ({b:g}), of {rival} {c:g} ({d:g})",
              "points above the number in the text", _quoted(column, ours, baseline, *quoted),
              lambda x: abs(x) <= SAME),
        Claim(f"{name}-baseline", where, f"the best-performing baseline there, by the average, is {rival}",
              "points above the best of the other baselines", _ahead("mean", [baseline], others, [column]),
              lambda x: x >= 0),
        Claim(f"{name}-ahead", where, f"{text} is better than that of {rival}, by the average",
              f"points above {rival}", _ahead("mean", [ours], [baseline], [column]), lambda x: x > 0),
    ]


def _lowest(method: str):
    """The lowest fairness of any other method less the lowest of this one, over all columns."""

    def items(source: Source) -> list[Item]:
        lowest = {other: _bottom([source.rho(other, column) for column in COLUMNS])
                  for other in METHODS if other != "standalone"}
        return [Item(method_label(other), _minus(values, lowest[method]))
                for other, values in lowest.items() if other != method]

    return items


def _named(name: str, items: list[Item]) -> list[Item]:
    return [Item(f"{item.what}, {name}", item.values) for item in items]


def _only_for(method: str, partition: str):
    """By how much fairness is high where the partition is this one, and is not where it is another one."""

    def items(source: Source) -> list[Item]:
        signs = {column: 1 if column.endswith(partition) else -1 for column in COLUMNS}
        return [Item(column_label(column), combined(lambda a, sign=sign: sign * (a - HIGH), source.rho(method, column)))
                for column, sign in signs.items()]

    return items


def _noise(source: Source) -> list[Item]:
    order = ((4, 1), (5, 1), (1, 2), (2, 3))
    return [Item(f"{quantity}, agents {better} and {worse}",
                 combined(lambda a, b, sign=sign: sign * (a - b), source.noise(quantity, better),
                          source.noise(quantity, worse)))
            for quantity, sign in (("psi", 1), ("sparsity", -1)) for better, worse in order]


RANGES = {"alpha": lambda x: 0.8 <= x < 1, "gamma": lambda x: 0.1 <= x <= 1, "beta": lambda x: 1 <= x <= 2}


def _grid(quantity: str):
    """All points of the grid that lie in the three ranges."""

    def items(source: Source) -> list[Item]:
        return [Item(f"alpha {a:g}, Gamma {g:g}, beta {b:g}", source.grid(quantity, a, g, b))
                for a, g, b in product(*inside().values())]

    return items


def inside() -> dict[str, list[float]]:
    """The values of the grid that lie in the ranges, by the hyperparameter."""
    return {name: [x for x in values if RANGES[name](x)] for name, values in plan.GRID.items()}


def _outside(quantity: str):
    """For each value outside of a range: the mean over all points inside less the mean over the points where only this
    hyperparameter has that value."""

    def items(source: Source) -> list[Item]:
        within = grid_mean(source, quantity, inside())
        return [Item(f"{name} = {x:g}", _minus(within, grid_mean(source, quantity, {**inside(), name: [x]})))
                for name, values in plan.GRID.items() for x in values if not RANGES[name](x)]

    return items


def grid_mean(source: Source, quantity: str, values: dict[str, list[float]]) -> Values:
    """A quantity of the grid, averaged over all combinations of values; {} while one of them is missing."""
    points = (source.grid(quantity, *point) for point in product(*values.values()))
    return combined(lambda *x: sum(x) / len(x), *points)


_ACCURACY, _FAIRNESS, _TIME = (f"Sec. 4.2, {part}" for part in ("Predictive Performance", "Fairness", "Time Overhead"))
_HYPER = "Sec. 4.2, Hyperparameters"
_IMPLIED = f"{_HYPER} (implied by naming ranges)"

CLAIMS = (
    Claim("accuracy-mean", _ACCURACY, "the mechanism generally outperforms the baselines, by average accuracy",
          "points that the best beta is above the best baseline", _ahead("mean", OURS, BASELINES), lambda x: x > 0,
          "most"),
    Claim("accuracy-best", _ACCURACY, "the mechanism generally outperforms the baselines, by highest accuracy",
          "points that the best beta is above the best baseline", _ahead("best", OURS, BASELINES), lambda x: x > 0,
          "most"),
    *_sentence("mnist-cla", "MNIST, CLA, 10 agents: average (highest) accuracy at beta = 1.5", "mnist-10-cla",
               "cgsv-beta1.5", "eci", 75, 95, 53, 94),
    *_sentence("cifar-cla", "CIFAR-10, CLA, 10 agents: average (highest) accuracy at beta = 2", "cifar10-10-cla",
               "cgsv-beta2", "dw", 36, 54, 32, 47),
    *_sentence("mr", "MR: average (highest) accuracy at beta = 1", "mr-5-pow", "cgsv-beta1", "rr", 62, 76, 63, 65),
    Claim("eu-comparable", _ACCURACY, "EU's average accuracy differs from FedAvg's and ECI's by less than 3 %",
          "points apart", _apart("eu", ("fedavg", "eci")), lambda x: x < 3),
    Claim("eu-not-better", _ACCURACY, "EU's average accuracy is not better than that of the mechanism",
          "points that EU is above the best beta", _ahead("mean", ["eu"], OURS), lambda x: x <= 0),
    Claim("eu-mnist-cla", _ACCURACY, "MNIST, CLA, 10 agents: at beta = 1.5 the average is more than 20 % above EU's",
          "points above EU", _ahead("mean", ["cgsv-beta1.5"], ["eu"], ["mnist-10-cla"]), lambda x: x > 20),
    Claim("fairness-high", _FAIRNESS, "the mechanism's degree of fairness is above 80, for every beta on every column",
          "fairness", _each("rho", OURS, COLUMNS), lambda x: x > HIGH),
    Claim("fedavg-lowest", _FAIRNESS, "FedAvg produces the lowest degree of fairness (-45.6)",
          "lowest of another method less FedAvg's lowest", _lowest("fedavg"), lambda x: x >= 0),
    Claim("eci-fairer", _FAIRNESS, "ECI is fairer than the mechanism on MNIST with POW (10 and 20 agents) and CLA (10)",
          "points above the best beta", _ahead("rho", ["eci"], OURS, ["mnist-10-pow", "mnist-20-pow", "mnist-10-cla"]),
          lambda x: x > 0),
    Claim("nobody-else-fairer", f"{_FAIRNESS} (implied: only ECI is named)", "no baseline but ECI is fairer",
          "points that the mechanism's best beta is above the best baseline but ECI",
          _ahead("rho", OURS, [method for method in BASELINES if method not in ("standalone", "eci")]),
          lambda x: x >= 0),
    Claim("eci-slower", _FAIRNESS, "on these columns ECI's time overhead is over 100 times that of the mechanism",
          "times that of CGSV", _times("eci", ["mnist-10-pow", "mnist-20-pow"]), lambda x: x > 100, both=False),
    Claim("cffl-less-fair", _FAIRNESS, "CFFL is less fair than the mechanism and than ECI",
          "points below the better of the two",
          lambda source: [*_named("ours", _ahead("rho", OURS, ["cffl"])(source)),
                          *_named("ECI", _ahead("rho", ["eci"], ["cffl"])(source))], lambda x: x > 0),
    Claim("egalitarian", _FAIRNESS, "q-FFL and RR, which are egalitarian, are less fair than the mechanism",
          "points that the best beta is above the better of both", _ahead("rho", OURS, ["qffl", "rr"]),
          lambda x: x > 0),
    Claim("dw-only-pow", _FAIRNESS, "DW is fair for the POW partition only",
          "points above 80 on POW, below 80 elsewhere", _only_for("dw", "pow"), lambda x: x > 0),
    Claim("wrong-labels", "Sec. 3.4", "the more labels are wrong, the lower psi and the sparser the reward: agents "
          "4 and 5 before 1, 2, 3", "by how much the better agent is ahead", _noise, lambda x: x > 0, both=False),
    Claim("ours-at-most", _TIME, "the mechanism takes at most 0.4 times the training time", "times the training",
          _each("ratio", ["cgsv-beta1"], overhead.COLUMNS), lambda x: x <= 0.4, both=False),
    Claim("eci-up-to", _TIME, "ECI takes up to 140 times the training time", "times the training",
          _each("ratio", ["eci"], overhead.COLUMNS), lambda x: x >= 140, "any", both=False),
    Claim("cffl-at-most", _TIME, "CFFL takes at most 2 times the training time", "times the training",
          _each("ratio", ["cffl"], overhead.COLUMNS), lambda x: x <= 2, both=False),
    Claim("cffl-times", _TIME, "CFFL takes 5 to 6 times as long as the mechanism", "times that of CGSV",
          _times("cffl"), lambda x: 5 <= x <= 6, both=False),
    Claim("efficient", _TIME, "the mechanism is much more efficient than ECI and CFFL: here, twice at least",
          "times that of CGSV", lambda source: [*_named("ECI", _times("eci")(source)),
                                                *_named("CFFL", _times("cffl")(source))],
          lambda x: x >= 2, both=False),
    Claim("ranges-accuracy", _HYPER, "alpha in [0.8, 1), beta in [1, 2], Gamma in [0.1, 1] give competitive "
          "accuracy: here, above Standalone's on digits", "points above Standalone", _grid("gain"), lambda x: x > 0),
    Claim("ranges-fairness", _HYPER, "the same ranges give competitive fairness: here, above 80 on digits", "fairness",
          _grid("rho"), lambda x: x > HIGH),
    Claim("ranges-accuracy-outside", _IMPLIED, "values outside of them give less accuracy",
          "points that the mean over a range is above a value outside", _outside("gain"), lambda x: x > 0),
    Claim("ranges-fairness-outside", _IMPLIED, "values outside of them give less fairness",
          "points that the mean over a range is above a value outside", _outside("rho"), lambda x: x > 0),
)
