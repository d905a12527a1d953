"""What a node keeps from message to message."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from flwr.app import ConfigRecord, Context
from torch import Tensor

from fairfl.delivery import Download
from fairfl.flower import messages
from fairfl.runs.files import write_whole

NOT_YET: Any = None  # what the first messages make


class Lost(Exception):
    """A download belongs on another model than the node's, which is of `round`."""

    def __init__(self, round: int) -> None:
        super().__init__(round)
        self.round = round


@dataclass
class Memory:
    """The model knows of which round it is, so that no download is added twice."""

    training: str  # the name of the run that it belongs to
    round: int = -1  # of the last download that was applied; the first is w_0, round 0
    model: Tensor = NOT_YET  # (D,)
    buffers: Tensor = NOT_YET  # (B,)
    trained: int = -1  # the round of `update`
    update: Tensor = NOT_YET  # (D,), what was trained last

    def apply(self, download: Download, base: int) -> None:
        """Take in a download that belongs on the model of round `base`; a whole model
        belongs on any. Lost if the node's is another one."""
        if download.round == self.round:
            return
        if download.kind == "model":
            self.model = torch.as_tensor(download.values)
        elif self.round != base or self.model is None or (
                download.kind == "own" and self.trained != download.round):
            raise Lost(self.round)
        else:
            self.model = download.apply(self.model, self.round, self.update)
        self.round = download.round


class Store:
    """Where a node's memory is: in the folder that the node config names as "state", or
    else the run config, in a file for each training and node; without a folder in
    Flower's context, which ends with the node."""

    def __init__(self, context: Context, training: str) -> None:
        self.context, self.training = context, training
        folder = context.node_config.get("state") or context.run_config.get("state")
        self.path = folder and Path(str(folder)) / f"{training}-{context.node_id}.pt"

    def load(self) -> Memory:
        """What was saved of this run, or an empty memory."""
        content = b""
        if self.path:
            content = self.path.read_bytes() if self.path.exists() else b""
        elif "fairfl" in self.context.state:
            content = self.context.state["fairfl"]["memory"]
        memory = Memory(**messages.unpacked(content)) if content else None
        if memory is None or memory.training != self.training:
            return Memory(self.training)
        return memory

    def save(self, memory: Memory) -> None:
        """Keep it; a file appears whole or not at all."""
        content = messages.packed(vars(memory))
        if self.path:
            write_whole(self.path, content)
        else:
            self.context.state["fairfl"] = ConfigRecord({"memory": content})
