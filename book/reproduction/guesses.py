"""Cosines of opposite sign, for the chapter "What came after": what eight values give
the last of five agents for six uploads; two of them look both ways at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

import fairfl
from book.reproduction import recording
from fairfl import cgsv, datasets, mechanisms, rewards, runs
from fairfl.datasets import Data
from fairfl.mechanisms import CGSV, Mechanism, defences, fedce
from fairfl.mechanisms.base import Round, Setting
from fairfl.runs.recommendations import starting
from fairfl.runs.settings import Settings
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining

AGENTS, ROUNDS, SEEDS = 5, 30, (0, 1, 2, 3, 4)
FIRST = 6  # the first round whose values count
LOCAL = LocalTraining(lr=Schedule(0.1, 0.977), batch_size=16)
# What agent 5 does: the part of its labels that are wrong, and its attack
UPLOADS: dict[str, tuple[float, dict]] = {
    "honest": (0.0, {}),
    "wrong labels": (1.0, {}),
    "noise": (1.0, {"kind": "noise"}),
    **{at: (1.0, {"kind": "guess", "at": at}) for at in ("download", "both", "line")},
}


@dataclass(frozen=True)
class BothWays(CGSV):
    """CGSV with the value a_i (1 - s_i), s_i the cosine of an update and the sum of the
    others': who agrees counts, who only repeats the others does not.

    Ours: what `CGSV` pays for times what `FedCE` does. Logs as `CGSV`, with the product
    as phi.

    Args:
        others: a_i is s_i; else psi_i, which holds the update's own part in the sum.
    """

    others: bool = False

    def phi(self, weights: Tensor, round: Round, setting: Setting) -> Tensor:
        cosines = cgsv.gram(rewards.normalise(round.updates, 1.0)).cpu()
        summed = weights * rewards.norms(round.updates).cpu()
        apart = fedce.others(cosines, summed)
        psi = defences.values(cosines, summed.expand(len(summed), -1))
        return (apart if self.others else psi) * (1 - apart)


# By what is valued: the mechanism, and the entry of its log that says who has which
# share of all value
VALUES: dict[str, tuple[Mechanism, str]] = {
    "psi": (CGSV(), "r"),
    "rffl": (mechanisms.RFFL(keep_own=False), "r"),
    "fedce": (mechanisms.FedCE(), "c"),
    "shapfed": (mechanisms.ShapFed(), "weights"),
    "phi": (mechanisms.Lin(explore=ROUNDS), "value"),  # never in its second stage
    "psi, apart": (BothWays(), "r"),
    "others, apart": (BothWays(others=True), "r"),
    "news": (mechanisms.Guarded(others=True, news=True), "r"),
}


def settings(partition: str, upload: str, seed: int) -> Settings:
    wrong, attack = UPLOADS[upload]
    return starting(
        "digits", partition, AGENTS, local=LOCAL, gamma=Schedule(0.5, 0.97), seed=seed,
        rounds=ROUNDS, label_noise=(*(AGENTS - 1) * [0.0], wrong),
        attacks={str(AGENTS): attack} if attack else {})


def measure(data: Data, partition: str, value: str, upload: str, seed: int
            ) -> dict[str, Tensor]:
    """"share" of all value and "value" of each agent, means over the rounds from
    `FIRST` on, (N,); "accuracy" of the server's and of the last agent's model at the
    end, in percent, (2,)."""
    fed = runs.federation(settings(partition, upload, seed), data)
    fed.mechanism, name = VALUES[value]
    shares, values = [], []
    for snapshot in fed.rounds(ROUNDS):
        if snapshot.t >= FIRST:
            log = snapshot.step.log
            shares.append(log[name])
            values.append(next(log[at] for at in ("phi", "psi", "value") if at in log))
    ends = torch.stack([snapshot.server, snapshot.models[-1]])
    return {"share": torch.stack(shares).double().mean(0),
            "value": torch.stack(values).double().mean(0),
            "accuracy": 100 * fed.evaluate(ends, *fed.test)[1].double()}


def choices() -> Iterator[tuple[str, str, str, int]]:
    """Partition, value, upload and seed of each run: all uploads where the agents are
    alike, honest ones where they are not."""
    for partition, uploads in (("uni", tuple(UPLOADS)), ("pow", ("honest",)),
                               ("cla", ("honest",))):
        for value in VALUES:
            for upload in uploads:
                for seed in SEEDS:
                    yield partition, value, upload, seed


def record(progress: bool = False) -> dict:
    """Under "runs", by "partition/value/upload/seed", what `measure` gives."""
    data, found = datasets.load("digits"), {}
    for choice in recording.bar(choices(), progress):
        found["/".join(map(str, choice))] = recording.means([measure(data, *choice)])
    return {"versions": {"fairfl": fairfl.__version__}, "data": data.sha256,
            "agents": AGENTS, "rounds": ROUNDS, "first": FIRST, "seeds": SEEDS,
            "values": list(VALUES), "uploads": list(UPLOADS), "runs": found}


command = recording.command(
    "guesses", "What eight values give an agent that guesses.",
    lambda: record(progress=True))
