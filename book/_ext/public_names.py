"""What the library and the theory offer, module by module; `api` documents it."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOMES = ("fairfl", "book.theory")  # what is documented
LEFT_OUT = ("fairfl.flower", "fairfl.commands")  # book/api/index.md says why


@cache
def module(name: str):
    return importlib.import_module(name)


@cache
def public(module_name: str) -> list[str]:
    """Names of the functions and classes that a module offers, in its own order: its
    own, those `imported as` themselves, and for a package those of its modules that it
    hands on."""
    here = module(module_name)
    handed_on = {alias.name
                 for node in ast.parse(inspect.getsource(here)).body
                 if isinstance(node, ast.ImportFrom)
                 for alias in node.names if alias.asname == alias.name}
    inside = module_name + "." if hasattr(here, "__path__") else None

    def belongs(name: str, found) -> bool:
        if (name.startswith("_") or not callable(found)
                or not (inspect.isclass(found) or inspect.isfunction(found))):
            return False
        home = found.__module__
        return (home == module_name or name in handed_on
                or bool(inside) and home.startswith(inside))

    return [name for name, found in vars(here).items() if belongs(name, found)]


@cache
def place(found) -> str:
    """The name under which an object is documented: the shortest one that is public."""
    home, name = found.__module__, found.__qualname__
    parts = home.split(".")
    for length in range(1, len(parts) + 1):
        above = ".".join(parts[:length])
        if (length > 1 and name in public(above)
                and getattr(module(above), name) is found):
            return f"{above}.{name}"
    return f"{home}.{name}"


def documented(module_name: str) -> list[str]:
    """The public names of a module that are not documented in the package above."""
    here = module(module_name)
    return [name for name in public(module_name)
            if place(getattr(here, name)) == f"{module_name}.{name}"
            or getattr(here, name).__module__.rpartition(".")[2].startswith("_")]


@cache
def look_up(dotted: str) -> str | None:
    module_name, _, name = dotted.rpartition(".")
    if not dotted.startswith(HOMES) or name.startswith("_") or "._" in dotted:
        return None
    try:
        found = getattr(module(module_name), name)
    except (ImportError, AttributeError, ValueError):
        return None
    if not (inspect.isclass(found) or inspect.isfunction(found)):
        return None
    if not found.__module__.startswith(HOMES):
        return None
    where = place(found)
    above = where.rpartition(".")[0]
    return where if where.rpartition(".")[2] in public(above) else None


def inside(name: str) -> list[str]:
    """A module, or a package and its modules, that have something to document."""
    return [found for found in modules()
            if (found == name or found.startswith(name + ".")) and documented(found)]


def modules() -> Iterator[str]:
    """All public modules."""
    for home in HOMES:
        for file in sorted(ROOT.joinpath(*home.split(".")).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts).removesuffix(".__init__")
            if (not any(part.startswith("_") for part in name.split("."))
                    and not name.startswith(LEFT_OUT)):
                yield name
