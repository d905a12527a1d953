"""fairfl: fair rewards in collaborative machine learning, the library of the book.

In the order of the paper (Xu et al., NeurIPS 2021). Each equation has one body:

    eq. (1)    the aggregate u_N           `rewards.normalise`, `rewards.aggregate`
    Sec. 3.2   the Shapley value           `shapley.exact`, `sampling.sampled`
    eq. (2)    its cosine game, phi        `cgsv.exact`
    eq. (3)    psi = cos(u_i, u_N)         `cgsv.cosine`
    Theorem 1  how far psi is from phi     `approximation`
    eq. (4)    the coefficients r          `rewards.importance`
    eq. (5)    the quotas q                `rewards.quality`, `rewards.count`
               the rewards mask(u_N, q)    `downloads.Sparsified`
    Sec. 3.4   a round of all this         `mechanisms.CGSV`
               the loop around it          `federation.Federation`
               the same for your own loop  `server.Server`
    Sec. 4     data, baselines, measures   `datasets`, `partition`, `metrics`

What computes one of these another way is an oracle: `rewards.mask`, `cgsv.game`, and
`cgsv.psi` from the Gram matrix. `mechanisms.defences` and `book.theory` have eq. (3)
for other sums than u_N. When a sum cancels is the same everywhere, `cgsv.CANCELLED`.

`runs` describes a run as plain data and records it; `presets` holds the paper's text
and its published code as settings; `attacks` are agents that cheat. `fairfl.flower`
puts a federation on machines of its own. A module is loaded when it is first used, so
that `import fairfl` costs nothing.
"""

from importlib import import_module

__version__ = "0.1.0"
__all__ = [
    "shapley", "sampling", "games", "cgsv", "approximation", "rewards", "downloads",
    "mechanisms", "attacks", "federation", "history", "probes", "evaluation", "metrics",
    "schedules", "training", "models", "vectors", "datasets", "partition", "randomness",
    "runs", "presets", "figures", "server", "delivery", "participation",
]

_CLASSES = {"Server": "server", "Setting": "mechanisms.base"}


def __getattr__(name: str):
    if name in _CLASSES:
        return getattr(import_module(f"{__name__}.{_CLASSES[name]}"), name)
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; "
                         f"its modules are {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, *_CLASSES])
