"""A federation of three agents on a strongly convex loss in which the better paid agent
ends with the larger loss. Chapter "Is it fair?"."""

import math
from typing import NamedTuple

import torch
from scipy.optimize import brentq
from torch import Tensor

from fairfl.mechanisms import CGSV
from fairfl.mechanisms.base import Round, Setting

START = torch.tensor([-1.0, -1.1], dtype=torch.float64)
TILTED = torch.tensor([[1.0, -0.9], [-0.9, 1.0]], dtype=torch.float64)
WANTED = (0.5, 0.32, 0.18)  # the coefficients that round 1 is to give


class Played(NamedTuple):
    """What the mechanism makes of two rounds."""

    r: Tensor  # (2, 3) after each round
    quotas: Tensor  # (2, 3)
    totals: Tensor  # (2, 2) the sum of each round
    before: Tensor  # (3,) distance to the server before round 2
    lengths: Tensor  # (3,) of the downloads of round 2
    models: Tensor  # (3, 2) at the end
    server: Tensor  # (2,) at the end


def loss(models: Tensor, matrix: Tensor = TILTED) -> Tensor:
    """F(w) = w^T A w / 2, (..., 2) -> (...)."""
    return ((models @ matrix) * models).sum(-1) / 2


def first_updates() -> Tensor:
    """Three unit vectors with psi_i proportional to `WANTED` whose sum, with equal
    weights, points from `START` to 0, (3, 2)."""
    def across(scale: float, r: float) -> float:
        return math.sqrt(1 - (scale * r) ** 2)

    # agents 1 and 2 lean to one side and agent 3 to the other, so that it cancels
    a, b, c = WANTED
    scale = float(brentq(lambda s: across(s, a) + across(s, b) - across(s, c),
                         1.9, 2.0))
    along = -START / START.norm()
    left = torch.stack([-along[1], along[0]])
    side = torch.tensor([across(scale, a), across(scale, b), -across(scale, c)],
                        dtype=torch.float64)
    wanted = torch.tensor(WANTED, dtype=torch.float64)
    return scale * wanted[:, None] * along + side[:, None] * left


def play() -> Played:
    """Round 1 brings the server from `START` to the minimum 0. In round 2 agent 3 still
    stands at `START`, since it got nothing, and uploads the same again, agent 2 what
    agent 3 does, agent 1 the opposite; as .5 = .32 + .18 nothing moves."""
    first = first_updates()
    second = first[2] * torch.tensor([[-1.0], [1.0], [1.0]], dtype=torch.float64)
    ones = torch.ones(3, dtype=torch.int64)
    setting = Setting(("1", "2", "3"), 2, sizes=ones, classes=ones,
                      blocks=(slice(0, 2),))
    mechanism = CGSV(beta=1.0)
    state = mechanism.init(setting)
    gamma = float(START.norm() / first.mean(0).norm())
    server, models, seen = START, START.repeat(3, 1), []
    for t, updates in ((1, first), (2, second)):
        before = (models - server).norm(dim=1)
        seen_by_it = Round(t, 0.1, gamma, updates, models, server,
                           None, None)  # type: ignore[arg-type]
        state, answer = mechanism.apply(state, seen_by_it, setting)
        v = torch.stack([answer.reward.row(i) for i in range(3)])
        server, models = server + answer.aggregate, models + v
        seen.append((answer.log["r"], answer.log["q"], answer.aggregate))
    r, quotas, totals = (torch.stack(part) for part in zip(*seen, strict=True))
    return Played(r, quotas, totals, before, v.norm(dim=1), models, server)
