"""Which runs stand behind which table and figure of Xu et al. (2021), the most valuable
first."""

import math
from collections.abc import Iterator
from dataclasses import replace

from book.reproduction import experiments
from book.reproduction.base import METHODS, TIMED, Column, Run
from fairfl.participation import Participation
from fairfl.runs.recommendations import recommended, starting
from fairfl.schedules import Schedule

MNIST_10 = tuple(Column("mnist", 10, kind) for kind in ("cla", "pow", "uni"))
MNIST_20 = tuple(Column("mnist", 20, kind) for kind in ("cla", "pow", "uni"))
CIFAR_10 = tuple(Column("cifar10", 10, kind) for kind in ("cla", "pow", "uni"))
TEXT = (Column("sst", 5, "pow"), Column("mr", 5, "pow"))
# Not in the paper: for a laptop
DIGITS = tuple(Column("digits", 5, kind) for kind in ("cla", "pow", "uni"))
COLUMNS = {column.name: column
           for column in (*MNIST_10, *TEXT, *DIGITS, *CIFAR_10, *MNIST_20)}

# More seeds where the spread over seeds decides what can be said
SEEDS = {**dict.fromkeys((*MNIST_10, *TEXT, *DIGITS), (0, 1, 2)),
         Column("mnist", 10, "cla"): (0, 1, 2, 3, 4)}


def run(column: Column, method: str, seed: int, variant: str = "", **changes) -> Run:
    """One method on one column; `changes` of the settings make a variant, which needs a
    name."""
    mechanism, options = {**METHODS, **TIMED}[method]
    settings = recommended(column.dataset, column.partition, column.agents,
                           mechanism=mechanism, recorded="end", accuracy_every=None,
                           seed=seed)
    options = {**settings.mechanism_options, **options, **changes.pop("options", {})}
    name = "-".join([column.name, method, *([variant] if variant else []),
                     f"seed{seed}"])
    return Run(f"runs/{name}.json",
               replace(settings, mechanism_options=options, **changes))


def cells(columns: tuple[Column, ...], seed: int) -> Iterator[Run]:
    """All rows of Tables 1 and 2 in these columns."""
    return (run(column, method, seed) for column in columns
            if seed in SEEDS.get(column, (0,)) for method in METHODS)


def scalings(seed: int) -> Iterator[Run]:
    """How updates are brought to length, for CGSV and FedAvg: with the paper's constant
    Gamma, clipped, and raw."""
    for column in MNIST_10:
        decaying = recommended("mnist", column.partition, 10).gamma
        for method in ("cgsv-beta1", "fedavg"):
            yield run(column, method, seed, "constant", gamma=Schedule(decaying.first))
            for scaling in ("clipped", "raw"):
                yield run(column, method, seed, scaling, options={"scaling": scaling})


def lock_in(seed: int) -> Iterator[Run]:
    """Does r settle on the right agents when training goes on? CLA for 100 rounds with
    a slowly decaying Gamma."""
    for scaling in ("normalised", "clipped", "raw"):
        for method in ("cgsv-beta1", "fedavg"):
            yield run(MNIST_10[0], method, seed, f"long-{scaling}",
                      options={"scaling": scaling}, rounds=100,
                      gamma=Schedule(0.5, 0.98), accuracy_every=20)


def three_agents(seed: int) -> Iterator[Run]:
    """Figs. 4 to 6."""
    for dataset in ("mnist", "cifar10"):
        for kind in ("cla", "pow", "uni"):
            yield run(Column(dataset, 3, kind), "cgsv-beta1", seed, recorded="all",
                      evaluate_every=1000, accuracy_every=1000)


BETAS = (1.0, 1.2, 1.5, 2.0, 5.0, 10.0, 30.0, 100.0, math.inf)


def altruism(seed: int) -> Iterator[Run]:
    """Fig. 7: CLA with degrees of altruism up to equal rewards; the first four are rows
    of Table 1."""
    for beta in BETAS:
        if f"cgsv-beta{beta:g}" in METHODS:
            yield run(MNIST_10[0], f"cgsv-beta{beta:g}", seed)
        else:
            yield run(MNIST_10[0], "cgsv-beta1", seed, f"beta{beta:g}",
                      options={"beta": beta})


def timing(columns: tuple[Column, ...] | None = None) -> Iterator[Run]:
    """Table 3: ten rounds of each method, which tell the time of a mechanism beside the
    training's."""
    five = (Column("mnist", 5, "pow"), Column("cifar10", 5, "pow"))
    others = (Column("mnist", 10, "pow"), *TEXT, Column("cifar10", 10, "pow"),
              Column("mnist", 20, "pow"))
    for column in columns or (*five, *others):
        for method in TIMED:
            yield run(column, method, 0, "timing", rounds=10)


def guarantee() -> Iterator[Run]:
    """Premise and conclusion of Theorem 2: with a Gamma that decays until the server is
    nearly at rest, and with the paper's constant one."""
    for kind in ("pow", "cla"):
        for variant, decay in (("settling", 0.95), ("constant", 1.0)):
            yield run(Column("mnist", 10, kind), "cgsv-beta1", 0,
                      f"guarantee-{variant}", recorded="guarantee", rounds=60,
                      evaluate_every=5, gamma=Schedule(0.5, decay))


def losses() -> Iterator[Run]:
    """Fig. 2, the guarantee and Fig. 7 with the loss of every model on every agent's
    samples: all weightings of the training loss follow from it."""
    for seed in (0, 1, 2):
        for dataset in ("digits", "mnist"):
            settings = replace(experiments.label_noise(dataset, seed),
                               recorded="losses")
            yield Run(f"losses/fig2-{dataset}-seed{seed}.json", settings)
    for seed in (0, 1, 2):
        for kind in ("pow", "cla"):
            for variant, decay in (("settling", 0.95), ("constant", 1.0)):
                settings = starting("mnist", kind, 10, mechanism_options={"beta": 1.0},
                                    gamma=Schedule(0.5, decay), rounds=60, seed=seed,
                                    evaluate_every=5, accuracy_every=None,
                                    recorded="losses")
                yield Run(f"losses/guarantee-{kind}-{variant}-seed{seed}.json",
                          settings)
    for seed in (0, 1, 2):
        for found in altruism(seed):
            beta = found.settings.mechanism_options["beta"]
            yield Run(f"losses/fig7-beta{beta:g}-seed{seed}.json",
                      replace(found.settings, recorded="losses", evaluate_every=10))


HALVED = (Column("sst", 5, "pow"), Column("mnist", 10, "pow"))


def precisions() -> Iterator[Run]:
    """Two columns in bfloat16, beside the float32 of all others."""
    for column in HALVED:
        for method in METHODS:
            local = replace(run(column, method, 0).settings.local, precision="bfloat16")
            yield run(column, method, 0, "bfloat16", local=local)


GRID = {"alpha": (0.0, 0.5, 0.8, 0.95, 0.99), "gamma": (0.05, 0.1, 0.5, 1.0, 2.0),
        "beta": (0.5, 1.0, 2.0, 5.0)}


def grid() -> Iterator[Run]:
    """All combinations of alpha, Gamma and beta on digits, POW, with three seeds, and
    what each agent reaches alone."""
    column = Column("digits", 5, "pow")
    for seed in (0, 1, 2):
        for alpha in GRID["alpha"]:
            for gamma in GRID["gamma"]:
                for beta in GRID["beta"]:
                    settings = run(column, "cgsv-beta1", seed,
                                   options={"alpha": alpha, "beta": beta}).settings
                    name = f"alpha{alpha:g}-gamma{gamma:g}-beta{beta:g}-seed{seed}"
                    own = replace(settings.gamma, first=gamma)
                    yield Run(f"grid/{name}.json",
                              replace(settings, gamma=own, rounds=30))


def label_noise(dataset: str = "mnist") -> Iterator[Run]:
    """Fig. 2."""
    for seed in (0, 1, 2):
        yield Run(f"fig2-{dataset}-seed{seed}.json",
                  experiments.label_noise(dataset, seed))


def updates(dataset: str = "mnist") -> Iterator[Run]:
    """Updates for the chapter on the cosine approximation."""
    for name, settings in experiments.updates(dataset).items():
        yield Run(f"{name}-{dataset}-seed0.json", settings)


def thirty() -> Iterator[Run]:
    """One round of as many agents as the exact value takes, with the cosines that it is
    computed from."""
    yield run(Column("digits", 30, "pow"), "cgsv-exact", 0, "one-round", rounds=1,
              recorded="all", evaluate_every=1000, cosines_every=1)


RATES = (1.0, 0.75, 0.5, 0.25)


def participation(seed: int) -> Iterator[Run]:
    """Agents that come to some rounds only, or whose updates come late, on digits; and
    what each reaches alone, always there."""
    often = {f"present{rate:g}": Participation(rate) for rate in RATES}
    often["late0.25"] = Participation(late=0.25)
    for column in DIGITS[:2]:
        folder = f"participation/{column.name}"
        yield Run(f"{folder}-standalone-seed{seed}.json",
                  run(column, "standalone", seed).settings)
        for method in ("cgsv-beta1", "fedavg"):
            settings = run(column, method, seed).settings
            for name, coming in often.items():
                yield Run(f"{folder}-{method}-{name}-seed{seed}.json",
                          replace(settings, participation=coming))


def tables(columns: tuple[Column, ...]) -> list[Run]:
    """All seeds, one after the other."""
    return [found for seed in range(5) for found in cells(columns, seed)]


def everything() -> list[Run]:
    """One seed of what the book cannot do without, then more seeds, then the large
    columns."""
    found = [*cells(MNIST_10, 0), *cells(TEXT, 0), *cells(DIGITS, 0), *label_noise(),
             *altruism(0), *three_agents(0), *timing(), *lock_in(0), *scalings(0),
             *grid(), *updates(), *guarantee(), *precisions(), *losses(), *thirty(),
             *(found for seed in range(5) for found in participation(seed))]
    for seed in (1, 2):
        found += [*cells((*MNIST_10, *TEXT, *DIGITS), seed), *altruism(seed),
                  *lock_in(seed), *scalings(seed)]
    found += [*cells(CIFAR_10, 0), *cells(MNIST_20, 0), *cells(MNIST_10, 3),
              *cells(MNIST_10, 4)]
    return list({wanted.file: wanted for wanted in found}.values())
