"""What the claims on the figures of the paper compare: items from recorded runs. Page
"Claims".

None of these numbers is in a table of the paper, so that all of them are of the
records. A training loss is taken in four ways, see `WEIGHTS`.
"""

from collections.abc import Callable, Sequence

from torch import Tensor

from book.reproduction.base import Column
from book.reproduction.pages.quantities import Items, combined, margin, minus
from book.reproduction.pages.sources import Source
from book.reproduction.pages.tables import column_label
from book.reproduction.pages.verdicts import Item
from fairfl.runs.records import Record

# Sum_j p_j F_j on the labels that are held, with p_j = r_j, as the authors' code writes
# it, or agent j's share of all samples; the loss on true labels; that on the test set
WEIGHTS = {"r": "weighted by r", "sizes": "weighted by sizes",
           "true": "with the true labels", "test": "on the test set"}


def losses(record: Record, weights: str) -> Tensor | None:
    """The loss of each agent's model in the rounds in which it was recorded, (K, N), or
    None. weights: a key of `WEIGHTS`."""
    history = record.history
    single = {"true": "true_loss", "test": "test_loss"}.get(weights)
    if single is None and "shard_losses" not in history.names:
        single = "union_loss" if weights == "sizes" else "not recorded"
    if single:
        return history[single].double() if single in history.names else None
    # The first sum is weighted by the sizes of the shards
    shares = (history["r"][history.rounds("shard_losses") - 1] if weights == "r"
              else history["weights"][:1])
    return (history["shard_losses"] * shares[:, None, :]).sum(2)


def _last(records: dict[int, Record], of: Callable[[Record], Tensor | None]
          ) -> dict[int, Tensor]:
    """The last row of a series of each seed that has it."""
    found = {seed: of(record) for seed, record in records.items()}
    return {seed: series[-1].double() for seed, series in found.items()
            if series is not None}


def series(name: str) -> Callable[[Record], Tensor | None]:
    return lambda record: (record.history[name] if name in record.history.names
                           else None)


def _gaps(found: dict[int, Tensor], pairs: Sequence[tuple[int, int]], what: str
          ) -> list[Item]:
    """The number of one agent less that of another, for each pair (counted from 1)."""
    return [Item(f"{what}, agents {more} and {less}",
                 {seed: float(row[more - 1] - row[less - 1])
                  for seed, row in found.items()}) for more, less in pairs]


WORSE = ((3, 2), (2, 1), (1, 4), (1, 5))  # agents of Fig. 2, the worse one first


def noise(source: Source) -> list[Item]:
    """Sec. 3.4: psi and sparsity, for which the better agent comes first."""
    return [Item(f"{quantity}, agents {better} and {worse}",
                 combined(lambda a, b, sign=sign: sign * (a - b),
                          source.noise(quantity, better),
                          source.noise(quantity, worse)))
            for quantity, sign in (("psi", 1), ("sparsity", -1))
            for worse, better in WORSE]


FIG2 = "losses/fig2-mnist"


def fig2_distances(source: Source) -> list[Item]:
    found = source.records(FIG2) or source.records("fig2-mnist")
    distance = series("server_distance")
    grown = {seed: record.history["server_distance"][-1]
             - record.history["server_distance"][0] for seed, record in found.items()}
    return [*_gaps(_last(found, distance), WORSE, "distance"),
            *(Item(f"agent {agent}, last round less first",
                   {seed: float(row[agent - 1]) for seed, row in grown.items()})
              for agent in (1, 2, 3))]


def fig2_losses(weights: str) -> Items:
    def items(source: Source) -> list[Item]:
        found = source.records(FIG2)
        return _gaps(_last(found, lambda record: losses(record, weights)), WORSE,
                     "loss")

    return items


def fig3(source: Source) -> list[Item]:
    """Points between the best and the worst agent, against the next even partition."""
    items = []
    for dataset in ("mnist", "cifar10"):
        for more, less in (("pow", "uni"), ("cla", "pow")):
            columns = [f"{dataset}-10-{kind}" for kind in (more, less)]
            runs = [source.runs(column, "cgsv-beta1") for column in columns]
            points = [combined(lambda row: 100 * float(row.max() - row.min()),
                               _last(found, series("test_accuracy")))
                      for found in runs]
            level = [combined(lambda row: 100 * float(row.mean()),
                              _last(found, series("test_accuracy"))) for found in runs]
            items.append(Item(f"{column_label(columns[0])} less {less.upper()}",
                              minus(*points), margin(source, columns[0], *level)))
    return items


THREE = tuple((dataset, kind) for dataset in ("mnist", "cifar10")
              for kind in ("cla", "pow"))


def _three(source: Source, of: Callable[[Record], float], kinds=THREE) -> list[Item]:
    """Of the federations of three agents, a number each."""
    return [Item(column_label(f"{dataset}-3-{kind}"),
                 combined(of, source.runs(Column(dataset, 3, kind), "cgsv-beta1")))
            for dataset, kind in kinds]


def fig4_late(source: Source) -> list[Item]:
    return _three(source, lambda record: float(record.history["r"][-1, 2]
                                               - record.history["r"][-1, 0]))


def fig4_early(source: Source) -> list[Item]:
    """psi of the first round, which is where r starts."""
    kinds = tuple(pair for pair in THREE if pair[1] == "cla")
    return _three(source, lambda record: float(record.history["psi"][0, 0]
                                               - record.history["psi"][0, 2]), kinds)


def fig5(source: Source) -> list[Item]:
    """|v_i - u_N|, by the mask lemma |u_N| sqrt(1 - cos^2), averaged over the
    rounds."""

    def gap(record: Record) -> float:
        cosine = record.history["download_cosine"].double()
        far = (1 - cosine**2).clamp(min=0).sqrt()
        distance = far * record.history["aggregate_norm"].double()[:, None]
        return float((distance[:, 0] - distance[:, 2]).mean())

    return _three(source, gap)


def fig6(source: Source) -> list[Item]:
    return _three(source, lambda record: float(
        record.history["last_layer_distance"][-1, 0]
        - record.history["last_layer_distance"][-1, 2]))


def _fig7(source: Source, beta: str) -> dict[int, Record]:
    variant = "" if beta == "1" else f"beta{beta}"
    return (source.records(f"losses/fig7-beta{beta}")
            or source.runs("mnist-10-cla", "cgsv-beta1", variant))


def fig7(weights: str, first: bool = False) -> Items:
    """How much each agent's loss falls from beta = 1 to infinity; `first`: how much
    more agent 1's does than that of any other."""

    def items(source: Source) -> list[Item]:
        low, high = (_last(_fig7(source, beta),
                           lambda record: losses(record, weights))
                     for beta in ("1", "inf"))
        gains = {seed: low[seed] - high[seed] for seed in low if seed in high}
        if first:
            return [Item("agent 1 against the best other",
                         {seed: float(row[0] - row[1:].max())
                          for seed, row in gains.items()})]
        return [Item(f"agent {i + 1}",
                     {seed: float(row[i]) for seed, row in gains.items()})
                for i in range(10)]

    return items


def reweighted(source: Source) -> list[Item]:
    """The server's accuracy with the sum weighted by r, and all paid alike (beta =
    infinity), above FedAvg's: what re-weighting does by itself."""
    items = []
    for column in ("mnist-10-cla", "mnist-10-pow"):
        ours, plain = (combined(lambda number: 100 * float(number),
                                _last(source.runs(column, *run),
                                      series("server_test_accuracy")))
                       for run in (("cgsv-beta1", "betainf"), ("fedavg",)))
        items.append(Item(column_label(column), minus(ours, plain),
                          margin(source, column, ours, plain)))
    return items
