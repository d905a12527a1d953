"""Nodes in this process: a grid that loses what a test wants it to lose."""

from collections.abc import Iterable

from flwr.app import Context, Error, Message, RecordDict
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.serverapp import Grid
from flwr.supercore.task_identity import TaskIdentity

from fairfl.flower import messages

TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 7, 7, 1


def memory(context):
    """What a node without a folder keeps."""
    return messages.unpacked(context.state["fairfl"]["memory"])


class LocalGrid(Grid):
    """Nodes by id, each a ClientApp with its node config; messages pass as bytes.

    `lost`: what becomes of an exchange, called with (node id, message type, round): ""
    nothing, "message" it does not reach the node, "reply" the node has worked in vain,
    "error" the node fails.
    """

    def __init__(self, app, configs):
        self.app = app
        self.contexts = {
            node: Context(7, node, config, RecordDict(), {})
            for node, config in configs.items()
        }
        self.lost = lambda node, kind, t: ""
        self.down, self.changed = set, {}  # who is away, a function; changes of replies
        self.seen = []  # (node id, type, round) of messages that reached a node

    def restart(self, node):
        """A new process: what the context held is gone."""
        self.contexts[node].state = RecordDict()

    def get_node_ids(self):
        return [node for node in self.contexts if node not in self.down()]

    def send_and_receive(self, messages: Iterable[Message], *, timeout=None):
        return [reply for sent in messages for reply in self.exchange(sent)]

    def exchange(self, sent):
        message = message_from_proto(message_to_proto(sent))
        node, kind = message.metadata.dst_node_id, message.metadata.message_type
        t = int(message.metadata.group_id or 0)
        fate = self.lost(node, kind, t)
        if fate == "message":
            return
        if fate == "error":
            yield Message(Error(2, "it failed"), reply_to=message)
            return
        self.seen.append((node, kind, t))
        try:
            reply = self.app(message, self.contexts[node])
        except Exception as error:  # as Flower does
            yield Message(Error(2, repr(error)), reply_to=message)
            return
        if node in self.changed:
            self.changed[node](reply)
        if fate != "reply":
            yield message_from_proto(message_to_proto(reply))

    def set_run(self, run):
        raise NotImplementedError

    @property
    def run(self):
        raise NotImplementedError

    def create_message(self, *args, **kwargs):
        raise NotImplementedError

    def push_messages(self, messages):
        raise NotImplementedError

    def pull_messages(self, message_ids):
        raise NotImplementedError
