"""Which of the ways to train fits a network, a device and the agents' data."""

from collections.abc import Callable, Sequence

from torch import nn

from fairfl import _checks, vectors
from fairfl.models.methods import Restricting
from fairfl.partition import Agent
from fairfl.training import plain, stacked, threads
from fairfl.training.local import LocalTraining
from fairfl.training.trials import draws_globally, flops, stackable

BACKENDS: dict[str, Callable] = {
    "plain": plain.train, "stacked": stacked.train, "threads": threads.train,
}
SMALL = 5e7  # operations of a forward pass on a batch: a step takes a core about 1 ms
FEW = 1 << 16  # parameters; the memory of more keeps a core busy too


def choose(module: nn.Module, agents: Sequence[Agent], local: LocalTraining,
           backend: str = "auto") -> tuple[str, Callable]:
    """The name of a backend and its function, with the signature of `plain.train`.

    "auto" is "stacked" on a GPU, and on a CPU for small networks; "threads" on a CPU
    for others and for those that cannot be stacked; "plain" where neither works. Sizes
    decide, not times: the same federation always gets the same backend.

    Args:
        module: on the device of the agents' data; tried on copies, no generator is
            touched.
        backend: "auto", "plain", "stacked" or "threads".

    Raises:
        ValueError: an unknown name, or a backend that would not give what "plain"
            gives; the message says why.
    """
    _checks.known("backend", backend, ("auto", *BACKENDS))
    if backend == "auto":
        backend = _fitting(module, agents, local)
    elif backend != "plain" and draws_globally(module, agents[0], local):
        raise ValueError(
            "the network draws from torch's global generator in training mode "
            f"(dropout?), which agents trained with {backend!r} would share; use "
            "train='plain', or give the network a method noise(samples, generator)")
    elif backend == "stacked" and not stackable(module, agents, local):
        raise ValueError(
            "the network cannot be stacked: it has buffers, lets samples see each "
            "other, or does what torch.func cannot do, or agents' samples differ in "
            "shape; or there is augmentation, an optimizer of one's own, or a loss "
            "without an entry for each sample; use train='threads' or 'plain'")
    return backend, BACKENDS[backend]


def _fitting(module: nn.Module, agents: Sequence[Agent], local: LocalTraining) -> str:
    if draws_globally(module, agents[0], local):
        return "plain"
    if agents[0].x.device.type != "cpu":
        return "stacked" if stackable(module, agents, local) else "plain"
    samples = max(len(agent.y) for agent in agents)
    batch = min(local.batch_size or samples, samples)
    large = vectors.layout(module).dimension > FEW
    if (large or isinstance(module, Restricting)
            or flops(module, agents[0].x) * batch > SMALL):
        return "threads"
    return "stacked" if stackable(module, agents, local) else "threads"
