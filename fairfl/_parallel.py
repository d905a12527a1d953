"""Work for several threads, each of which uses one core.

For small networks this is faster than one thread that spreads every operation over all
cores, and it leaves the order of summation alone: results do not depend on the number
of threads. On a busy machine threads that share a small operation wait for each other.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache

import torch

NAME = "fairfl"  # of the threads


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
            which is the same afterwards. Within a call there is one.

    Raises what the function raises; calls that have not begun by then are dropped.
    """
    items = list(items)
    if torch.device(device).type != "cpu":
        return [function(item) for item in items]
    with one_core() as threads:
        count = workers or threads
        # a thread that waits for its own pool would wait for ever
        within = threading.current_thread().name.startswith(NAME)
        if within or 1 in (len(items), count):
            return [function(item) for item in items]
        futures = [_pool(count).submit(function, item) for item in items]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()
            wait(futures)


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    """Threads that stay: to begin them takes longer than a small sum."""
    return ThreadPoolExecutor(workers, NAME, torch.set_num_threads, (1,))


os.register_at_fork(after_in_child=_pool.cache_clear)  # a child has no threads
