"""The server's step, for the benchmark `engine`: random updates, layers of real
networks."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from book.reproduction.bench import reference
from book.reproduction.bench.cases import Case, Method, Options, compare
from fairfl import models, vectors
from fairfl.downloads import sparsify
from fairfl.mechanisms import CGSV
from fairfl.mechanisms.base import Round, Setting
from fairfl.randomness import generator

LOOP = "top-k for each agent and layer"


class Server(NamedTuple):
    """Whose layers the vector has, and how many times as fast as the loops the library
    should be."""

    settings: dict[str, int]  # of the network
    masks: float | None = None  # wanted of 20 agents' masks
    agents: int = 5  # of the whole step
    step: float | None = None  # wanted of it


SERVERS = {"mnist_cnn": Server({}, 10.0, 5, 15.0),
           "text_cnn, 2 132 words": Server({"vocabulary": 2_132, "classes": 5},
                                           40.0, 20, 40.0),
           "text_cnn, 20 131 words": Server({"vocabulary": 20_131, "classes": 2},
                                            20.0, 20, 40.0)}


def server(options: Options) -> Iterator[dict]:
    """Masks of all agents' downloads, added to their models; then the whole round of
    the server."""
    cases = {"digits_cnn": Server({})} if options.quick else SERVERS
    agents = 5 if options.quick else 20
    for name, case in cases.items():
        layers = vectors.layout(models.build(name.partition(",")[0], options.seed,
                                             torch.float32, **case.settings)).slices
        d, draw = layers[-1].stop, generator(options.seed, "bench", "server")
        total, held = torch.randn(d, generator=draw), torch.zeros(agents, d)
        quality = torch.linspace(0.3, 1, agents, dtype=torch.float64)

        def shared(held=held, total=total, quality=quality, **how) -> None:
            sparsify(total, quality, **how).add_to(held)

        def method(call: Callable, twin: str | None = None, wanted: float | None = None,
                   held=held) -> Method:
            return Method(call, twin, wanted,
                          lambda: (held.zero_(), call(), held.clone())[-1])

        size = f"{agents} agents, {d:,} parameters"
        yield from compare("server", Case(f"masks, {size}", "random numbers", {
            LOOP: method(partial(reference.reward, total, quality, layers, held)),
            "one sort a layer, ties kept": method(partial(shared, blocks=layers,
                                                          keep_ties=True), LOOP),
            "one stable argsort": method(partial(reference.ranked, total, quality,
                                                 held)),
            "one sort, ties kept": method(partial(shared, keep_ties=True)),
            "one sort, exactly q": method(shared, "one stable argsort", case.masks),
        }, 0.0), options)
        del held
        yield from compare("server", _whole_step(case, layers, draw), options)


def _whole_step(case: Server, layers: Sequence[slice], draw: torch.Generator) -> Case:
    d, agents, mechanism = layers[-1].stop, case.agents, CGSV()
    updates = 0.01 * (torch.randn(agents, d, generator=draw)
                      + torch.randn(d, generator=draw))
    held, ones = torch.zeros(agents, d), torch.ones(agents, dtype=torch.int64)
    setting = Setting(tuple(map(str, range(agents))), d, ones, ones, tuple(layers))
    round = Round(1, 0.1, 0.5, updates, held, held[0], lambda: None,
                  lambda models: None)

    def step() -> Tensor:
        found = mechanism.apply(mechanism.init(setting), round, setting)[1]
        found.reward.add_to(held)
        return found.log["psi"]

    return Case(f"whole step, {agents} agents, {d:,} parameters", "random numbers", {
        "agent by agent": Method(partial(reference.serve, updates, setting.size_shares,
                                         0.5, 1.0, layers, held)),
        "CGSV": Method(step, "agent by agent", case.step),
    }, 1e-3)  # the loop sums millions of terms in float32
