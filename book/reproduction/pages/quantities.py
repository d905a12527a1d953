"""What the claims on the tables of the paper compare: items from a source of numbers.
Page "Claims"; what the claims on its figures compare is in `trends`.

Each function returns one of a source, which returns the items that a claim is judged
by. Where a sentence leaves something open, it is taken in the way that favours it:
among the degrees of altruism the best one counts.

An accuracy has the margin of one standard error of the test set, at the level of the
two that are compared. Fairness has none; it counts where it rests on more than noise.
"""

from collections.abc import Callable, Sequence
from itertools import product

from book.reproduction import plan
from book.reproduction.base import METHODS
from book.reproduction.pages import overhead
from book.reproduction.pages.intervals import Interval, Values, ends, extreme
from book.reproduction.pages.sources import Source
from book.reproduction.pages.tables import column_label, method_label
from book.reproduction.pages.verdicts import Item

COLUMNS = tuple(column.name
                for column in (*plan.MNIST_10, *plan.MNIST_20, *plan.CIFAR_10,
                               *plan.TEXT))
OURS = tuple(method for method in METHODS if method.startswith("cgsv"))
BASELINES = tuple(method for method in METHODS if method not in OURS)
# Points by which an accuracy may differ from a number of the text and still count as
# that number
SAME = 2.0
HIGH = 80.0  # the degree of fairness that the text calls high
Items = Callable[[Source], list[Item]]


def combined(function: Callable, *several: Values) -> Values:
    """A number from the numbers of the same seed; for the seeds that all of them
    have."""
    seeds = set.intersection(*(set(values) for values in several)) if several else set()
    return {seed: function(*(values[seed] for values in several))
            for seed in sorted(seeds)}


def minus(left: Values, right: Values) -> Values:
    return combined(lambda a, b: a - b, left, right)


def over(left: Values, right: Values) -> Values:
    return combined(lambda a, b: a / b, left, right)


def top(several: Sequence[Values]) -> Values:
    """The largest of those that are defined, for the seeds that all have."""
    return combined(lambda *x: extreme(x), *several)


def margin(source: Source, column: str, *several: Values) -> float:
    """One standard error of the test set at the mean of all these accuracies."""
    middles = [sum(ends(x)) / 2 for values in several for x in values.values()]
    return source.margin(column, sum(middles) / len(middles)) if middles else 0.0


def ahead(quantity: str, methods: Sequence[str], others: Sequence[str],
          columns: Sequence[str] = COLUMNS) -> Items:
    """In each column, how far the best of `methods` lies above the best of `others`."""

    def items(source: Source) -> list[Item]:
        get = getattr(source, quantity)
        found = []
        for column in columns:
            ours, theirs = (top([get(method, column) for method in side])
                            for side in (methods, others))
            error = (0.0 if quantity == "clear_rho"
                     else margin(source, column, ours, theirs))
            found.append(Item(column_label(column), minus(ours, theirs), error))
        return found

    return items


def behind(method: str, others: Sequence[str], quantity: str,
           columns: Sequence[str] = COLUMNS) -> Items:
    """In each column, how far a method lies below the best of `others`."""
    above = ahead(quantity, [method], others, columns)

    def items(source: Source) -> list[Item]:
        return [item._replace(values=combined(lambda a: -1 * a, item.values))
                for item in above(source)]

    return items


def apart(method: str, others: Sequence[str], columns: Sequence[str] = COLUMNS
          ) -> Items:
    """How far a method's average accuracy is from that of each of `others`; above it is
    positive."""

    def items(source: Source) -> list[Item]:
        found = []
        for column in columns:
            ours = source.mean(method, column)
            for other in others:
                theirs = source.mean(other, column)
                found.append(Item(f"{column_label(column)}: {method_label(other)}",
                                  minus(ours, theirs),
                                  margin(source, column, ours, theirs)))
        return found

    return items


def highest(quantity: str, methods: Sequence[str], columns: Sequence[str]) -> Items:
    """In each column the number of the best of `methods`."""

    def items(source: Source) -> list[Item]:
        get = getattr(source, quantity)
        return [Item(column_label(column), top([get(name, column) for name in methods]))
                for column in columns]

    return items


def ratios(method: str) -> Items:
    """In each column, a method's time over that of the training, round by round."""

    def items(source: Source) -> list[Item]:
        return [Item(column_label(column), source.timed("ratio", method, column))
                for column in overhead.COLUMNS]

    return items


def times(method: str, columns: Sequence[str] = overhead.COLUMNS) -> Items:
    """In each column, a method's time over that of CGSV, round by round."""

    def items(source: Source) -> list[Item]:
        return [Item(f"{column_label(column)}, {method_label(method)}",
                     over(source.timed("seconds", method, column),
                          source.timed("seconds", "cgsv-beta1", column)))
                for column in columns]

    return items


def quoted(column: str, ours: str, baseline: str, *quoted: float) -> Items:
    """Average and highest accuracy of two methods less what the text says they are."""

    def items(source: Source) -> list[Item]:
        found = [(f"{method_label(method)}, {name}",
                  getattr(source, quantity)(method, column))
                 for method in (ours, baseline)
                 for quantity, name in (("mean", "average"), ("best", "highest"))]
        return [Item(what, combined(lambda a, number=number: a - number, values),
                     margin(source, column, values))
                for (what, values), number in zip(found, quoted, strict=True)]

    return items


def both(first: Items, second: Items, *names: str) -> Items:
    """The items of two, with the names of the two behind them."""

    def items(source: Source) -> list[Item]:
        return [item._replace(what=f"{item.what}, {name}")
                for part, name in zip((first, second), names, strict=True)
                for item in part(source)]

    return items


def lowest(method: str, number: float) -> Items:
    """The lowest fairness of a method over all columns, less a number."""

    def items(source: Source) -> list[Item]:
        several = [source.clear_rho(method, column) for column in COLUMNS]
        seeds = sorted({seed for values in several for seed in values})
        return [Item(method_label(method),
                     {seed: extreme([values[seed] for values in several
                                     if seed in values], largest=False) - number
                      for seed in seeds})]

    return items


def only_for(method: str, partition: str, high: float) -> Items:
    """By how much fairness is high where the partition is this one, and is not where it
    is another one."""

    def items(source: Source) -> list[Item]:
        signs = {column: 1 if column.endswith(partition) else -1 for column in COLUMNS}
        return [Item(column_label(column),
                     combined(lambda a, sign=sign: sign * (a - high),
                              source.clear_rho(method, column)))
                for column, sign in signs.items()]

    return items


def favoured(columns: Sequence[str], others: Sequence[str], quantity: str) -> Items:
    """How much more the best beta is ahead of the best baseline in `columns` than in
    `others`, on average."""
    inside, outside = (ahead(quantity, OURS, BASELINES, part)
                       for part in (columns, others))

    def items(source: Source) -> list[Item]:
        found = inside(source), outside(source)
        means = [combined(_mean, *(item.values for item in part)) for part in found]
        error = max(item.margin or 0.0 for part in found for item in part)
        names = " and ".join(column_label(column) for column in columns)
        return [Item(names, minus(*means), error)]

    return items


def _mean(*numbers):
    low, high = (sum(end) / len(numbers)
                 for end in zip(*map(ends, numbers), strict=True))
    return Interval(low, high) if isinstance(numbers[0], Interval) else low


RANGES = {"alpha": lambda x: 0.8 <= x < 1, "gamma": lambda x: 0.1 <= x <= 1,
          "beta": lambda x: 1 <= x <= 2}


def grid(quantity: str) -> Items:
    """All points of the grid that lie in the three ranges. quantity: "gain" or
    "clear_rho"."""

    def items(source: Source) -> list[Item]:
        found = []
        for a, g, b in product(*inside().values()):
            values = source.grid(quantity, a, g, b)
            error = (margin(source, "digits", source.grid("mean", a, g, b))
                     if quantity == "gain" else 0.0)
            found.append(Item(f"alpha {a:g}, Gamma {g:g}, beta {b:g}", values, error))
        return found

    return items


def inside() -> dict[str, list[float]]:
    """The values of the grid that lie in the ranges, by the hyperparameter."""
    return {name: [x for x in values if RANGES[name](x)]
            for name, values in plan.GRID.items()}


def grid_mean(source: Source, quantity: str, values: dict[str, list[float]]) -> Values:
    """A quantity of the grid, averaged over all combinations of values; {} while one of
    them is missing."""
    points = (source.grid(quantity, *point) for point in product(*values.values()))
    return combined(lambda *x: sum(x) / len(x), *points)
