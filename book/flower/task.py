"""What server and nodes have in common: the network, the training, the data."""

from functools import cache

import numpy as np

from fairfl import datasets, models, partition
from fairfl.partition import Agent
from fairfl.training import LocalTraining

SIZE = 60  # samples an agent on average
LOCAL = LocalTraining(lr=0.1, epochs=2, batch_size=16)


def network(context):
    """The same first parameters everywhere."""
    return models.build("digits_cnn", context.run_config["seed"])


@cache
def shares(agents, seed) -> list[Agent]:
    """Agents "1", "2", ... with ever more samples."""
    return partition.power_law(datasets.load("digits"), agents, SIZE, seed)


def own(context):
    """The samples of the node that asks: of the file that its node config names, or in
    a simulation a share."""
    config = context.node_config
    if "data" in config:
        with np.load(config["data"]) as file:
            return file["x"], file["y"]
    every = shares(config["num-partitions"], context.run_config["seed"])
    return every[config["partition-id"]][1:3]


def validation():
    """The server's own samples, for mechanisms that judge by accuracy."""
    data = datasets.load("digits")
    return data.test_x[:200], data.test_y[:200]
