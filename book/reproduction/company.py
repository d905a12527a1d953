"""Who is right has company: five agents on digits, one to four with mostly wrong
labels, for the chapter "The whole mechanism". Does the server tell them apart?
"""

from dataclasses import replace

import torch

import fairfl
from book.reproduction import experiments, recording
from fairfl import datasets, runs
from fairfl.datasets import Data

AGENTS = 5
BAD = (1, 2, 3, 4)  # agents with wrong labels, the first ones
WRONG = 0.6  # of their labels
SEEDS = (0, 1, 2)
ROUNDS = 30


def measure(data: Data, bad: int, seed: int) -> dict[str, list[float]]:
    """"r" at the end, "psi" averaged over the rounds, "accuracy" at the end in percent,
    of each agent."""
    noise = (WRONG,) * bad + (0.0,) * (AGENTS - bad)
    settings = replace(experiments.label_noise("digits", seed), label_noise=noise)
    fed = runs.federation(settings, data)
    psi = []
    for snapshot in fed.rounds(ROUNDS):
        psi.append(snapshot.step.log["psi"])
    accuracy = 100 * fed.evaluate(snapshot.models, *fed.test)[1]
    found = {"r": snapshot.step.log["r"], "psi": torch.stack(psi).mean(0),
             "accuracy": accuracy}
    digits = {"accuracy": 1}
    return {name: values.double().round(decimals=digits.get(name, 3)).tolist()
            for name, values in found.items()}


def record() -> dict:
    """The runs by "agents with wrong labels/seed", as plain data."""
    data = datasets.load("digits")
    return {"versions": {"fairfl": fairfl.__version__}, "data": data.sha256,
            "agents": AGENTS, "wrong": WRONG, "rounds": ROUNDS, "seeds": SEEDS,
            "runs": {f"{bad}/{seed}": measure(data, bad, seed)
                     for bad in BAD for seed in SEEDS}}


command = recording.command(
    "company", "Wrong labels of one to four agents of five.", lambda: record())
