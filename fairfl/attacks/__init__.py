"""Agents that cheat, in any mechanism and from any round on. Chapter "When agents cheat".

``federation.Federation(agents, model, mechanism, attacks={"3": attacks.Noise(from_round=5)})``. In
`runs.Settings` an attack is plain data, ``{"3": {"kind": "noise", "from_round": 5}}``. An attack of one's own is a
subclass of `Attack`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fairfl.attacks.agents import Copies, Follow, Labels
from fairfl.attacks.base import Attack, Sight
from fairfl.attacks.uploads import Download, Flip, Noise, Scaled, Zero
from fairfl.partition import Agent

__all__ = ["KINDS", "Attack", "Copies", "Download", "Flip", "Follow", "Labels", "Noise", "Scaled", "Sight", "Zero",
           "build", "join"]

KINDS = {"zero": Zero, "noise": Noise, "flip": Flip, "scaled": Scaled, "labels": Labels, "copies": Copies,
         "download": Download, "follow": Follow}


def build(plain: Mapping[str, Mapping]) -> dict[str, Attack]:
    """Attacks by agent from plain data, ``{"3": {"kind": "scaled", "factor": 5.0, "from_round": 2}}``.

    Raises:
        ValueError: an agent's name is not a text, or its attack has an unknown kind, an unknown option or a value
            outside its range; the message names the agent.
    """
    found = {}
    for key, options in plain.items():
        if not isinstance(key, str):
            raise ValueError(f"attacks go by agents' names, which are texts, not {key!r}")
        options = dict(options)
        kind = options.pop("kind", None)
        if kind not in KINDS:
            raise ValueError(f"the attack of agent {key!r} is of kind {kind!r}; known are {', '.join(KINDS)}")
        try:
            found[key] = KINDS[kind](**options)
        except (TypeError, ValueError) as error:
            raise ValueError(f"the attack of agent {key!r}: {error}") from error
    return found


def join(agents: Sequence[Agent], attacks: Mapping[str, Attack]) -> tuple[list[Agent], dict[str, Attack]]:
    """Agents and attacks with the accomplices that attackers bring along, who come last.

    Raises:
        ValueError: an attacker that is none of the agents.
    """
    agents, attacks = list(agents), dict(attacks)
    by_key = {agent.key: agent for agent in agents}
    for key, attack in list(attacks.items()):
        if key not in by_key:
            raise ValueError(f"there is no agent {key!r} to cheat; known are {', '.join(map(repr, by_key))}")
        for accomplice, theirs in attack.accomplices(by_key[key]):
            agents.append(accomplice)
            attacks[accomplice.key] = theirs
    return agents, attacks
