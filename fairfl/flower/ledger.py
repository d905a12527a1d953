"""What the server owes each agent, until the agent says that it has it."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from fairfl.delivery import Download


class Ledger:
    """For each agent the round of the model that it is known to hold, and the download
    that is due; it is sent again and again until a reply confirms it.

    One is enough: who is absent earns nothing, and who is present has confirmed.
    """

    def __init__(self) -> None:
        self._base: dict[str, int] = {}
        self._due: dict[str, Download] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._due

    def __getitem__(self, key: str) -> tuple[int, Download]:
        """The round that the agent's model must be of, and the download that is due."""
        return self._base[key], self._due[key]

    def start(self, key: str, initial: Tensor) -> None:
        """A newcomer holds nothing and is due w_0, (D,), the download of round 0."""
        self._base[key], self._due[key] = -1, Download(0, "model", values=initial)

    def confirm(self, key: str) -> None:
        """The agent holds what was due."""
        t = self._due[key].round
        self._base[key], self._due[key] = t, Download(t, "nothing")

    def owe(self, key: str, download: Download) -> None:
        """The agent, who has confirmed the last one, has earned another download."""
        self._due[key] = download

    def replace(self, key: str, model: Tensor) -> None:
        """The agent has lost its model: all of it is due, (D,)."""
        self._due[key] = Download(self._due[key].round, "model", values=model)

    def open(self) -> list[str]:
        """The keys of agents to whom something is due."""
        return [key for key, due in self._due.items() if due.kind != "nothing"]

    def state_dict(self) -> dict[str, list[Any]]:
        """Plain data."""
        return {key: [self._base[key], due.round, due.kind, due.indices, due.values]
                for key, due in self._due.items()}

    def load_state_dict(self, saved: Mapping[str, list[Any]]) -> None:
        """The inverse of `state_dict`."""
        self._base = {key: base for key, (base, *_) in saved.items()}
        self._due = {key: Download(*due) for key, (_, *due) in saved.items()}
