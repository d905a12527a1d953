"""All that a server which was killed needs to go on."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from fairfl.flower import messages
from fairfl.flower.ledger import Ledger
from fairfl.mechanisms.base import Mechanism, Setting
from fairfl.runs.files import reading, write_whole
from fairfl.server import Server
from fairfl.vectors import Layout

NOT_YET: Any = None  # until the first agents are known


class Progress:
    """The server, what is due to the agents, and what was logged, round by round.

    Args:
        mechanism, seed: a checkpoint of others is refused.
        layout: of the network.
        given: the other arguments of `Server`; "initial" is w_0, (D,).
        path: the checkpoint's file, which is read if it is there; or None.

    ValueError: what `Server` refuses; the file is no checkpoint of this training.
    """

    def __init__(self, mechanism: Mechanism, seed: int, layout: Layout,
                 given: dict[str, Any], path: str | Path | None) -> None:
        self.mechanism, self.layout, self.given = mechanism, layout, given
        self.about = f"{mechanism!r} with seed {seed}"
        self.path = None if path is None else Path(path)
        self._serve(["?"])  # refuses now what does not fit
        self.server: Server = NOT_YET
        self.ledger = Ledger()
        self.metrics: dict[int, dict[str, float]] = {}
        self.name = f"{secrets.randbits(64):016x}"  # a node has a model for each
        if self.path and self.path.exists():
            with reading(self.path, "checkpoint"):
                self._load(messages.unpacked(self.path.read_bytes()))

    @property
    def t(self) -> int:
        """The number of rounds that are done."""
        return self.server.t if self.server else 0

    def join(self, found: Mapping[str, tuple[int, int]]) -> None:
        """New agents, by key, with so many samples and classes."""
        new = sorted(found, key=lambda key: (len(key), key))
        if new and self.server is None:
            self._serve(new, *zip(*(found[key] for key in new), strict=True))
        elif new:
            for key in new:
                self.server.join(key, *found[key])
        for key in new:
            self.ledger.start(key, self.given["initial"])

    def replace(self, key: str) -> str:
        """Give an agent that has lost its model one again; which, in words."""
        models, w_0 = self.server.models, self.given["initial"]
        if models is None:
            self.ledger.replace(key, w_0)
            return "w_0"
        self.ledger.replace(key, models[self.server.setting.keys.index(key)].clone())
        return "it again"

    def model(self) -> Tensor:
        """The server's model, w_t, (D,)."""
        model = self.server.model if self.server else None
        return self.given["initial"] if model is None else model

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        if self.path and self.server:
            write_whole(self.path, messages.packed({
                "about": self.about, "name": self.name, "metrics": self.metrics,
                "server": self.server.state_dict(),
                "ledger": self.ledger.state_dict()}))

    def _serve(self, keys: list[str], sizes: Any = None, classes: Any = None) -> None:
        setting = Setting.of(keys, self.layout.dimension, sizes, classes,
                             self.layout.blocks)
        self.server = Server(self.mechanism, setting, bad="absent", **self.given)

    def _load(self, saved: dict[str, Any]) -> None:
        if saved["about"] != self.about:
            raise ValueError(f"it is of {saved['about']}, not {self.about}")
        self._serve(saved["server"]["keys"])
        self.server.load_state_dict(saved["server"])
        self.ledger.load_state_dict(saved["ledger"])
        self.name, self.metrics = saved["name"], saved["metrics"]
