"""The sentences of Xu et al. (2021) that name a number, an order of numbers or a
theorem. Page "Claims".

Where a sentence can be read in several ways, the reading that favours it is taken, and
written beside it. What its numbers are is in `quantities`, `trends` and `theorems`;
what decides is in `intervals` and `verdicts`.
"""

from book.reproduction.pages import claims_figures, claims_tables
from book.reproduction.pages.quantities import (
    BASELINES,
    COLUMNS,
    HIGH,
    OURS,
    RANGES,
    SAME,
    grid_mean,
    inside,
)

__all__ = ["BASELINES", "CLAIMS", "COLUMNS", "HIGH", "OURS", "RANGES", "SAME",
           "grid_mean", "inside"]

CLAIMS = (*claims_figures.CLAIMS, *claims_tables.CLAIMS)
