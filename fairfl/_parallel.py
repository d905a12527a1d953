"""Work for several threads, each of which uses one core.

For small networks this is faster than one thread that spreads every operation over all cores, and it leaves the order
of summation alone: results do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import torch


def spread(
    function: Callable, items: Iterable, workers: int | None = None, device: str | torch.device = "cpu"
) -> list:
    """``[function(item) for item in items]``, several at a time; where another device computes, one after the other.

    Args:
        function: must not change what it shares with other calls. Of torch's settings, whether gradients are recorded
            and autocast are each thread's own, so it must set them itself.
        items: begun in this order, so put long ones first.
        workers: threads; default: as many as torch may use, `torch.get_num_threads`, which is the same afterwards.

    Raises:
        whatever the function raises; calls that have not begun by then are dropped.
    """
    if torch.device(device).type != "cpu":
        return [function(item) for item in items]
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(workers or threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(function, items))
    finally:
        torch.set_num_threads(threads)  # threads begun later would have one core otherwise
