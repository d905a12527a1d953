"""fairfl: fair rewards in collaborative machine learning, the library behind the book.

In the order of the paper (Xu et al., NeurIPS 2021). Each equation has one body:

    eq. (1)    the aggregate u_N                       `rewards.normalise`, `rewards.aggregate`
    Sec. 3.2   the Shapley value of any game           `shapley.exact`, `sampling.sampled`
    eq. (2)    the cosine gradient Shapley value phi   `cgsv.exact`
    eq. (3)    its approximation psi = cos(u_i, u_N)   `cgsv.cosine`
    Theorem 1  how far psi is from phi                 `approximation`
    eq. (4)    the importance coefficients r           `rewards.importance`
    eq. (5)    the quota q and the sparsified reward   `rewards.quality`, `downloads`
    Sec. 3.4   a round of the whole mechanism          `mechanisms.CGSV`
               the loop around it                      `federation.Federation`
    Sec. 4     data, partitions, baselines, metrics    `datasets`, `partition`, `mechanisms`, `metrics`

`runs` describes a run as plain data and records it; `presets` holds the paper's text and its published code as
settings; `attacks` are agents that cheat; `theory` is what single chapters prove with. A module is loaded when it is
first used, so that `import fairfl` costs nothing.
"""

from importlib import import_module

__version__ = "0.1.0"
__all__ = [
    "shapley", "sampling", "games", "cgsv", "approximation", "rewards", "downloads",
    "mechanisms", "attacks", "federation", "history", "probes", "evaluation", "metrics", "schedules",
    "training", "models", "vectors", "datasets", "partition", "randomness",
    "runs", "presets", "figures", "theory",
]


def __getattr__(name: str):
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; its modules are {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
