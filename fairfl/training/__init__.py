"""Local training: what an agent does between two downloads.

`LocalTraining` says what is done; `plain`, `stacked` and `threads` do it, with the same
result, and `choose` knows which of them is fastest where.
"""

from fairfl.training.choice import choose
from fairfl.training.local import LocalTraining, left_over
from fairfl.training.trials import check_batches, check_functions

__all__ = ["LocalTraining", "check_batches", "check_functions", "choose", "left_over"]
