"""Local training of all agents at once, step by step: for small networks, and for GPUs.

One forward and one backward pass serve the models of all agents, each on a batch of its
own. On a GPU all draws of a round move there once, before the first step, and nothing
comes back.
"""

import copy
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.utils.rnn import pad_sequence

from fairfl import vectors
from fairfl._parallel import spread
from fairfl.models.methods import Noisy, Stacked
from fairfl.partition import Agent
from fairfl.randomness import generator
from fairfl.training.local import LocalTraining

# Samples in work at a time, in the batches of some agents together. On a CPU each core
# works on agents of its own, because a small network's operations are too short to be
# shared out; elsewhere the number bounds the memory.
SAMPLES, SAMPLES_ELSEWHERE = 160, 2048
PARAMETERS = 1 << 18  # of the agents in work together on a CPU, which bounds the memory


def train(module: nn.Module, models: Tensor, buffers: Tensor, agents: Sequence[Agent],
          local: LocalTraining, t: int, seed: int) -> tuple[Tensor, Tensor]:
    """The updates of all agents in round t, as `plain.train`.

    The network must be one that `torch.func` can stack and in which samples do not see
    each other: no buffers, no BatchNorm, no operation whose result's shape depends on
    the data, no draws from torch's global generators; and all agents' samples have one
    shape. `fairfl.training.choose` tries that out.

    Raises:
        ValueError: the network has buffers; augmentation, an optimizer of one's own, or
            a loss that gives one number for all samples.
    """
    if local.augment or callable(local.optimizer):
        raise ValueError("augmentation or an optimizer of one's own cannot be stacked; "
                         "train with 'threads' or 'plain'")
    if buffers.shape[1]:
        raise ValueError("a network with buffers cannot be stacked; train it with "
                         "'threads' or 'plain'")
    module.train()
    updates = torch.empty_like(models)
    samples = SAMPLES if models.device.type == "cpu" else SAMPLES_ELSEWHERE
    batch = min(local.batch_size or samples, max(len(agent.y) for agent in agents))
    # The order decides which agents are stacked together: that of their sizes and keys,
    # whatever order they come in.
    order = sorted(range(len(agents)), key=lambda i: (-len(agents[i].y), agents[i].key))
    together = samples // batch
    if models.device.type == "cpu":
        together = min(together, PARAMETERS // models.shape[1])
    parts = torch.tensor(order).split(max(together, 1))

    def one(some: Tensor) -> None:
        # functional_call changes the network for a moment, which other threads would
        # see
        own = module if len(parts) == 1 else copy.deepcopy(module)
        trained = descend(own, models[some], [agents[i] for i in some], local, t, seed)
        updates[some] = trained.sub_(models[some])

    spread(one, parts, device=models.device)
    return updates, buffers.clone()


class Plan(NamedTuple):
    """All draws and learning rates of a round, a row a step, for agents that come
    largest first.

    A batch that is smaller than the others of its step is filled up with samples that
    have no share in the mean.
    """

    active: list[int]  # agents that take this step; they come first
    chosen: Tensor  # (steps, N, batch) in the samples of all agents in a row
    share: Tensor  # (steps, N, batch) of a sample in the mean loss: 1 / batch size or 0
    rate: Tensor  # (steps, N)
    noise: Tensor | None  # (steps, N, batch, ...)


def plan(module: nn.Module, agents: Sequence[Agent], local: LocalTraining, t: int,
         seed: int, dtype: torch.dtype) -> Plan:
    """The same draws as `plain.train`, on the agents' device."""
    rows = [list(local.batches(len(agent.y), generator(seed, "batches", agent.key, t)))
            for agent in agents]
    longest = max(len(chosen) for row in rows for _, chosen in row)
    shape = len(rows[0]), len(agents), longest
    index = torch.zeros(shape, dtype=torch.int64)
    share = torch.zeros(shape, dtype=dtype)
    rate = torch.zeros(shape[:2], dtype=dtype)
    noise, first = None, 0
    for i, (agent, row) in enumerate(zip(agents, rows, strict=True)):
        steps = len(row)
        filled = pad_sequence([chosen for _, chosen in row], batch_first=True)
        lengths = torch.tensor([[len(chosen)] for _, chosen in row])
        index[:, i] = first
        index[:steps, i, : filled.shape[1]] += filled
        share[:steps, i] = (torch.arange(shape[2]) < lengths) / lengths.to(dtype)
        rates = [local.rate(t, epoch) for epoch, _ in row]
        rate[:steps, i] = torch.tensor(rates, dtype=dtype)
        if isinstance(module, Noisy):
            draws = generator(seed, "noise", agent.key, t)
            parts = [module.noise(len(chosen), draws) for _, chosen in row]
            drawn = pad_sequence(parts, batch_first=True)
            if noise is None:
                noise = drawn.new_zeros(*shape, *drawn.shape[2:])
            noise[:steps, i, : drawn.shape[1]] = drawn
        first += len(agent.y)
    device = agents[0].x.device
    active = [sum(s < len(row) for row in rows) for s in range(shape[0])]
    return Plan(active, index.to(device), share.to(device), rate.to(device),
                None if noise is None else noise.to(device))


def forward(module: nn.Module, names: Sequence[str]) -> Callable[..., Tensor]:
    """The answers of N networks, given their parameters by name, (N, ...) each, and (N,
    n, ...) samples: (N, n, classes)."""
    whole = all(p.requires_grad for p in module.parameters())
    if whole and isinstance(module, Stacked):
        return module.stacked
    # Each weight under each of its names, but once for a layer that stands in two
    # places: left to itself `functional_call` does not put such a layer's weights back.
    given = {id(module.get_parameter(name)): name for name in names}
    places = [(f"{prefix}.{own}".lstrip("."), given[id(p)])
              for prefix, layer in module.named_modules()
              for own, p in layer._parameters.items() if id(p) in given]

    def one(weights: dict[str, Tensor], *inputs: Tensor) -> Tensor:
        placed = {place: weights[name] for place, name in places}
        return functional_call(module, placed, inputs, tie_weights=False)

    return vmap(one)


def descend(module: nn.Module, models: Tensor, agents: Sequence[Agent],
            local: LocalTraining, t: int, seed: int) -> Tensor:
    """The agents' models after local training, (N, D); agents come largest first."""
    layout = vectors.layout(module)
    steps = plan(module, agents, local, t, seed, models.dtype)
    x = torch.cat([agent.x for agent in agents])
    y = torch.cat([agent.y for agent in agents])
    stacks = [models[:, part].reshape(len(models), *shape).clone()
              for shape, part in zip(layout.shapes, layout.slices, strict=True)]
    kept = 2 if local.optimizer == "adam" else 0
    moments = [[torch.zeros_like(w) for _ in range(kept)] for w in stacks]
    optimizer: Callable[..., None] = _adam if local.optimizer == "adam" else _sgd
    answers, half = forward(module, layout.names), local.precision == "bfloat16"
    for s, active in enumerate(steps.active):
        weights = [w[:active].detach().requires_grad_() for w in stacks]
        chosen, share = steps.chosen[s, :active], steps.share[s, :active]
        noise = () if steps.noise is None else (steps.noise[s, :active],)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
            named = dict(zip(layout.names, weights, strict=True))
            outputs = answers(named, x[chosen], *noise)
            losses = local.losses(outputs.flatten(0, 1), y[chosen].flatten(0, 1))
        # The sum over agents: no agent's loss depends on another's weights.
        gradients = torch.autograd.grad(
            (losses * share.flatten()).sum(), weights, materialize_grads=True)
        for w, g, own in zip(stacks, gradients, moments, strict=True):
            rate = steps.rate[s, :active].view(-1, *[1] * (g.ndim - 1))
            optimizer(w[:active], g, rate, s + 1, *(moment[:active] for moment in own))
        del gradients, g  # before the next ones are made
    return torch.cat([w.reshape(len(models), w[0].numel()) for w in stacks], 1)


def _sgd(w: Tensor, g: Tensor, rate: Tensor, step: int) -> None:
    w.addcmul_(g, rate, value=-1)


def _adam(w: Tensor, g: Tensor, rate: Tensor, step: int, mean: Tensor, square: Tensor
         ) -> None:
    """Kingma and Ba (2015), Algorithm 1, with the constants of `torch.optim.Adam`."""
    mean.lerp_(g, 0.1)
    square.mul_(0.999).addcmul_(g, g, value=0.001)
    root = (square / (1 - 0.999**step)).sqrt_().add_(1e-8)
    w.addcdiv_(mean * rate / (1 - 0.9**step), root, value=-1)
