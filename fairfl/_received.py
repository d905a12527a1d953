"""What a server is sent: refused here, in one sentence that names the agent, or brought
into one shape."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fairfl import _arrays
from fairfl._uploads import UpdateError, fault
from fairfl.mechanisms.base import Setting

Keys = tuple[str, ...]


def vector(name: str, given: Any, dimension: int) -> Tensor:
    """`given` as a real vector (D,); ValueError, which calls it `name`."""
    try:
        found = _arrays.tensor(given, name)
    except TypeError as error:
        raise ValueError(f"{name} must be a vector, not {given!r}") from error
    if found.shape != (dimension,):
        raise ValueError(f"{name} has the shape {tuple(found.shape)}, not "
                         f"({dimension},)")
    return found


def read(updates: Any, present: Any, setting: Setting, t: int, bad: str,
         model: Tensor | None) -> tuple[Tensor, Tensor, dict[str, str]]:
    """The updates of the K who are present in round t, (K, D), who these are, (N,)
    bool, and why others were refused. They come in the precision of the server's model,
    or, where it has none, of the first of them. Errors: see `Server.step`."""
    keys, d = setting.keys, setting.dimension
    by_key = _by_key("updates", updates, keys)
    found: dict[str, Tensor] = {}
    refused: dict[str, str] = {}
    for key in _present(present, by_key, keys):
        try:
            found[key] = _update(key, by_key.get(key), d, t)
        except UpdateError as error:
            if bad == "raise":
                raise
            refused[key] = str(error)
    here = torch.tensor([key in found for key in keys])
    if here.all() and isinstance(updates, Tensor | np.ndarray):
        whole = _arrays.tensor(updates, "updates")
        return whole.to(whole if model is None else model), here, refused  # no copy
    like = model if model is not None else next(iter(found.values()), torch.empty(0))
    rows = [found[key].to(like) for key in keys if key in found]
    return torch.stack(rows) if rows else like.new_zeros(0, d), here, refused


def losses(given: Any, keys: Keys, here: Tensor) -> Callable[[], Tensor] | None:
    """The losses of those present, (K,) float64, as a `Round` holds them; None where
    none are given. ValueError, which names the agent, if one lacks or is no number."""
    if given is None:
        return None
    by_key, numbers = _by_key("losses", given, keys), []
    for key, there in zip(keys, here.tolist(), strict=True):
        if there:
            number = torch.as_tensor(by_key.get(key, torch.nan), dtype=torch.float64)
            if number.ndim or not number.isfinite():
                raise ValueError(f"losses must hold a finite number for agent {key!r}, "
                                 "who is present")
            numbers.append(number)
    found = torch.stack(numbers) if numbers else torch.empty(0, dtype=torch.float64)
    return lambda: found


def check_known(some: Iterable[str], keys: Keys) -> None:
    """ValueError unless all of these are agents' keys, and none comes twice."""
    left = dict.fromkeys(keys)
    for key in some:
        if key not in left:
            raise ValueError(f"agent {key!r} is named twice" if key in keys else
                             f"there is no agent {key!r}; known are "
                             f"{', '.join(map(repr, keys))}")
        del left[key]


def _update(key: str, given: Any, dimension: int, t: int) -> Tensor:
    if given is None:
        raise UpdateError(key, t, "is missing")
    try:
        update = vector("it", given, dimension)
    except ValueError as error:
        raise UpdateError(key, t, f"cannot be used: {error}") from error
    if what := fault(update):
        raise UpdateError(key, t, what)
    return update


def _by_key(name: str, given: Any, keys: Keys) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        if len(given) != len(keys):
            raise ValueError(f"{name} must hold a row for each of the {len(keys)} "
                             f"agents, not {len(given)}; or name them by their keys")
        given = dict(zip(keys, given, strict=True))
    check_known(given, keys)
    return given


def _present(given: Any, by_key: Mapping[str, Any], keys: Keys) -> Iterable[str]:
    if given is None:
        return by_key
    some = list(given.tolist() if hasattr(given, "tolist") else given)
    if all(isinstance(entry, bool) for entry in some) and some:
        if len(some) != len(keys):
            raise ValueError(f"present must hold True or False for each of the "
                             f"{len(keys)} agents, not {len(some)}")
        some = [key for key, here in zip(keys, some, strict=True) if here]
    check_known(some, keys)
    return some
