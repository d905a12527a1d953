"""What the claims of the paper compare: items from a source of numbers. Page "Claims".

Each function returns one of a source, which returns the items that a claim is judged
by. Where a sentence leaves something open, it is taken in the way that favours it:
among the degrees of altruism the best one counts.
"""

import math
from collections.abc import Callable, Sequence
from itertools import product

from book.reproduction import plan
from book.reproduction.base import METHODS
from book.reproduction.pages import overhead
from book.reproduction.pages.sources import Source, Values
from book.reproduction.pages.tables import column_label, method_label
from book.reproduction.pages.verdicts import Claim, Item

COLUMNS = tuple(column.name
                for column in (*plan.MNIST_10, *plan.MNIST_20, *plan.CIFAR_10,
                               *plan.TEXT))
OURS = tuple(method for method in METHODS if method.startswith("cgsv"))
BASELINES = tuple(method for method in METHODS if method not in OURS)
# Points by which an accuracy may differ from a number of the text and still count as
# that number
SAME = 2.0
HIGH = 80.0  # the degree of fairness that the text calls high


def combined(function: Callable[..., float], *several: Values) -> Values:
    """A number from the numbers of the same seed; for the seeds that all of them
    have."""
    seeds = set.intersection(*(set(values) for values in several)) if several else set()
    return {seed: function(*(values[seed] for values in several))
            for seed in sorted(seeds)}


def _minus(left: Values, right: Values) -> Values:
    return combined(lambda a, b: a - b, left, right)


def _over(left: Values, right: Values) -> Values:
    return combined(lambda a, b: a / b, left, right)


def _top(several: Sequence[Values]) -> Values:
    """The largest of those that are defined."""
    return combined(lambda
                    *x: max((a for a in x if not math.isnan(a)), default=math.nan),
                    *several)


def _bottom(several: Sequence[Values]) -> Values:
    """The smallest of what is there and defined, whichever it is."""
    seeds = sorted({seed for values in several for seed in values})
    there = {seed: [values[seed] for values in several if seed in values]
             for seed in seeds}
    return {seed: min((a for a in x if not math.isnan(a)), default=math.nan)
            for seed, x in there.items()}


def ahead(quantity: str, methods: Sequence[str], others: Sequence[str],
          columns: Sequence[str] = COLUMNS):
    """In each column, how far the best of `methods` lies above the best of `others`."""

    def items(source: Source) -> list[Item]:
        get = getattr(source, quantity)
        return [Item(column_label(column),
                     _minus(_top([get(method, column) for method in methods]),
                            _top([get(other, column) for other in others])))
                for column in columns]

    return items


def apart(method: str, others: Sequence[str]):
    """How far a method's average accuracy is from that of each of `others`."""

    def items(source: Source) -> list[Item]:
        return [Item(f"{column_label(column)}: {method_label(other)}",
                     combined(lambda a, b: abs(a - b), source.mean(method, column),
                              source.mean(other, column))) for column in COLUMNS
                for other in others]

    return items


def each(quantity: str, methods: Sequence[str], columns: Sequence[str]):
    def items(source: Source) -> list[Item]:
        return [Item(column_label(column)
                     + (f": {method_label(method)}" if len(methods) > 1 else ""),
                     getattr(source, quantity)(method, column)) for column in columns
                for method in methods]

    return items


def times(method: str, columns: Sequence[str] = overhead.COLUMNS):
    """In each column, a method's time over that of CGSV."""

    def items(source: Source) -> list[Item]:
        return [Item(column_label(column),
                     _over(source.seconds(method, column),
                           source.seconds("cgsv-beta1", column))) for column in columns]

    return items


def quoted(column: str, ours: str, baseline: str, *quoted: float):
    """Average and highest accuracy of two methods less what the text says they are."""

    def items(source: Source) -> list[Item]:
        found = [(f"{method_label(method)}, {name}",
                  getattr(source, quantity)(method, column))
                 for method in (ours, baseline)
                 for quantity, name in (("mean", "average"), ("best", "highest"))]
        return [Item(what, combined(lambda a, number=number: a - number, values))
                for (what, values), number in zip(found, quoted, strict=True)]

    return items


def sentence(name: str, text: str, column: str, ours: str, baseline: str,
             *numbers: float) -> list[Claim]:
    """On this column our mechanism reaches so much, the best-performing baseline is
    this one and reaches so much."""
    where = "Sec. 4.2, Predictive Performance"
    others = [other for other in BASELINES if other not in (baseline, "standalone")]
    a, b, c, d = numbers
    rival = method_label(baseline)
    return [
        Claim(f"{name}-numbers", where,
              f"{text} is {a:g} ({b:g}), of {rival} {c:g} ({d:g})",
              "points above the number in the text",
              quoted(column, ours, baseline, *numbers),
              lambda x: abs(x) <= SAME),
        Claim(f"{name}-baseline", where,
              f"the best-performing baseline there, by the average, is {rival}",
              "points above the best of the other baselines",
              ahead("mean", [baseline], others, [column]),
              lambda x: x >= 0),
        Claim(f"{name}-ahead", where,
              f"{text} is better than that of {rival}, by the average",
              f"points above {rival}", ahead("mean", [ours], [baseline], [column]),
              lambda x: x > 0),
    ]


def lowest(method: str):
    """The lowest fairness of any other method less the lowest of this one, over all
    columns."""

    def items(source: Source) -> list[Item]:
        lowest = {other: _bottom([source.rho(other, column) for column in COLUMNS])
                  for other in METHODS if other != "standalone"}
        return [Item(method_label(other), _minus(values, lowest[method]))
                for other, values in lowest.items() if other != method]

    return items


def named(name: str, items: list[Item]) -> list[Item]:
    return [Item(f"{item.what}, {name}", item.values) for item in items]


def only_for(method: str, partition: str):
    """By how much fairness is high where the partition is this one, and is not where it
    is another one."""

    def items(source: Source) -> list[Item]:
        signs = {column: 1 if column.endswith(partition) else -1 for column in COLUMNS}
        return [Item(column_label(column),
                     combined(lambda a, sign=sign: sign * (a - HIGH),
                              source.rho(method, column)))
                for column, sign in signs.items()]

    return items


def noise(source: Source) -> list[Item]:
    order = ((4, 1), (5, 1), (1, 2), (2, 3))
    return [Item(f"{quantity}, agents {better} and {worse}",
                 combined(lambda a, b, sign=sign: sign * (a - b),
                          source.noise(quantity, better),
                          source.noise(quantity, worse)))
            for quantity, sign in (("psi", 1), ("sparsity", -1))
            for better, worse in order]


RANGES = {"alpha": lambda x: 0.8 <= x < 1, "gamma": lambda x: 0.1 <= x <= 1,
          "beta": lambda x: 1 <= x <= 2}


def grid(quantity: str):
    """All points of the grid that lie in the three ranges."""

    def items(source: Source) -> list[Item]:
        return [Item(f"alpha {a:g}, Gamma {g:g}, beta {b:g}",
                     source.grid(quantity, a, g, b))
                for a, g, b in product(*inside().values())]

    return items


def inside() -> dict[str, list[float]]:
    """The values of the grid that lie in the ranges, by the hyperparameter."""
    return {name: [x for x in values if RANGES[name](x)]
            for name, values in plan.GRID.items()}


def outside(quantity: str):
    """For each value outside of a range: the mean over all points inside less the mean
    over the points where only this hyperparameter has that value."""

    def items(source: Source) -> list[Item]:
        within = grid_mean(source, quantity, inside())
        return [Item(f"{name} = {x:g}",
                     _minus(within,
                            grid_mean(source, quantity, {**inside(), name: [x]})))
                for name, values in plan.GRID.items() for x in values
                if not RANGES[name](x)]

    return items


def grid_mean(source: Source, quantity: str, values: dict[str, list[float]]) -> Values:
    """A quantity of the grid, averaged over all combinations of values; {} while one of
    them is missing."""
    points = (source.grid(quantity, *point) for point in product(*values.values()))
    return combined(lambda *x: sum(x) / len(x), *points)
