"""Which of the ways to train fits a network, a device and the agents' data."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from fairfl import vectors
from fairfl.partition import Agent
from fairfl.schedules import Schedule
from fairfl.training import plain, stacked, threads
from fairfl.training.local import LocalTraining

BACKENDS = {"plain": plain.train, "stacked": stacked.train, "threads": threads.train}
SMALL = 5e7  # floating point operations of a forward pass on a batch: about a millisecond for a step of a core


def choose(
    module: nn.Module, agents: Sequence[Agent], local: LocalTraining, backend: str = "auto"
) -> tuple[str, Callable]:
    """The name of a backend and its function, with the signature of `plain.train`.

    "auto" is "stacked" on a GPU, and on a CPU for small networks; "threads" on a CPU for others and for those that
    cannot be stacked; "plain" where neither works. It depends on sizes, not on measured times: the same federation
    always gets the same backend.

    Args:
        module: the network, on the device of the agents' data. It is tried on copies, and no generator is touched.
        backend: "auto", "plain", "stacked" or "threads".

    Raises:
        ValueError: an unknown name, or a backend that would not give what "plain" gives; the message says why.
    """
    if backend not in ("auto", *BACKENDS):
        raise ValueError(f"unknown backend {backend!r}; known are auto, {', '.join(BACKENDS)}")
    if backend == "auto":
        backend = _fitting(module, agents, local)
    elif backend != "plain" and draws_globally(module, agents[0].x):
        raise ValueError("the network draws from torch's global generator in training mode (dropout?), which agents "
                         f"trained with {backend!r} would share; use train='plain', or give the network a method "
                         "noise(samples, generator)")
    elif backend == "stacked" and not stackable(module, agents[0]):
        raise ValueError("the network cannot be stacked: it has buffers, lets samples see each other, or does what "
                         "torch.func cannot do; use train='threads' or 'plain'")
    return backend, BACKENDS[backend]


def _fitting(module: nn.Module, agents: Sequence[Agent], local: LocalTraining) -> str:
    x = agents[0].x
    if draws_globally(module, x):
        return "plain"
    if x.device.type != "cpu":
        return "stacked" if stackable(module, agents[0]) else "plain"
    samples = max(len(agent.y) for agent in agents)
    small = not hasattr(module, "restrict") and flops(module, x) * min(local.batch_size or samples, samples) <= SMALL
    return "stacked" if small and stackable(module, agents[0]) else "threads"


def flops(module: nn.Module, x: Tensor) -> int:
    """Floating point operations of a forward pass on one sample; those of products and convolutions count."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        copy.deepcopy(module).eval()(_pair(x))
    return counter.get_total_flops() // 2


def draws_globally(module: nn.Module, x: Tensor) -> bool:
    """Whether the network draws from torch's global generators in training mode, as `torch.nn.Dropout` does."""
    trial, inputs = copy.deepcopy(module).train(), [_pair(x)]
    if hasattr(module, "noise"):
        inputs.append(module.noise(2, torch.Generator()).to(x.device))
    state = torch.cuda.get_rng_state if x.device.type == "cuda" else torch.get_rng_state
    with torch.random.fork_rng(devices=[x.device] if x.device.type == "cuda" else []), torch.no_grad():
        before = state()
        trial(*inputs)
        return not torch.equal(state(), before)


def stackable(module: nn.Module, agent: Agent) -> bool:
    """Whether stacked training gives what plain training gives, tried on two agents with two samples and one."""
    trial = copy.deepcopy(module)
    pair = torch.arange(2, device=agent.y.device).clamp(max=len(agent.y) - 1)
    agents = [Agent("1", agent.x[pair], agent.y[pair]), Agent("2", agent.x[:1], agent.y[:1])]
    models, buffers = vectors.flatten(trial).repeat(2, 1), vectors.buffers(trial).repeat(2, 1)
    args = trial, models, buffers, agents, LocalTraining(lr=Schedule(1.0), batch_size=None), 1, 0
    try:
        expected, found = plain.train(*args)[0], stacked.train(*args)[0]
    except Exception:  # whatever the network does that torch.func cannot
        return False
    return bool((found - expected).norm() <= 1e-2 * expected.norm())


def _pair(x: Tensor) -> Tensor:
    """The first sample twice: BatchNorm refuses a single one."""
    return x[:1].expand(2, *x.shape[1:])
