"""Work for several threads, each of which uses one core.

For small networks this is faster than one thread that spreads every operation over all
cores, and it leaves the order of summation alone: results do not depend on the number
of threads. On a busy machine threads that share a small operation wait for each other.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch


@contextmanager
def one_core() -> Iterator[int]:
    """Torch computes with one thread inside and with as many as before afterwards;
    gives that number."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)  # threads begun later have as many, too


def spread(function: Callable, items: Iterable, workers: int | None = None,
           device: str | torch.device = "cpu") -> list:
    """``[function(item) for item in items]``, several at a time; where another device
    computes, one after the other. A single item needs no new thread.

    Args:
        function: must not change what it shares with other calls. Of torch's settings,
            whether gradients are recorded and autocast are each thread's own, so it
            must set them itself.
        items: begun in this order, so put long ones first.
        workers: threads; default: as many as torch may use, `torch.get_num_threads`,
            which is the same afterwards.

    Raises what the function raises; calls that have not begun by then are dropped.
    """
    items = list(items)
    if torch.device(device).type != "cpu":
        return [function(item) for item in items]
    with one_core() as threads:
        if len(items) == 1:
            return [function(items[0])]
        with ThreadPoolExecutor(
            workers or threads, initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            return list(pool.map(function, items))
