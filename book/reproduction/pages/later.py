"""What agents take home under the mechanisms that came later, beside some of the
paper's. Chapter "The competition"."""

import math
from pathlib import Path

import torch

from book.reproduction.base import LATER
from book.reproduction.pages import tables
from book.reproduction.pages.intervals import over_seeds
from book.reproduction.pages.sources import Recorded

SHOWN = ("standalone", "cffl", "fedavg", "cgsv-beta1", *LATER)
HEADER = ("method", "mean accuracy, %", "best − worst", "ρ (seeds)",
          "standard deviation", "worse off than alone")


def rows(results: Path, column: str, methods: tuple[str, ...] = SHOWN
         ) -> list[list[str]]:
    """A row for each method that is recorded on the column.

    The mean accuracy and the best less the worst agent with 90 % intervals over the
    seeds; the mean of rho over the seeds on which it is more than noise (see
    `sources.CLEAR`), and their number; the standard deviation over the agents, which
    rho divides by; how many agents are worse off than alone by more than a standard
    error of the test set.
    """
    source = Recorded(results)
    found = []
    for method in methods:
        cell = tables.cell(results, column, method)
        if cell is None:
            continue
        clear = [rho for rho in source.clear_rho(method, column).values()
                 if not math.isnan(rho)]
        rho = (f"{sum(clear) / len(clear):.0f} ({len(clear)})" if clear else "")
        margin = source.margin(column, float(cell.accuracy.mean()))
        worse = "" if cell.alone is None or method == "standalone" else (
            f"{float((cell.gain < -margin).double().sum(1).mean()):.1f}")
        found.append([tables.method_label(method), between(cell.mean),
                      between(cell.best - cell.worst), rho,
                      f"{cell.accuracy.std(1).mean():.1f}", worse])
    return found


def between(numbers: torch.Tensor) -> str:
    """ "93.2 ± 0.5", the mean over the seeds and half its interval, which no line
    breaks; one seed has none."""
    mean = f"{numbers.mean():.1f}"
    if len(numbers) < 2:
        return mean
    half = over_seeds(numbers.tolist()).high - numbers.mean()
    return f"{mean} ± {half:.1f}".replace(" ", "&nbsp;")
