"""A node: one agent, with any network and data that a `Federation` takes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from torch import nn

from fairfl import mechanisms
from fairfl.federation import Federation
from fairfl.flower import messages
from fairfl.flower.memory import Lost, Memory, Store
from fairfl.partition import Agent
from fairfl.training import LocalTraining


def client_app(model: Callable[[Context], nn.Module], data: Callable[[Context], Any],
               local: LocalTraining = LocalTraining(), **options: Any) -> ClientApp:
    """A Flower ClientApp for a federation that a `FairStrategy` leads.

    The node trains as the simulator's agent of the same key would, with the same draws.
    It keeps its model in the folder that its node config names,
    ``--node-config 'state="folder"'``; without one a node that is restarted has lost
    its model.

    Args:
        model: makes the network, given Flower's context.
        data: the node's own samples, given Flower's context: (x, y), or what else
            `partition.Agent` takes after the key.
        local: the training between two downloads; the server's strategy has the same.
        options: of `Federation`, e.g. ``device``, ``buffers`` (they stay with the node)
            and ``train``, which is "plain" unless it is given.
    """
    app, node = ClientApp(), Node(model, data, local, options)
    for kind, work in ((app.query, node.introduce), (app.train, node.train),
                       (app.evaluate, node.receive)):
        kind()(answering(work))
    return app


def answering(work: Callable) -> Callable[[Message, Context], Message]:
    """What Flower calls; a node that does not hold the right model says so."""

    def reply(message: Message, context: Context) -> Message:
        try:
            content = work(message, context)
        except Lost as lost:
            content = messages.answer({"lost": lost.round})
        return Message(content, reply_to=message)

    return reply


@dataclass(frozen=True)
class Node:
    """What a node does with a message; the arguments are those of `client_app`."""

    model: Callable[[Context], nn.Module]
    data: Callable[[Context], Any]
    local: LocalTraining
    options: dict[str, Any]

    def introduce(self, message: Message, context: Context):
        """How many samples there are, and of how many classes."""
        setting = self._federation(context).setting
        return messages.answer({
            "samples": int(setting.sizes[0]), "classes": int(setting.classes[0]),
            "partition": int(context.node_config.get("partition-id", -1))})

    def train(self, message: Message, context: Context):
        """Take in the download and train."""
        fed, store, memory = self._received(message, context)
        config = message.content["config"]
        t = config["round"]
        numbers: dict[str, float] = {"round": t}
        models = memory.model[None].to(fed.device)
        buffers = memory.buffers[None].to(fed.device)
        if "losses" in config["needs"]:
            numbers["loss"] = float(fed.own_losses(models, buffers)[0])
        updates, buffers = fed.train(fed.module, models, buffers, fed.agents, fed.local,
                                     t, fed.seed)
        memory.trained, memory.update, memory.buffers = t, updates[0], buffers[0]
        store.save(memory)
        return messages.answer(numbers, updates[0])

    def receive(self, message: Message, context: Context):
        """Take in the download."""
        _, store, memory = self._received(message, context)
        store.save(memory)
        return messages.answer({"holds": memory.round})

    def _federation(self, context: Context, key: str = "", seed: int = 0) -> Federation:
        """The federation of one that this node is."""
        given = self.data(context)
        agent = Agent(key, *(given if isinstance(given, tuple) else (given,)))
        return Federation([agent], self.model(context), mechanisms.Standalone(),
                          local=self.local, seed=seed,
                          **{"train": "plain", **self.options})

    def _received(self, message: Message, context: Context
                 ) -> tuple[Federation, Store, Memory]:
        """The node, and its memory with the message's download in it."""
        config = message.content["config"]
        fed = self._federation(context, config["agent"], config["seed"])
        store = Store(context, config["training"])
        memory = store.load()
        memory.apply(messages.download(message.content), config["base"])
        if memory.buffers is None:
            memory.buffers = fed.start().buffers[0]
        return fed, store, memory
