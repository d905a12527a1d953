"""Who holds which data: UNI, POW, CLA and label noise (Sec. 5 of the paper), and
Dirichlet. Chapter "Data and partitions".

A pool of samples is dealt out to agents "1" to "N". It is a `datasets.Data`, or a pair
x, y of tensors or arrays whose labels are 0 to C - 1, each at least once. Draws depend
on the seed and on what is drawn, never on a global state. A partition deals `size`
samples an agent, on average; None stands for all that there is, the pool's size divided
by N, rounded down.
"""

from fairfl import _checks
from fairfl.partition.base import Agent, Pool, class_counts
from fairfl.partition.class_sets import classes, largest_shard
from fairfl.partition.held_out import hold_out
from fairfl.partition.mixtures import dirichlet
from fairfl.partition.noise import label_noise
from fairfl.partition.sizes import power_law, uniform

__all__ = ["Agent", "PARTITIONS", "Pool", "class_counts", "classes", "dirichlet",
           "hold_out", "label_noise", "largest_shard", "partition", "power_law",
           "uniform"]

PARTITIONS = {"uni": uniform, "pow": power_law, "cla": classes, "dirichlet": dirichlet}


def partition(kind: str, data: Pool, agents: int, size: int | None, seed: int, **options
             ) -> list[Agent]:
    """The partition named `kind`: "uni", "pow", "cla" or "dirichlet", in any case;
    options as in `uniform`, `power_law`, `classes` and `dirichlet`.

    Raises:
        ValueError: an unknown name; else as in these functions.
    """
    _checks.known("partition", kind.lower(), sorted(PARTITIONS))
    return PARTITIONS[kind.lower()](data, agents, size, seed, **options)
