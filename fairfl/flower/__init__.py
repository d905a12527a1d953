"""A federation on Flower (https://flower.ai): separate machines, real transport.

`FairStrategy` is the server, `client_app` a node; Flower does the rest. `book/flower`
is an example. Chapter "Beyond one machine".
"""

from importlib import import_module

try:
    import flwr  # noqa: F401
except ImportError as missing:
    raise ImportError("fairfl.flower needs Flower: install fairfl[flower], as in "
                      "pip install '.[flower]'") from missing

_HOME = {"FairStrategy": "strategy", "client_app": "client"}
__all__ = ["FairStrategy", "client_app"]


def __getattr__(name: str):  # a node imports nothing of the server
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
