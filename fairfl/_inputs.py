"""What a federation is given. All that does not fit is refused here, in one sentence
that names the agent, the set or the argument."""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fairfl import _outputs, _reading, vectors
from fairfl._outputs import Set
from fairfl.attacks import Attack
from fairfl.mechanisms.base import Mechanism
from fairfl.partition import Agent
from fairfl.training import LocalTraining, check_batches, check_functions

LACKS = "only a classifier has; for others pass LocalTraining(accuracy=...)"


def agents(given: Iterable[Any], device: str | torch.device, local: LocalTraining
           ) -> list[Agent]:
    """Agents with tensors on the device: numpy arrays are copied, keys become text,
    Datasets and DataLoaders are read. ValueError if one is not Agent(key, x, y) or
    Agent(key, dataset), or a key comes twice."""
    made: list[Agent] = []
    for i, item in enumerate(given):
        if not isinstance(item, tuple) or len(item) not in (2, 3, 4):
            raise ValueError(
                f"agents[{i}] must be Agent(key, x, y) with all samples in one tensor "
                "or numpy array, or Agent(key, data) with a Dataset or DataLoader, not "
                f"a {type(item).__name__}")
        agent = Agent(*item)
        if isinstance(agent.key, bool) or not isinstance(agent.key, str | Integral):
            raise ValueError(f"agents[{i}]: a key must be text, not {agent.key!r}")
        name = f"agent {agent.key!r}"
        if _reading.is_data(agent.x):
            if agent.y is not None or agent.true_y is not None:
                raise ValueError(f"{name}: the labels are those of the "
                                 f"{type(agent.x).__name__}; give no others beside it")
            agent = Agent(agent.key, *_reading.read(name, agent.x, local))
        x = _tensor(f"{name}: samples", agent.x, device)
        y = _labels(f"{name}: labels", agent.y, device)
        true = y if agent.true_y is None else _labels(name, agent.true_y, device)
        made.append(Agent(str(agent.key), x, y, true))
    keys = [agent.key for agent in made]
    if not keys:
        raise ValueError("a federation needs at least one agent")
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise ValueError("agents' keys must be unique; "
                         f"{', '.join(map(repr, twice))} occurs more than once")
    return made


def pair(name: str, given: Any,
         device: str | torch.device) -> tuple[Tensor, Tensor] | None:
    """(x, y) as tensors on the device, of a Dataset or DataLoader, too; ValueError if
    something else is given."""
    if given is None:
        return None
    if _reading.is_data(given):
        given = _reading.read(name, given)
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise ValueError(f"{name} must be a pair (x, y), not a {type(given).__name__}")
    return (_tensor(f"{name}: samples", given[0], device),
            _labels(f"{name}: labels", given[1], device))


def _tensor(name: str, x: Any, device: str | torch.device) -> Tensor:
    if isinstance(x, np.ndarray) and x.dtype.kind in "biuf":
        x = torch.from_numpy(np.array(x))
    if not isinstance(x, Tensor) or x.ndim == 0:
        raise ValueError(f"{name} must be one tensor or numpy array, not a "
                         f"{type(x).__name__}")
    x = x.detach().to(device)
    return x.clone() if x.is_inference() else x  # autograd takes none of those


def _labels(name: str, y: Any, device: str | torch.device) -> Tensor:
    """Whole numbers of any kind become int64."""
    y = _tensor(name, y, device)
    other = y.is_floating_point() or y.is_complex() or y.dtype == torch.bool
    return y if other else y.long()


def check(module: nn.Module, agents: Sequence[Agent], mechanism: Mechanism,
          local: LocalTraining, sets: Mapping[str, tuple[Tensor, Tensor] | None],
          buffers: str | None, own_loop: bool) -> tuple[int, str | None]:
    """The number of classes, 0 without a classifier; and why losses and accuracies
    cannot be taken, if so. With a loss of its own, or an `own_loop`, a function that
    trains, network and labels may be others than a classifier's. `sets`: "test" and
    "validation".

    Raises:
        ValueError: agents, network, sets or settings do not fit each other.
    """
    dtype, names = vectors.flatten(module).dtype, vectors.buffer_names(module)
    if names and buffers not in ("local", "shared"):
        raise ValueError(
            f"the network has buffers that training changes ({', '.join(names)}); say "
            f"how they are treated: buffers='local' or 'shared', not {buffers!r}")
    if local.precision and dtype != torch.float32:
        raise ValueError(f"precision={local.precision!r} needs a network in float32: "
                         f"torch's autocast leaves {dtype} as it is")
    if "accuracy" in mechanism.needs and sets["validation"] is None:
        raise ValueError(f"{type(mechanism).__name__} needs a validation set: pass "
                         "validation=(x, y)")
    named = [(f"agent {agent.key!r}", agent.x, agent.y) for agent in agents]
    named += [(name, *pair) for name, pair in sets.items() if pair]
    _check_samples(named, dtype)
    classes, unmeasured = _classes(module, named, local, own_loop)
    if "accuracy" in mechanism.needs and local.accuracy is None and not classes:
        raise ValueError(f"{type(mechanism).__name__} needs an accuracy, which {LACKS}")
    if not own_loop:
        check_batches(module, agents, local)
        if local.custom:
            check_functions(module, agents, local)
    return classes, unmeasured


def _classes(module: nn.Module, named: Sequence[Set], local: LocalTraining,
             own_loop: bool) -> tuple[int, str | None]:
    """The number of classes, or 0, and why losses cannot be taken, if so."""
    if local.loss:
        for name, _, y in named:
            if not y.isfinite().all():
                raise ValueError(f"{name}: the labels hold NaN or infinite values")
    if local.loss or local.accuracy:
        _outputs.check(module, named, local.loss, local.accuracy)
    try:
        return _outputs.classes(module, named), None
    except ValueError as error:
        if local.loss:
            return 0, None
        if own_loop and isinstance(error, _outputs.NotAClassifier):
            return 0, str(error)
        raise


def check_attacks(attacks: Mapping[str, Attack], keys: Sequence[str]) -> None:
    """ValueError unless each attack is an agent's that can carry it out."""
    for key, attack in attacks.items():
        if key not in keys:
            raise ValueError(f"there is no agent {key!r} to cheat; known are "
                             f"{', '.join(map(repr, keys))}")
        attack.check(key, tuple(keys))


def _check_samples(sets: Sequence[Set], dtype: torch.dtype) -> None:
    """ValueError unless each set, (its name, x, y), holds finite samples of the
    network's dtype or of whole numbers, and a label for each."""
    for name, x, y in sets:
        if len(x) == 0:
            raise ValueError(f"{name} holds no samples")
        if len(x) != len(y):
            raise ValueError(f"{name}: {len(x)} samples do not fit labels of shape "
                             f"{tuple(y.shape)}")
        if (x.is_floating_point() or x.is_complex()) and x.dtype != dtype:
            raise ValueError(f"{name}: samples are {x.dtype}, the network is {dtype}")
        if not x.isfinite().all():
            raise ValueError(f"{name}: the samples hold NaN or infinite values")
