"""What a network does in training, found out on copies and on a sample or two."""

import copy
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from fairfl import vectors
from fairfl.models.methods import Noisy
from fairfl.partition import Agent
from fairfl.randomness import generator, seeded
from fairfl.schedules import Schedule
from fairfl.training import plain, stacked
from fairfl.training.local import LocalTraining


def flops(module: nn.Module, x: Tensor) -> int:
    """Floating point operations of a forward pass on one sample of x; those of products
    and convolutions count."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        copy.deepcopy(module).eval()(_first(x, 2))
    return counter.get_total_flops() // 2


def draws_globally(module: nn.Module, agent: Agent, local: LocalTraining) -> bool:
    """Whether a step of training draws from torch's global generators, as
    `torch.nn.Dropout` does; tried on the agent's first sample."""
    states = [torch.get_rng_state]
    if agent.x.device.type == "cuda":
        states.append(torch.cuda.get_rng_state)
    with _forked(agent.x):
        before = [state() for state in states]
        if local.custom:
            _step(module, agent, local)
        else:
            _train_mode(module, _first(agent.x, 2))
        return not all(torch.equal(state(), old)
                       for state, old in zip(states, before, strict=True))


def stackable(module: nn.Module, agents: Sequence[Agent], local: LocalTraining) -> bool:
    """Whether stacked training gives what plain training gives: all samples have one
    shape, and two agents with two samples and one learn the same."""
    agent, trial = agents[0], copy.deepcopy(module)
    if any(other.x.shape[1:] != agent.x.shape[1:] for other in agents):
        return False
    pair = torch.arange(2, device=agent.y.device).clamp(max=len(agent.y) - 1)
    two = [Agent("1", agent.x[pair], agent.y[pair]),
           Agent("2", agent.x[:1], agent.y[:1])]
    models = vectors.flatten(trial).repeat(2, 1)
    buffers = vectors.buffers(trial).repeat(2, 1)
    if callable(local.optimizer) or local.augment:
        return False
    local = LocalTraining(lr=Schedule(1.0), batch_size=None, loss=local.loss)
    try:
        expected, found = (train(trial, models, buffers, two, local, 1, 0)[0]
                           for train in (plain.train, stacked.train))
    except Exception:  # whatever the network does that torch.func cannot
        return False
    return bool((found - expected).norm() <= 1e-2 * expected.norm())


def check_batches(module: nn.Module, agents: Sequence[Agent], local: LocalTraining
                 ) -> None:
    """ValueError if an agent comes to a batch of one sample, and the network cannot
    train on one; each shape of samples and each number of them is tried once."""
    tried: dict[torch.Size, Exception | None] = {}
    smallest: dict[int, int] = {}
    for agent in agents:
        n, shape = len(agent.x), agent.x.shape[1:]
        if n not in smallest:
            smallest[n] = min(len(i) for _, i in local.batches(n, torch.Generator()))
        if smallest[n] > 1:
            continue
        if shape not in tried:
            tried[shape] = _refusal(module, agent.x)
        if error := tried[shape]:
            ways = "; LocalTraining(last_batch='merge') or 'drop' avoids it"
            raise ValueError(
                f"agent {agent.key!r}: of {n} samples in batches of {local.batch_size} "
                "one is left over, on which alone the network cannot train "
                f"({error}){ways if n > 1 else ''}") from error


def check_functions(module: nn.Module, agents: Sequence[Agent], local: LocalTraining
                    ) -> None:
    """ValueError if augmentation, or a step with functions of one's own, fails on an
    agent's first sample; each shape of samples is tried once."""
    for agent in {agent.x.shape[1:]: agent for agent in reversed(agents)}.values():
        name = f"agent {agent.key!r}"
        if local.augment:
            one, other = (_augmented(agent.x, local.augment) for _ in range(2))
            if not isinstance(one, Tensor) or one.shape[:1] != (8,):
                raise ValueError(f"{name}: augment must give a tensor with as many "
                                 "samples as it gets")
            if not torch.equal(one, other):
                raise ValueError(f"{name}: augment must draw from its generator alone; "
                                 "of the same samples it made others")
        try:
            with _forked(agent.x):
                _step(module, agent, local)
        except Exception as error:
            raise ValueError(f"{name}: a step of training fails: {error}") from error


def _augmented(x: Tensor, augment: Callable[..., Tensor]) -> Tensor:
    """What becomes of the first sample eight times."""
    with seeded(0, "augment"):
        return augment(_first(x, 8), generator(0, "augment"))


def _step(module: nn.Module, agent: Agent, local: LocalTraining) -> None:
    """One step of a copy, on the agent's first sample twice."""
    two = Agent(agent.key, _first(agent.x, 2), _first(agent.y, 2))
    once = replace(local, epochs=1, batch_size=None)
    plain.descend(copy.deepcopy(module).train(), two, once, 1, 0)


def _refusal(module: nn.Module, x: Tensor) -> Exception | None:
    """What the network raises on a single sample in training mode, but not on two."""
    with _forked(x):
        _train_mode(module, _first(x, 2))
        try:
            _train_mode(module, _first(x, 1))
        except Exception as error:
            return error
    return None


@torch.no_grad()
def _train_mode(module: nn.Module, x: Tensor) -> None:
    trial, inputs = copy.deepcopy(module).train(), [x]
    if isinstance(module, Noisy):
        inputs.append(module.noise(len(x), torch.Generator()).to(x.device))
    trial(*inputs)


def _forked(x: Tensor) -> AbstractContextManager[None]:
    """Puts the global generators of the CPU and of x's device back afterwards."""
    return torch.random.fork_rng(devices=[x.device] if x.device.type == "cuda" else [])


def _first(x: Tensor, times: int) -> Tensor:
    """The first sample of x several times, a copy."""
    return x[:1].repeat(times, *[1] * (x.ndim - 1))
