"""Wall time, on a GPU too."""

import time

import torch


class Clock:
    """Seconds since the last call; a GPU, which works on meanwhile, is waited for."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.last = device, 0.0
        self()

    def __call__(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        before, self.last = self.last, time.perf_counter()
        return self.last - before
