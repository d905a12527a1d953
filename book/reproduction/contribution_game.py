"""A game of contributions, for the chapter "Is it an incentive?": four agents choose
how many samples they bring. What each takes home, for all choices.

The agents' samples are dealt alike, so that who brings how much does not matter: a
profile of choices is recorded once, in ascending order, and agent i brings its i-th.
"""

from itertools import combinations_with_replacement

from book.reproduction import incentive, recording

LEVELS, AGENTS = (2, 6, 18, 54, 162), 4
ROOMS = (200,) * AGENTS
MECHANISMS = ("FedAvg", "FedAvg raw", "CGSV", "stale 2", "CGSV beta inf", "energy 1",
              "CFFL", "IAFL", "Lin", "CGSV beta 10", "CGSV beta 0")
ALONE = "Standalone"  # where what the others bring does not matter
PROFILES = tuple(combinations_with_replacement(LEVELS, AGENTS))


def measure(seed: int, profile: tuple[int, ...], mechanism: str) -> list[int]:
    """Right answers of each agent's model as downloaded."""
    held = incentive.agents(seed, profile, ROOMS)
    fed = incentive.federation(seed, held, mechanism)
    return incentive.right(fed, incentive.end(fed)[0].models)


def alone(seed: int) -> list[list[int]]:
    """Right answers of each agent by itself, a list a level."""
    return [measure(seed, (n,) * AGENTS, ALONE) for n in LEVELS]


def record(progress: bool = False) -> dict:
    """By "mechanism/samples of the four", the right answers, a list a seed."""
    pairs = [(mechanism, profile) for mechanism in MECHANISMS for profile in PROFILES]
    return {**incentive.about(), "levels": LEVELS, "agents": AGENTS,
            "mechanisms": MECHANISMS, "profiles": PROFILES,
            "alone": [alone(seed) for seed in incentive.SEEDS],
            "runs": {f"{mechanism}/{'-'.join(map(str, profile))}":
                     [measure(seed, profile, mechanism) for seed in incentive.SEEDS]
                     for mechanism, profile in recording.bar(pairs, progress)}}


command = recording.command(
    "contribution-game", "What four agents take home for all that they may bring.",
    lambda: record(progress=True))
