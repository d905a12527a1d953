"""How much of a real sum's direction a mask keeps, for the chapter "Paying with
gradients": cos(mask(u, q), u) over q / D, for sums of updates of the label-noise runs.
"""

import torch
from torch import Tensor

import fairfl
from book.reproduction import experiments, recording
from fairfl import datasets, runs

DATASETS = ("digits", "mnist")
ROUNDS = (1, 10, 30)  # whose sums are kept
SEED = 0
POINTS = 200  # the k-th share is (k / POINTS)^2: dense where the curve is steep


def shares() -> Tensor:
    """The shares q / D at which a curve is recorded, from 0 to 1."""
    return (torch.arange(POINTS + 1, dtype=torch.float64) / POINTS).square()


def curve(u: Tensor) -> Tensor:
    """cos(mask(u, q), u) at each of `shares`; it is |mask(u, q)| / |u|."""
    squares = u.double().square().sort(descending=True).values
    energy = torch.cat([torch.zeros(1, dtype=torch.float64), squares.cumsum(0)])
    return (energy[(shares() * len(u)).long()] / energy[-1]).sqrt()


def record() -> dict:
    """The curves by "data set/round", as plain data."""
    curves, dimensions, data = {}, {}, {}
    for name in DATASETS:
        settings = experiments.label_noise(name, SEED)
        loaded = datasets.load(name)
        fed = runs.federation(settings, loaded)
        dimensions[name], data[name] = fed.layout.dimension, loaded.sha256
        for snapshot in fed.rounds(max(ROUNDS)):
            if snapshot.t in ROUNDS:
                found = curve(snapshot.step.aggregate)
                curves[f"{name}/{snapshot.t}"] = found.round(decimals=4).tolist()
    return {"versions": {"fairfl": fairfl.__version__}, "data": data, "seed": SEED,
            "rounds": ROUNDS, "dimension": dimensions, "points": POINTS,
            "curves": curves}


command = recording.command(
    "masks", "What masks keep of real sums of updates.", lambda: record(), "curves")
