"""Wall time, on a GPU too."""

import time

import torch


class Clock:
    """Seconds since the last call; a GPU, which works on meanwhile, is waited for."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.last = self._now()

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def __call__(self) -> float:
        before, self.last = self.last, self._now()
        return self.last - before
