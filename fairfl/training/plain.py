"""Local training as one would write it down: one agent after another, one step after
another.

The book shows this form, and faster ones are tested against it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fairfl import vectors
from fairfl.models.methods import Noisy
from fairfl.partition import Agent
from fairfl.randomness import generator, seeded
from fairfl.training.local import LocalTraining

OPTIMIZERS: dict[str, type[torch.optim.SGD | torch.optim.Adam]] = {
    "sgd": torch.optim.SGD, "adam": torch.optim.Adam,
}


def train(module: nn.Module, models: Tensor, buffers: Tensor, agents: Sequence[Agent],
          local: LocalTraining, t: int, seed: int) -> tuple[Tensor, Tensor]:
    """The updates Delta w_i of all agents in round t, Sec. 3.1.

    Args:
        module: the network; its parameters are overwritten.
        models: (N, D), row i is w_{i,t-1}, where agent i starts.
        buffers: (N, B), each agent's buffers (running statistics); B = 0 for most
            networks.
        agents: N agents with data on the module's device.
        local: the settings.
        t: the round, 1, 2, ...
        seed: of the run; each agent draws from a generator of its own, derived from
            (seed, its key, t).

    Returns:
        (N, D) updates and (N, B) buffers after training; the arguments stay as they
        are.
    """
    updates, trained_buffers = torch.empty_like(models), buffers.clone()
    module.train()
    for i, agent in enumerate(agents):
        vectors.load(module, models[i])
        vectors.load_buffers(module, buffers[i])
        # For layers that draw from torch's global generator
        with seeded(seed, "layers", agent.key, t):
            descend(module, agent, local, t, seed)
        updates[i] = vectors.flatten(module) - models[i]
        trained_buffers[i] = vectors.buffers(module)
    return updates, trained_buffers


def descend(module: nn.Module, agent: Agent, local: LocalTraining, t: int, seed: int,
            fused: bool | None = None) -> None:
    """One agent's round of training, in place; `fused` asks for torch's faster form of
    the optimizer.

    A network with a method ``noise(samples, generator)`` gets its random numbers of
    each step (dropout masks) from there, as second argument of its forward pass.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    start = local.rate(t)
    optimizer = _optimizer(local, parameters, start, fused)
    own = [group["lr"] for group in optimizer.param_groups]
    batches, noise, changes = (generator(seed, purpose, agent.key, t)
                               for purpose in ("batches", "noise", "augment"))
    half, device = local.precision == "bfloat16", agent.x.device
    for epoch, indices in local.batches(len(agent.x), batches):
        rate = local.rate(t, epoch)
        for group, first in zip(optimizer.param_groups, own, strict=True):
            group["lr"] = rate if first == start else rate * (first / start)
        indices = indices.to(device)
        inputs = [agent.x[indices]]
        if local.augment:
            inputs[0] = local.augment(inputs[0], changes)
        if isinstance(module, Noisy):
            inputs.append(module.noise(len(indices), noise).to(device))
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            loss = local.mean_loss(module(*inputs), agent.y[indices])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _optimizer(local: LocalTraining, parameters: list[nn.Parameter], rate: float,
               fused: bool | None) -> torch.optim.Optimizer:
    if callable(local.optimizer):
        return local.optimizer(parameters, lr=rate)
    return OPTIMIZERS[local.optimizer](parameters, lr=rate, fused=fused)
