"""Eight agents, one of which cheats, for the chapter "When agents cheat": all choices
of what it does, how much of it, and what the server does about it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

import fairfl
from book.reproduction import recording
from fairfl import attacks, cgsv, datasets, partition, rewards
from fairfl.attacks import Attack, Sight
from fairfl.datasets import Data
from fairfl.federation import Federation
from fairfl.mechanisms import CGSV, Guarded, Mechanism, Standalone
from fairfl.partition import Agent
from fairfl.randomness import generator, seeded
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining

CHEAT, AGENTS, ROUNDS, SEEDS = "3", 8, 18, (0, 1, 2)
SIZES = {"digits": 40, "mnist": 300}  # images an agent
GUARDS = {"none": CGSV(), "others": Guarded(others=True), "news": Guarded(news=True),
          "crowding": Guarded(crowding=8.0),
          "all": Guarded(others=True, news=True, crowding=8.0)}


@dataclass(frozen=True, kw_only=True)
class KnowsAll(Attack):
    """Uploads the sum of what all others have trained in this round, hidden in noise.

    `noise` is in parts of the sum's length.
    """

    noise: float = 0.0

    def upload(self, sight: Sight) -> Tensor:
        total = torch.stack([update / update.norm()
                             for key, update in sight.updates.items()
                             if key != sight.key]).sum(0)
        noise = torch.randn(len(total), generator=sight.draws(), dtype=torch.float64)
        noise = noise.to(total)
        return total + self.noise * total.norm() * noise / noise.norm()


@dataclass(frozen=True, kw_only=True)
class Partly(Attack):
    """Its own update and, to the part `part` in [0, 1], what another attack uploads,
    both at the length of its own."""

    attack: Attack
    part: float = 1.0

    def upload(self, sight: Sight) -> Tensor:
        own, false = sight.update, self.attack.upload(sight)
        if not false.any():
            return (1 - self.part) * own
        return (1 - self.part) * own + self.part * own.norm() * false / false.norm()


@dataclass(frozen=True, kw_only=True)
class SomeLabels(Attack):
    """Trains with wrong labels for so large a part of its samples."""

    part: float = 1.0

    def data(self, agent: Agent, classes: int) -> Agent:
        chosen = torch.randperm(len(agent.y), generator=generator(0, "some labels"))
        y = agent.y.clone()
        few = chosen[: round(self.part * len(y))].to(y.device)
        y[few] = (y[few] + 1) % classes
        return agent._replace(y=y)


QUARTERS = (0.25, 0.5, 0.75, 1.0)
KINDS: dict[str, dict[str, Attack]] = {  # what agent 3 does, and how much of it
    "noise": {f"{part:.0%} noise": Partly(attack=attacks.Noise(), part=part)
              for part in QUARTERS},
    "turned round": {f"from round {t} on": attacks.Flip(from_round=t)
                     for t in (13, 9, 5, 1)},
    "wrong labels": {f"{part:.0%} of its labels": SomeLabels(part=part)
                     for part in QUARTERS},
    "several names": {f"{k} names": attacks.Copies(copies=k) for k in (2, 3, 4, 5)},
    "download sent back": {f"{part:.0%} of the upload":
                           Partly(attack=attacks.Download(), part=part)
                           for part in QUARTERS},
    "the others' sum": {f"with noise of {s:g} times its length": KnowsAll(noise=s)
                        for s in (2.5, 1.5, 0.6, 0.0)},
}

Divide = Callable[..., list[Agent]]


def federation(data: Data, mechanism: Mechanism, attack: Attack | None = None,
               seed: int = 0, divide: Divide = partition.uniform, size: int = 40,
               device: str = "cpu") -> Federation:
    """Eight agents with so many images each; agent 3 cheats."""
    agents = divide((data.x.double(), data.y), agents=AGENTS, size=size, seed=seed)
    agents, cheats = attacks.join(agents, {CHEAT: attack} if attack else {})
    with seeded(seed, "network"):
        network = nn.Sequential(nn.Flatten(), nn.Linear(data.x[0].numel(), 32),
                                nn.Tanh(), nn.Linear(32, data.classes)).double()
    return Federation(agents, network, mechanism, seed=seed, attacks=cheats,
                      local=LocalTraining(lr=Schedule(0.3), batch_size=size // 2),
                      gamma=Schedule(1.0, decay=0.95), device=device,
                      test=(data.test_x.double(), data.test_y))


@dataclass(frozen=True)
class Outcome:
    """What agent 3, under all its names, and the others have."""

    ours: Tensor  # (N,) which names are agent 3's
    r: Tensor  # (N,) at the end
    path: Tensor  # (T,) agent 3's share of r, all its names together
    psi: Tensor  # (2,) mean value over the last rounds, of a name of its, of another
    sent: Tensor  # (2,) entries in the last round, in parts of all
    ever: Tensor  # (2,) the same as a mean over the rounds
    accuracy: Tensor  # (2,) of the models at the end, in percent
    agree: float  # mean cosine between two of the others' last uploads

    @property
    def share(self) -> float:
        """Agent 3's part of r at the end."""
        return float(self.path[-1])


def outcome(fed: Federation, rounds: int = ROUNDS) -> Outcome:
    """Run it; values are means over the second half of the rounds."""
    history = fed.run(rounds)
    last = history.last
    assert last is not None and fed.test is not None  # it has run, on test samples
    ours = torch.tensor([key.split(".")[0] == CHEAT for key in history.keys])
    equal = fed.setting.size_shares.cpu().expand(rounds, -1)
    full = torch.full((rounds, len(ours)), fed.layout.dimension)

    def series(name: str, other: Tensor) -> Tensor:
        return (history[name] if name in history.names else other).double().cpu()

    def both(values: Tensor) -> Tensor:
        return torch.stack([values[..., ours].mean(), values[..., ~ours].mean()])

    r, q = series("r", equal), series("q", full) / fed.layout.dimension
    uploads = rewards.normalise(last.uploads.cpu()[~ours], 1.0)
    count = len(uploads)
    cosines = float((cgsv.gram(uploads).sum() - count) / (count * (count - 1)))
    accuracy = 100 * fed.evaluate(last.models, *fed.test)[1].double().cpu()
    return Outcome(ours, r[-1], r[:, ours].sum(1),
                   both(series("psi", 0.0 * equal)[rounds // 2 :]), both(q[-1]),
                   both(q), both(accuracy), cosines)


def choices() -> Iterator[tuple[str, str, Attack | None]]:
    """What agent 3 does, how much of it, and the attack."""
    yield "nothing: it is honest", "", None
    for kind, degrees in KINDS.items():
        for degree, attack in degrees.items():
            yield kind, degree, attack


def measure(data: Data, attack: Attack | None, guard: str, seed: int
            ) -> dict[str, Tensor]:
    """What the record keeps of a run; each pair is agent 3 and the others."""
    found = outcome(federation(data, GUARDS[guard], attack, seed))
    return {"share": found.path, "psi": found.psi, "sent": found.ever,
            "accuracy": found.accuracy}


def record(progress: bool = False) -> dict:
    """Means over the seeds of all choices, as plain data; under "runs", by
    "kind/degree/correction", what `measure` gives, and "alone", what an honest agent
    3 reaches by itself."""
    data = datasets.load("digits")
    alone = [outcome(federation(data, Standalone(), Attack(), seed)).accuracy[0]
             for seed in SEEDS]
    runs = {}
    for kind, degree, attack in recording.bar(choices(), progress):
        for guard in GUARDS:
            each = [measure(data, attack, guard, seed) for seed in SEEDS]
            runs[f"{kind}/{degree}/{guard}"] = recording.means(each)
    degrees: dict[str, list[str]] = {}
    for kind, degree, _ in choices():
        degrees.setdefault(kind, []).append(degree)
    return {"versions": {"fairfl": fairfl.__version__}, "data": data.sha256,
            "kinds": degrees, "guards": list(GUARDS), "seeds": SEEDS,
            "rounds": ROUNDS, "alone": recording.mean(alone, 1), "runs": runs}


command = recording.command(
    "cheats", "Eight agents on digits, one of which cheats.",
    lambda: record(progress=True))
