"""The server: any mechanism of fairfl as a strategy of Flower's Message API."""

import copy
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy
from flwr.superlink.grid import InMemoryGrid
from torch import Tensor, nn

from fairfl import mechanisms, vectors
from fairfl.federation import Federation
from fairfl.flower import messages
from fairfl.flower.progress import Progress
from fairfl.mechanisms.base import Mechanism
from fairfl.partition import Agent
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining

LOG = logging.getLogger("flwr")


class FairStrategy(Strategy):
    """Nodes train; a mechanism values their updates and pays each with a download.

    An agent's key is the id of its node, which the SuperLink has authenticated, or the
    name that `names` gives it. In a simulation ids are new in each run, and all nodes
    are of this machine: there partition 0 is agent "1", and so on. How many samples a
    node has is what it says, as in all federated averaging.

    A node without a valid reply is absent from the round (`mechanisms.presence`): none
    came before the timeout, it failed, it is NaN or of another length; the log names
    it. A new node joins with w_0; one that has lost its model gets it again from a
    mechanism that holds the models, else w_0.

    Args:
        mechanism: see `fairfl.mechanisms`.
        model: the network; its parameters are w_0.
        local: as the nodes', for the learning rate and the accuracy.
        gamma, seed: see `Federation`, which gives the same with the same.
        agents: nodes to wait for before round 1.
        validation: (x, y) for mechanisms that judge by accuracy.
        checkpoint: a file, written after each round before anything of it is sent. If
            it is there, the training goes on from it.
        names: agents' keys by node id.

    ValueError: what `Server` refuses; a checkpoint of another training.
    """

    def __init__(self, mechanism: Mechanism, model: nn.Module, *,
                 local: LocalTraining = LocalTraining(),
                 gamma: Schedule | float = Schedule(0.5), seed: int = 0,
                 agents: int = 2, validation: tuple[Tensor, Tensor] | None = None,
                 checkpoint: str | Path | None = None,
                 names: Mapping[int, str] | None = None) -> None:
        self.mechanism, self.module = mechanism, copy.deepcopy(model)
        self.seed, self.agents, self.names = seed, agents, dict(names or {})
        decay = local.lr.decay ** (1 if local.decay_per == "round" else local.epochs)
        given: dict[str, Any] = {"initial": vectors.flatten(model), "gamma": gamma,
                                 "lr": Schedule(local.lr.first, decay)}
        if validation is not None:
            judge = Federation([Agent("validation", *validation)], model,
                               mechanisms.Standalone(), local=local, buffers="local")
            given["accuracy"] = lambda models: judge.evaluate(models, *validation)[1]
        self.progress = Progress(mechanism, seed, vectors.layout(model), given,
                                 checkpoint)
        self._keys: dict[int, str] = {}  # of the nodes met in this run
        self._sent, self._begin, self._timeout = 0, 0.0, 3600.0  # bytes; seconds

    @property
    def t(self) -> int:
        """The number of rounds that are done."""
        return self.progress.t

    @property
    def metrics(self) -> dict[int, dict[str, float]]:
        """What was logged, by round: what the mechanism logs of each agent, as psi, r
        and q; who was present; bytes of the arrays that were sent; seconds."""
        return self.progress.metrics

    def start(self, grid: Grid, initial_arrays: ArrayRecord | None = None,
              num_rounds: int = 3, timeout: float = 3600,
              train_config: ConfigRecord | None = None,
              evaluate_config: ConfigRecord | None = None,
              evaluate_fn: Callable | None = None) -> Result:
        """Rounds up to `num_rounds` in all, then the delivery of the last downloads.

        Args:
            initial_arrays: a state dict in the place of the network's own.
            timeout: seconds to wait for the replies of a round.
            evaluate_fn: see Flower; it counts the rounds of this call.
        """
        if initial_arrays is not None and self.progress.server is None:
            self.module.load_state_dict(initial_arrays.to_torch_state_dict())
            self.progress.given["initial"] = vectors.flatten(self.module)
        self._timeout = timeout
        result = super().start(grid, self.arrays(), max(0, num_rounds - self.t),
                               timeout, train_config, evaluate_config, evaluate_fn)
        self._deliver(grid)
        result.arrays = self.arrays()
        result.train_metrics_clientapp = {
            t: MetricRecord(found) for t, found in self.metrics.items()}
        return result

    def arrays(self) -> ArrayRecord:
        """The state dict of the network with the server's model."""
        vectors.load(self.module, self.progress.model())
        return ArrayRecord(self.module.state_dict())

    def summary(self) -> None:
        """Log the mechanism and how far the training is."""
        LOG.info("\t%r, %d rounds done", self.mechanism, self.t)

    def configure_train(self, server_round: int, arrays: ArrayRecord,
                        config: ConfigRecord, grid: Grid) -> Iterable[Message]:
        """To each agent whose node is connected: what is due, and to train."""
        while len(nodes := list(grid.get_node_ids())) < self.agents and not self.t:
            LOG.info("%d of %d nodes are connected", len(nodes), self.agents)
            time.sleep(1)
        self._welcome(grid, nodes)
        self._begin = time.perf_counter()
        return self._instructions(nodes, "train")

    def aggregate_train(self, server_round: int, replies: Iterable[Message]
                       ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """The mechanism's step with the updates that came."""
        updates, losses, up, t = {}, {}, 0, self.t + 1
        judged = "losses" in self.mechanism.needs
        for key, content in self._confirmed(replies):
            up += messages.size(content)
            try:
                updates[key], losses[key] = messages.trained(content, t, judged)
            except (KeyError, TypeError, ValueError) as wrong:
                self._leave_out(key, f"its reply cannot be read: {wrong!r}", t)
        answer = self.progress.server.step(updates, losses=losses if judged else None)
        for key, why in answer.refused.items():
            self._leave_out(key, why, t)
        here = updates.keys() - answer.refused.keys()
        for key in here:
            self.progress.ledger.owe(key, messages.shortest(answer, key))
        found: dict[str, float] = {"bytes_up": up, "bytes_down": self._sent}
        found |= {f"present.{key}": int(key in here) for key in answer}
        for name, values in answer.log.items():
            found |= {f"{name}.{key}": value
                      for key, value in zip(answer, values.tolist(), strict=True)
                      if not math.isnan(value)}
        found["seconds"] = time.perf_counter() - self._begin
        self.metrics[t] = found
        self.progress.save()
        return self.arrays(), MetricRecord(found)

    def configure_evaluate(self, server_round: int, arrays: ArrayRecord,
                           config: ConfigRecord, grid: Grid) -> Iterable[Message]:
        """Nothing: what is due rides on the next round, see `start`."""
        return []

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> None:
        """Nothing was asked."""

    def _welcome(self, grid: Grid, nodes: list[int]) -> None:
        """Learn whose the nodes are. Those that are new are asked how many samples they
        have, and join."""
        simulated, ledger = isinstance(grid, InMemoryGrid), self.progress.ledger
        if not simulated:
            self._keys |= {node: self._key(node) for node in nodes
                           if self._key(node) in ledger}
        asked = [Message(RecordDict(), node, "query", ttl=self._timeout)
                 for node in nodes if node not in self._keys]
        found = {}
        for reply in grid.send_and_receive(asked, timeout=self._timeout):
            node = reply.metadata.src_node_id
            if reply.has_error():
                self._leave_out(self._key(node), reply.error.reason)
                continue
            about = reply.content["metrics"]
            key = str(about["partition"] + 1) if simulated else self._key(node)
            self._keys[node] = key
            if key not in ledger:
                found[key] = about["samples"], about["classes"]
        self.progress.join(found)

    def _key(self, node: int) -> str:
        return self.names.get(node, str(node))

    def _instructions(self, nodes: Iterable[int], kind: str) -> list[Message]:
        """What is due to the agents on these nodes."""
        made: dict = {}
        self._sent, sent = 0, []
        for node in nodes:
            if (key := self._keys.get(node)) is None:
                continue
            base, due = self.progress.ledger[key]
            content = messages.instruction(
                due, base, made, training=self.progress.name, agent=key,
                seed=self.seed, round=self.t + 1, needs=" ".join(self.mechanism.needs))
            self._sent += messages.size(content)
            sent.append(Message(content, node, kind, ttl=self._timeout,
                                group_id=str(self.t + 1)))
        return sent

    def _confirmed(self, replies: Iterable[Message]
                  ) -> Iterator[tuple[str, RecordDict]]:
        """Key and content of each reply of a node that has what was due to it."""
        for reply in replies:
            node = reply.metadata.src_node_id
            key = self._keys.get(node)
            if key is None or reply.has_error():
                why = reply.error.reason if reply.has_error() else "it is unknown"
                self._leave_out(key or f"on node {node}", why)
            elif "lost" in reply.content.metric_records.get("metrics", {}):
                self._leave_out(key, "it has lost its model and gets "
                                     f"{self.progress.replace(key)} in the next")
            else:
                self.progress.ledger.confirm(key)
                yield key, reply.content

    def _leave_out(self, key: str, why: str, t: int | None = None) -> None:
        t = self.t + 1 if t is None else t
        LOG.warning("agent %r is left out of round %d: %s", key, t, why)

    def _deliver(self, grid: Grid) -> None:
        """Send what is due after the last round."""
        self._welcome(grid, nodes := list(grid.get_node_ids()))
        due = self.progress.ledger.open()
        sent = self._instructions(
            [node for node in nodes if self._keys.get(node) in due], "evaluate")
        for _ in self._confirmed(grid.send_and_receive(sent, timeout=self._timeout)):
            pass
        self.progress.save()
