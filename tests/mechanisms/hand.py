"""Three agents with six parameters, worked out by hand, for the tests of mechanisms."""

import torch

from fairfl.mechanisms.base import Round, Setting

F64 = torch.float64
SETTING = Setting(
    keys=("1", "2", "3"), dimension=6, sizes=torch.tensor([1, 1, 4]),
    classes=torch.tensor([1, 1, 2]), blocks=(slice(0, 4), slice(4, 6)))
# Of lengths 2, 5 and 10; normalised to e1, -e2 and .6 e1 + .8 e3.
UPDATES = torch.tensor(
    [[2, 0, 0, 0, 0, 0], [0, -5, 0, 0, 0, 0], [6, 0, 8, 0, 0, 0]], dtype=F64)
# u_N = (e1 - e2 + 4 (.6 e1 + .8 e3)) / 6, and |u_N| = sqrt(22.8) / 6
TOTAL = torch.tensor([3.4, -1, 3.2, 0, 0, 0], dtype=F64) / 6
RAW = torch.tensor([26, -5, 32, 0, 0, 0], dtype=F64) / 6  # without normalising


def f64(*numbers):
    return torch.tensor(numbers, dtype=F64)


def normal(*shape, seed=0, dtype=F64):
    draws = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=dtype, generator=draws)


def losses_of(n):
    return torch.arange(1, n + 1, dtype=F64)


def first_entry(models):
    return models[:, 0]


def seen(updates=UPDATES, t=1, gamma=1.0, losses=None, accuracy=first_entry,
         models=None, server=None):
    """A round; unless told otherwise, models are 0, accuracy is their first entry."""
    n, d = updates.shape
    server = torch.zeros(d, dtype=updates.dtype) if server is None else server
    models = server.repeat(n, 1) if models is None else models
    losses = losses or (lambda: losses_of(n))
    return Round(t=t, lr=0.1, gamma=gamma, updates=updates, models=models,
                 server=server, losses=losses, accuracy=accuracy)


def step(mechanism, round=None, state=None, setting=SETTING):
    state = mechanism.init(setting) if state is None else state
    return mechanism.apply(state, round or seen(), setting)


def downloads(reward):
    return torch.stack([reward.row(i) for i in range(len(reward.kept))])


def crowd(n, dimension=6, dtype=F64):
    """n agents with 1 to n samples, and random updates."""
    setting = Setting(
        keys=tuple(map(str, range(1, n + 1))), dimension=dimension,
        sizes=torch.arange(1, n + 1), classes=torch.ones(n, dtype=torch.int64),
        blocks=(slice(0, dimension - 2), slice(dimension - 2, dimension)))
    return setting, normal(n, dimension, seed=n, dtype=dtype)


def curved(models):
    """An "accuracy" that is not linear in the model."""
    line = torch.linspace(-1, 1, models.shape[1], dtype=F64)
    return (models.double() @ line).sigmoid()
