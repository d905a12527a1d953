"""fairfl: fair rewards in collaborative machine learning, the library behind the book.

The modules follow the paper (Xu et al., NeurIPS 2021): `rewards` holds eqs. (1), (4) and (5), `cgsv` eqs. (2) and (3),
`mechanisms` what a server may do with the agents' updates, `federation` the loop. A module is loaded when it is
first used, so that `import fairfl` costs nothing.
"""

from importlib import import_module
from pkgutil import iter_modules

__version__ = "0.1.0"
__all__ = sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))


def __getattr__(name: str):
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; its modules are {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
