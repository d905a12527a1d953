"""What the claims on the mathematics of the paper compare: items that are computed, or
counted in recorded runs. Page "Claims".

What is computed on random vectors has a number for each draw in place of a seed.
"""

import csv
import json
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from book.reproduction import plan
from book.reproduction.pages.intervals import Values, printed
from book.reproduction.pages.quantities import OURS, Items, combined
from book.reproduction.pages.sources import Published, Recorded, Source
from book.reproduction.pages.tables import column_label, method_label
from book.reproduction.pages.trends import FIG2, losses
from book.reproduction.pages.verdicts import Item
from fairfl import cgsv
from fairfl.randomness import generator
from fairfl.runs.records import Record

DRAWS = 10  # as in the paper's Fig. 1
SIZES = (5, 6, 7, 8, 9, 10)  # agents in Fig. 1, left
DIMENSIONS = (1024, 2048, 4096, 8192, 16384, 32768)  # of Fig. 1, right
ORDERS = 150  # that are sampled, as in the authors' program


def _computed(function: Callable[[Source], list[Item]]) -> Items:
    """Items of ours only; the published tables have none."""
    return lambda source: function(source) if isinstance(source, Recorded) else []


def _gaussian(agents: int, dimension: int, draw: int) -> Tensor:
    numbers = generator(draw, "figure 1", agents, dimension)
    return torch.randn(agents, dimension, generator=numbers, dtype=torch.float64)


def _errors(agents: int, dimension: int, norm: int) -> Values:
    """Of each draw, how much the sampled value is further from the Shapley value than
    psi is, both scaled to the sum 1."""
    found = {}
    for draw in range(DRAWS):
        phi, psi, drawn = _values(agents, dimension, draw)
        ours, theirs = (float((value / value.sum() - phi).norm(norm))
                        for value in (psi, drawn))
        found[draw] = theirs - ours
    return found


@cache
def _values(agents: int, dimension: int, draw: int) -> tuple[Tensor, Tensor, Tensor]:
    """The Shapley value, psi and the sampled value."""
    gram = cgsv.gram(_gaussian(agents, dimension, draw))
    plain = cgsv.sampled(gram, draw, ORDERS, paired=False, control=False)
    return cgsv.exact(gram), cgsv.psi(gram), plain.values


def _printed(source: Published, table: str, norm: int) -> dict[int, Values]:
    """The same from the data of the paper's figure, by the number of agents or the
    dimension."""
    with (source.paper / f"{table}.csv").open() as file:
        rows = list(csv.reader(file))
    lines = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    return {int(line[rows[0][0]]): {0: printed(line[f"sampling_l{norm}"])
                                    - printed(line[f"psi_l{norm}"])} for line in lines}


def fig1_better(source: Source) -> list[Item]:
    """How much nearer psi is, for ten agents and each dimension."""
    items = []
    for norm in (1, 2):
        found = (_printed(source, "fig1_dimension", norm)
                 if isinstance(source, Published)
                 else {d: _errors(10, d, norm) for d in DIMENSIONS})
        items += [Item(f"D = {d:,}, l{norm}", values) for d, values in found.items()]
    return items


def fig1_widens(source: Source) -> list[Item]:
    """How much wider that gap is with ten agents than with five."""
    items = []
    for norm in (1, 2):
        found = (_printed(source, "fig1_agents", norm)
                 if isinstance(source, Published)
                 else {n: _errors(n, 1024, norm) for n in (SIZES[0], SIZES[-1])})
        items.append(Item(f"10 agents against 5, l{norm}",
                          combined(lambda a, b: a - b, found[10], found[5])))
    return items


@_computed
def theorem1(source: Source) -> list[Item]:
    """phi_i - psi_i less I Gamma^2 with L_i = 1, the weights of the mechanism and the
    smallest I: the largest over random federations."""
    worst = {}
    for draw in range(DRAWS):
        numbers = generator(draw, "theorem 1")
        worst[draw] = -float("inf")
        for agents in range(2, 9):
            u = torch.randn(agents, 3, generator=numbers, dtype=torch.float64)
            u = u / u.norm(dim=1, keepdim=True)
            r = torch.rand(agents, generator=numbers, dtype=torch.float64)
            r = r / r.sum()
            gram = cgsv.gram(u, r)
            bound = 1 / float((u @ (r @ u)).abs().min())
            gap = float((cgsv.exact(gram) - cgsv.psi(gram)).max())
            worst[draw] = max(worst[draw], gap - bound)
    return [Item("largest phi - psi less the bound", worst, None)]


@_computed
def quadratic(source: Source) -> list[Item]:
    """By which factor the error falls when Gamma is a tenth."""
    found = {}
    for draw in range(DRAWS):
        unit = _gaussian(8, 16, draw)
        unit = unit / unit.norm(dim=1, keepdim=True)
        errors = []
        for gamma in (1.0, 0.1):
            gram = cgsv.gram(gamma * unit)
            errors.append(float((cgsv.exact(gram) - cgsv.psi(gram)).abs().max()))
        found[draw] = errors[0] / errors[1]
    return [Item("error with Gamma = 1 over that with .1", found, None)]


@_computed
def doubling(source: Source) -> list[Item]:
    """By which factor one more agent multiplies the time that the sum over coalitions
    takes, from 10 agents to 16."""
    rows = json.loads((source.results / "bench-valuation.json").read_text())["rows"]
    found = {row["agents"]: dict(enumerate(row["seconds"])) for row in rows
             if row["method"] == "literal coalition loop" and row["dimension"] == 1024}
    return [Item("time of the loop over coalitions",
                 combined(lambda a, b: (b / a) ** (1 / 6), found[10], found[16]))]


def altruism_bound(source: Source) -> list[Item]:
    """Sec. 3.4: with beta >= ln((1 + c) / (1 - c)) / 2r no agent downloads fewer than
    floor(D c) entries. r is the smallest r_i of a run and c = tanh(beta r); how many
    entries the shortest download has more."""

    def slack(record: Record) -> float:
        beta = record.settings.mechanism_options["beta"]
        c = torch.tanh(beta * record.history["r"].double().min())
        least = record.history["q"].double().min()
        return float(least - (c * record.about["parameters"]).floor())

    runs = {"wrong labels": source.records("fig2-mnist")}
    runs |= {f"{column_label(column)}, {method_label(method)}":
             source.runs(column, method) for column in plan.MNIST_10 for method in OURS}
    return [Item(what, combined(slack, found), None) for what, found in runs.items()]


def guaranteed(weights: str) -> Items:
    """Of the pairs for which the premise of Theorem 2 holds in the second half of a
    run, the share for which its conclusion does. weights: see `trends.WEIGHTS`."""

    def share(record: Record) -> float:
        loss = losses(record, weights)
        history = record.history
        if loss is None:
            return float("nan")
        name = {"true": "true_loss"}.get(weights, "shard_losses")
        t = history.rounds(name if name in history.names else "union_loss")
        late = t > record.settings.rounds / 2
        loss, at = loss[late], t[late] - 1
        r, before = history["r"][at], history["server_distance"][at - 1]
        # By the mask lemma |v_i| = cos(v_i, u_N) |u_N|
        lengths = (history["download_cosine"] * history["aggregate_norm"][:, None])[at]
        gap = before[:, None, :] - before[:, :, None]
        other = ~torch.eye(r.shape[1], dtype=torch.bool)
        given = (other & (r[:, :, None] >= r[:, None, :])
                 & (gap >= 2 * lengths[:, :, None]))
        follows = loss[:, :, None] <= loss[:, None, :]
        return float(follows[given].double().mean())  # nan where no pair meets it

    def items(source: Source) -> list[Item]:
        runs = {"wrong labels": FIG2}
        if weights != "true":
            runs |= {f"{kind.upper()}, {word} Gamma":
                     f"losses/guarantee-{kind}-{variant}"
                     for kind in ("pow", "cla")
                     for variant, word in (("settling", "decaying"),
                                           ("constant", "constant"))}
        return [Item(what, combined(share, source.records(name)))
                for what, name in runs.items()]

    return items
