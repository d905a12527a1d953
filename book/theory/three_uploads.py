"""Three uploads of six numbers, on which the chapter "The competition" follows each
method by hand: hospitals A and B with right labels, and C, whose labels are right or
half of them wrong."""

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor

from fairfl import rewards
from fairfl.mechanisms.base import Mechanism, Round, Setting, State, Step

NAMES, SIZES = ("A", "B", "C"), (160, 40, 160)
ROUND, LR, GAMMA = 20, 0.2, 0.5
C = {"half wrong": (-0.1, 0.2, 0.1, -0.2, 0.0, 0.3),  # what C uploads
     "right": (0.3, 0.3, 0.2, 0.1, 0.1, -0.1)}
LOSSES = {"half wrong": (0.5, 0.6, 1.6), "right": (0.5, 0.6, 0.5)}
# Accuracy on the validation set of the models of nobody, C, B, BC, A, AC, AB, ABC
WORTH = {"half wrong": (0.80, 0.72, 0.82, 0.78, 0.84, 0.80, 0.86, 0.82),
         "right": (0.80, 0.84, 0.82, 0.85, 0.84, 0.87, 0.86, 0.88)}
# What the methods with a memory have kept from 19 rounds: r, reputation, sum of values
MEMORY = {"half wrong": {"r": (0.42, 0.38, 0.2), "c": (0.36, 0.34, 0.3),
                         "ci": (0.3, 0.12, 0.02)},
          "right": {"r": (0.35, 0.3, 0.35), "c": (0.34, 0.32, 0.34),
                    "ci": (0.2, 0.1, 0.2)}}


def setting() -> Setting:
    """The six numbers are the last layer of a network: two classes, two units."""
    return Setting.of(NAMES, 6, SIZES, blocks=(slice(0, 4), slice(4, 6)))


def uploads(labels: str = "half wrong") -> Tensor:
    """(3, 6): of A, of B, and of C with these labels."""
    return torch.tensor([[0.4, 0.3, 0.2, 0.1, 0.0, 0.1],
                         [0.2, 0.2, 0.1, 0.0, -0.1, 0.0], C[labels]],
                        dtype=torch.float64)


def worth(models: Tensor, updates: Tensor, values: Sequence[float]) -> Tensor:
    """The accuracy of models, (M, 6) -> (M,): each is the coalition whose mean update
    has its direction."""
    shares = setting().size_shares
    groups = torch.tensor(list(product((0.0, 1.0), repeat=3)), dtype=torch.float64)
    whole = groups * shares @ rewards.normalise(updates, 1.0)
    likeness = rewards.normalise(models, 1.0) @ rewards.normalise(whole, 1.0).T
    found = torch.where(models.norm(dim=1) > 0, likeness.argmax(1), 0)
    return torch.tensor(values, dtype=torch.float64)[found]


def remembered(mechanism: Mechanism, labels: str) -> State:
    """The state of a mechanism before the round."""
    state = mechanism.init(setting())
    kept = MEMORY[labels] | dict.fromkeys(("weights", "average"), MEMORY[labels]["r"])
    known = {name: torch.tensor(values, dtype=torch.float64)
             for name, values in kept.items() if name in state}
    return {**state, **known}


def one_round(mechanism: Mechanism, labels: str = "half wrong") -> Step:
    """What a server with this mechanism does with the three uploads in round 20."""
    updates = uploads(labels)
    nothing = torch.zeros_like(updates)
    seen = Round(ROUND, LR, GAMMA, updates, nothing, nothing[0],
                 lambda: torch.tensor(LOSSES[labels], dtype=torch.float64),
                 lambda models: worth(models, updates, WORTH[labels]))
    return mechanism.apply(remembered(mechanism, labels), seen, setting())[1]
