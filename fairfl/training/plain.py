"""Local training as one would write it down: one agent after another, one step after another.

The book shows this form, and faster ones are tested against it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fairfl import vectors
from fairfl.partition import Agent
from fairfl.randomness import generator, seeded
from fairfl.training.local import LocalTraining

OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}


def train(
    module: nn.Module,
    models: Tensor,
    buffers: Tensor,
    agents: Sequence[Agent],
    local: LocalTraining,
    t: int,
    seed: int,
) -> tuple[Tensor, Tensor]:
    """The updates Delta w_i of all agents in round t, Sec. 3.1.

    Args:
        module: the network; its parameters are overwritten.
        models: (N, D), row i is w_{i,t-1}, where agent i starts.
        buffers: (N, B), each agent's buffers (running statistics); B = 0 for most networks.
        agents: N agents with data on the module's device.
        local: the settings.
        t: the round, 1, 2, ...
        seed: of the run; each agent draws from a generator of its own, derived from (seed, its key, t).

    Returns:
        (N, D) updates and (N, B) buffers after training; the arguments stay as they are.
    """
    updates, trained_buffers = torch.empty_like(models), buffers.clone()
    module.train()
    for i, agent in enumerate(agents):
        vectors.load(module, models[i])
        vectors.load_buffers(module, buffers[i])
        with seeded(seed, "layers", agent.key, t):  # for layers that draw from torch's global generator
            descend(module, agent, local, t, seed)
        updates[i] = vectors.flatten(module) - models[i]
        trained_buffers[i] = vectors.buffers(module)
    return updates, trained_buffers


def descend(
    module: nn.Module, agent: Agent, local: LocalTraining, t: int, seed: int, fused: bool | None = None
) -> None:
    """One agent's round of training, in place; `fused` asks for torch's faster form of the optimizer.

    A network with a method ``noise(samples, generator)`` gets its random numbers of each step (dropout masks) from
    there, as second argument of its forward pass.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimizer = OPTIMIZERS[local.optimizer](parameters, lr=local.rate(t), fused=fused)
    batches, noise = generator(seed, "batches", agent.key, t), generator(seed, "noise", agent.key, t)
    for epoch, indices in local.batches(len(agent.x), batches):
        optimizer.param_groups[0]["lr"] = local.rate(t, epoch)
        indices = indices.to(agent.x.device)
        inputs = [agent.x[indices]]
        if hasattr(module, "noise"):
            inputs.append(module.noise(len(indices), noise).to(agent.x.device))
        with torch.autocast(agent.x.device.type, torch.bfloat16, enabled=local.precision == "bfloat16"):
            loss = nn.functional.cross_entropy(module(*inputs), agent.y[indices])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
