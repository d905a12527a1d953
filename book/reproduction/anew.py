"""The tables with the settings chosen anew, see `tuning`: recorded in `tables/` until
all columns are there; then they take the place of `plan`'s.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

from book.reproduction import plan, tuning
from book.reproduction.base import LATER, METHODS, TOLD, Column, Run
from fairfl.runs.recommendations import SAME_SUM, starting, with_choice

# The best candidates by `tuning.best`
CHOSEN: dict[str, dict[str, dict]] = {
    "digits": {"standalone": {"lr": 0.175},
               "averaging": {"lr": 0.4, "gamma": 4.0, "gamma_decay": 0.97},
               "qffl": {"lr": 0.6, "q": 1e-4}, "cffl": {"lr": 0.5, "alpha": 5.0},
               "rffl": {"lr": 0.2, "gamma": 1.0, "gamma_decay": 1.0},
               "fedavg-raw": {"lr": 0.35}, "lin": {"lr": 0.5}, "iafl": {"lr": 0.35},
               "fedce": {"lr": 0.5}, "shapfed": {"lr": 0.35}},
    "mnist": {"standalone": {"lr": 0.24},
              "averaging": {"lr": 0.3, "gamma": 8.0, "gamma_decay": 0.96},
              "qffl": {"lr": 0.3, "q": 0.01}, "cffl": {"lr": 0.3, "alpha": 0.5}},
}
# FedAvg and CGSV lie further apart there, or change places, see `another_setting`
ANOTHER = {"lr": 0.15, "gamma": 4.0, "gamma_decay": 0.96}
SUMMING = {"fedavg", "cgsv", *SAME_SUM}  # they share learning rate and Gamma


def run(column: Column, method: str, seed: int, variant: str = "", **changes) -> Run:
    """As `plan.run`, with `CHOSEN` for `fairfl.runs.recommendations.CHOSEN`."""
    mechanism, options = (METHODS | LATER)[method]
    options = options | TOLD.get((mechanism, column.partition), {})
    base = starting(column.dataset, column.partition, column.agents, seed=seed,
                    mechanism=mechanism, recorded="end", accuracy_every=None)
    settings = with_choice(base, CHOSEN[column.dataset][family(method)])
    options = settings.mechanism_options | options | changes.pop("options", {})
    name = "-".join([column.name, method, *([variant] if variant else []),
                     f"seed{seed}"])
    return Run(f"tables/{name}.json",
               replace(settings, mechanism_options=options, **changes))


def family(method: str) -> str:
    """The family of `tuning` whose settings a row takes."""
    if method in tuning.LATER:
        return method
    mechanism, _ = (METHODS | LATER)[method]
    return "averaging" if mechanism in SUMMING else mechanism


def cells(columns: tuple[Column, ...], seeds: tuple[int, ...] = (0, 1, 2)
          ) -> Iterator[Run]:
    """All rows of Tables 1 and 2 in these columns, one seed after the other."""
    return (run(column, method, seed) for seed in seeds for column in columns
            if column.dataset in CHOSEN for method in METHODS)


def later(columns: tuple[Column, ...]) -> Iterator[Run]:
    """The mechanisms that came later, where their settings are chosen."""
    return (run(column, method, seed) for seed in (0, 1, 2) for column in columns
            for method in LATER if family(method) in CHOSEN.get(column.dataset, {}))


ATTRIBUTION_SEEDS = {"cla": 5, "pow": 3}  # on CLA r bifurcates


def attribution() -> Iterator[Run]:
    """What does re-weighting do, and what do rewards? FedAvg; the sum weighted by r,
    paid to all alike (beta = inf); and paid by r. Each with updates normalised, clipped
    and raw, on MNIST, seed by seed."""
    for seed in range(5):
        for column in plan.MNIST_10[:2]:
            if seed < ATTRIBUTION_SEEDS[column.partition]:
                yield from _attribution(column, seed)


def _attribution(column: Column, seed: int) -> Iterator[Run]:
    for scaling in ("normalised", "clipped", "raw"):
        own = {} if scaling == "normalised" else {"scaling": scaling}
        words = [scaling] if own else []
        for method in ("fedavg", "cgsv-beta1"):
            yield run(column, method, seed, "-".join(words), options=own)
        yield run(column, "cgsv-beta1", seed, "-".join(["betainf", *words]),
                  options=own | {"beta": math.inf})


def another_setting() -> Iterator[Run]:
    """FedAvg and CGSV on MNIST with another candidate, nearly as good on the validation
    set: does who is ahead hang on the choice?"""
    for seed in (0, 1, 2):
        for column in plan.MNIST_10:
            for method in ("fedavg", "cgsv-beta1"):
                found = run(column, method, seed, "another")
                yield found._replace(settings=with_choice(found.settings, ANOTHER))


def long_training() -> Iterator[Run]:
    """When is accuracy taken? FedAvg with 120 local epochs in 40, 12 or 4 rounds: the
    longer agents train by themselves, the more are they as if alone."""
    for column in plan.MNIST_10[:2]:
        for epochs in (3, 10, 30):
            usual = run(column, "fedavg", 0).settings
            local = replace(usual.local, epochs=epochs)
            yield Run(f"authors/{column.name}-fedavg-epochs{epochs}-seed0.json",
                      replace(usual, rounds=120 // epochs, local=local))


def shards() -> Iterator[Run]:
    """What 600 and 2,000 images an agent reach alone on CIFAR-10, CLA."""
    for size in (600, 2000):
        found = plan.run(Column("cifar10", 10, "cla"), "standalone", 0, size=size)
        yield found._replace(file=f"authors/cifar10-10-cla-standalone-size{size}.json")
