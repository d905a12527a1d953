"""What the methods compute in a round beside the agents' training, counted. Chapter
"What fairness costs"."""

import math
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from fairfl import models
from fairfl.runs import recommended

PERMUTATIONS = 10  # of ECI beyond five agents
VALIDATION = 1000  # samples, as `partition.hold_out` takes at most


def evaluations(method: str, n: int) -> int:
    """K: models that the server tries on the validation set in one round."""
    if method == "cffl":
        return n
    if method == "eci":
        return 2**n if n <= 5 else 2 + PERMUTATIONS * (n - 1)
    return 2**n if method == "eci-all" else 0


def passes(method: str, n: int, D: int) -> float:
    """A: passes over a vector of length D; a sort counts as log2 D of them. For the
    exact value 2^n steps without vectors are among them."""
    pay = 4 * n + math.log2(D)  # lengths, sum, cosines or distances, masks; one sort
    if method in ("fedavg", "rr", "qffl"):
        return 2 * n
    if method == "cgsv-exact":
        return pay + n**2 / 2 + 2**n / D
    return pay + n * evaluations(method, n) * method.startswith("eci") - n * (
        method == "dw")


class Counts(NamedTuple):
    """Of one network and one sample: parameters, multiplications to answer it, and to
    train on it."""

    D: int
    f: float
    f_train: float


def overhead(method: str, n: int, counts: Counts, size: int,
             validation: int = VALIDATION, epochs: int = 1) -> float:
    """Operations beside training over those of training, in one round of n agents with
    `size` samples each."""
    D, f, f_train = counts
    tried = n * size if method == "qffl" else evaluations(method, n) * validation
    training = n * size * epochs * f_train
    return (tried * f + passes(method, n, D) * D) / training


def multiplications(dataset: str, known: dict) -> Counts:
    """Counted by PyTorch, for a sample or a sentence of the median length; `known`: the
    data set's entry in data/results/data.json."""
    name = recommended(dataset).model
    if "words" in known:
        sizes = {"vocabulary": known["words"]["training"] + 2,  # padding, unknown
                 "classes": len(known["training"])}
        module = models.build(name, 0, **sizes)
        words = known["words"]["lengths, training"][1]
        sample = torch.ones(1, words, dtype=torch.int64)
    else:
        module = models.build(name, 0)
        sample = torch.zeros(1, *known["shape"]).to(next(module.parameters()))
    with FlopCounterMode(display=False) as forward:
        module(sample)
    with FlopCounterMode(display=False) as both:
        module(sample).sum().backward()
    D = sum(parameter.numel() for parameter in module.parameters())
    # it counts a product and a sum as two
    return Counts(D, forward.get_total_flops() / 2, both.get_total_flops() / 2)
