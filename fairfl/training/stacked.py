"""Local training of all agents at once, step by step: for small networks, and for GPUs.

One forward and one backward pass serve the models of all agents, each on a batch of its own. On a GPU all draws of a
round move there once, before the first step, and nothing comes back.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.utils.rnn import pad_sequence

from fairfl import vectors
from fairfl._parallel import spread
from fairfl.partition import Agent
from fairfl.randomness import generator
from fairfl.training.local import LocalTraining

# Samples in work at a time, in the batches of some agents together. On a CPU each core works on agents of its own,
# because a small network's operations are too short to be shared out; elsewhere the number bounds the memory.
SAMPLES, SAMPLES_ELSEWHERE = 160, 2048


def train(
    module: nn.Module,
    models: Tensor,
    buffers: Tensor,
    agents: Sequence[Agent],
    local: LocalTraining,
    t: int,
    seed: int,
) -> tuple[Tensor, Tensor]:
    """The updates of all agents in round t, as `plain.train`.

    The network must be one that `torch.func` can stack and in which samples do not see each other: no buffers, no
    BatchNorm, no operation whose result's shape depends on the data, no draws from torch's global generators.
    `fairfl.training.choose` tries that out.

    Raises:
        ValueError: the network has buffers.
    """
    if buffers.shape[1]:
        raise ValueError("a network with buffers cannot be stacked; train it with 'threads' or 'plain'")
    module.train()
    updates = torch.empty_like(models)
    samples = SAMPLES if models.device.type == "cpu" else SAMPLES_ELSEWHERE
    batch = min(local.batch_size or samples, max(len(agent.y) for agent in agents))
    # The order decides which agents are stacked together: that of their sizes and keys, whatever order they come in.
    order = sorted(range(len(agents)), key=lambda i: (-len(agents[i].y), agents[i].key))

    parts = torch.tensor(order).split(max(samples // batch, 1))

    def together(some: Tensor) -> None:
        # functional_call changes the network for a moment, which other threads would see
        own = module if len(parts) == 1 else copy.deepcopy(module)
        trained = descend(own, models[some], [agents[i] for i in some], local, t, seed)
        updates[some] = trained - models[some]

    spread(together, parts, device=models.device)
    return updates, buffers.clone()


class Plan(NamedTuple):
    """All draws and learning rates of a round, a row a step, for agents that come largest first.

    A batch that is smaller than the others of its step is filled up with samples that have no share in the mean.
    """

    active: list[int]  # agents that take this step; they come first
    index: Tensor  # (steps, N, batch) in the samples of all agents in a row
    share: Tensor  # (steps, N, batch) of a sample in the mean loss: 1 / the batch's size or 0
    rate: Tensor  # (steps, N)
    noise: Tensor | None  # (steps, N, batch, ...)


def plan(
    module: nn.Module, agents: Sequence[Agent], local: LocalTraining, t: int, seed: int, dtype: torch.dtype
) -> Plan:
    """The same draws as `plain.train`, on the agents' device."""
    rows = [list(local.batches(len(agent.y), generator(seed, "batches", agent.key, t))) for agent in agents]
    shape = len(rows[0]), len(agents), max(len(indices) for row in rows for _, indices in row)
    index, share = torch.zeros(shape, dtype=torch.int64), torch.zeros(shape, dtype=dtype)
    rate, noise, first = torch.zeros(shape[:2], dtype=dtype), None, 0
    for i, (agent, row) in enumerate(zip(agents, rows, strict=True)):
        steps, filled = len(row), pad_sequence([indices for _, indices in row], batch_first=True)
        lengths = torch.tensor([[len(indices)] for _, indices in row])
        index[:, i] = first
        index[:steps, i, : filled.shape[1]] += filled
        share[:steps, i] = (torch.arange(shape[2]) < lengths) / lengths.to(dtype)
        rate[:steps, i] = torch.tensor([local.rate(t, epoch) for epoch, _ in row], dtype=dtype)
        if hasattr(module, "noise"):
            draws = generator(seed, "noise", agent.key, t)
            drawn = pad_sequence([module.noise(len(indices), draws) for _, indices in row], batch_first=True)
            noise = drawn.new_zeros(*shape, *drawn.shape[2:]) if noise is None else noise
            noise[:steps, i, : drawn.shape[1]] = drawn
        first += len(agent.y)
    device = agents[0].x.device
    active = [sum(s < len(row) for row in rows) for s in range(shape[0])]
    return Plan(active, *(part if part is None else part.to(device) for part in (index, share, rate, noise)))


def descend(
    module: nn.Module, models: Tensor, agents: Sequence[Agent], local: LocalTraining, t: int, seed: int
) -> Tensor:
    """The agents' models after local training, (N, D); agents come largest first."""
    layout, steps = vectors.layout(module), plan(module, agents, local, t, seed, models.dtype)
    x, y = torch.cat([agent.x for agent in agents]), torch.cat([agent.y for agent in agents])
    places = zip(layout.shapes, layout.slices, strict=True)
    stacks = [models[:, part].reshape(-1, *shape).clone() for shape, part in places]
    moments = [[torch.zeros_like(w) for _ in range(2 if local.optimizer == "adam" else 0)] for w in stacks]
    optimizer = {"sgd": _sgd, "adam": _adam}[local.optimizer]
    forward = vmap(lambda weights, *inputs: functional_call(module, weights, inputs))
    if hasattr(module, "stacked") and all(p.requires_grad for p in module.parameters()):
        forward = module.stacked
    for s, active in enumerate(steps.active):
        weights = [w[:active].detach().requires_grad_() for w in stacks]
        chosen = steps.index[s, :active]
        noise = () if steps.noise is None else (steps.noise[s, :active],)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=local.precision == "bfloat16"):
            logits = forward(dict(zip(layout.names, weights, strict=True)), x[chosen], *noise)
            losses = nn.functional.cross_entropy(logits.flatten(0, 1), y[chosen].flatten(), reduction="none")
        # The sum over agents: no agent's loss depends on another's weights.
        gradients = torch.autograd.grad((losses * steps.share[s, :active].flatten()).sum(), weights)
        for w, g, own in zip(stacks, gradients, moments, strict=True):
            rate = steps.rate[s, :active].view(-1, *[1] * (g.ndim - 1))
            optimizer(w[:active], g, rate, s + 1, *(moment[:active] for moment in own))
    return torch.cat([w.reshape(len(models), -1) for w in stacks], 1)


def _sgd(w: Tensor, g: Tensor, rate: Tensor, step: int) -> None:
    w.addcmul_(g, rate, value=-1)


def _adam(w: Tensor, g: Tensor, rate: Tensor, step: int, mean: Tensor, square: Tensor) -> None:
    """Kingma and Ba (2015), Algorithm 1, with the constants of `torch.optim.Adam`."""
    mean.lerp_(g, 0.1)
    square.mul_(0.999).addcmul_(g, g, value=0.001)
    w.addcdiv_(mean * rate / (1 - 0.9**step), (square / (1 - 0.999**step)).sqrt_().add_(1e-8), value=-1)
