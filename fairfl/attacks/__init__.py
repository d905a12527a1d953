"""Agents that cheat, in any mechanism and from any round on.

``Federation(agents, model, mechanism, attacks={"3": attacks.Noise(from_round=5)})``. In
`runs.Settings` an attack is plain data, ``{"3": {"kind": "noise", "from_round": 5}}``.
An attack of one's own is a subclass of `Attack`; `detection` looks for uploads that are
put together from the others'. Chapter "When agents cheat".
"""

from collections.abc import Mapping, Sequence

from fairfl import _checks
from fairfl.attacks.agents import Copies, Follow, Labels
from fairfl.attacks.base import Attack, Sight
from fairfl.attacks.uploads import Download, Flip, Guess, Noise, Scaled, Zero
from fairfl.partition import Agent

__all__ = ["KINDS", "Attack", "Copies", "Download", "Flip", "Follow", "Guess", "Labels",
           "Noise", "Scaled", "Sight", "Zero", "build", "join"]

KINDS = {"zero": Zero, "noise": Noise, "flip": Flip, "scaled": Scaled, "labels": Labels,
         "copies": Copies, "download": Download, "follow": Follow, "guess": Guess}


def build(plain: Mapping[str, Mapping]) -> dict[str, Attack]:
    """Attacks by agent from plain data, ``{"3": {"kind": "scaled", "factor": 5.0}}``.

    ValueError, which names the agent, for an unknown kind or option, or a bad value.
    """
    found = {}
    for key, options in plain.items():
        if not isinstance(key, str):
            raise ValueError(f"agents' names are texts; an attack is given for {key!r}")
        try:
            options = dict(options)
            kind = options.pop("kind", None)
            _checks.known("kind", kind, KINDS)
            found[key] = KINDS[kind](**options)
        except (TypeError, ValueError) as error:
            raise ValueError(f"the attack of agent {key!r}: {error}") from error
    return found


def join(agents: Sequence[Agent], attacks: Mapping[str, Attack]
        ) -> tuple[list[Agent], dict[str, Attack]]:
    """Agents and attacks with the attackers' accomplices, who come last."""
    by_key = {agent.key: agent for agent in agents}
    everybody, cheats = list(agents), dict(attacks)
    for key, attack in attacks.items():
        _checks.known("attacking agent", key, by_key)
        for accomplice, theirs in attack.accomplices(by_key[key]):
            everybody.append(accomplice)
            cheats[accomplice.key] = theirs
    return everybody, cheats
