"""What a run needs at its peak, counted in N D numbers."""

import sys

import pytest

from book.reproduction.bench import engine
from book.reproduction.bench.cases import Options


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peaks are measured on Linux")
def test_a_run_holds_the_models_of_two_rounds_and_the_updates_of_one():
    rows = list(engine.memory(Options(repeats=1, root=None, seed=0, quick=False)))[-2:]
    assert [row["method"] for row in rows] == ["threads", "stacked"]
    for row in rows:
        assert row["unit"] == "N D numbers" and row["wanted"] == 3.5
        # what a machine adds: freed memory that threads keep for themselves
        assert 2.8 < row["median"] < 3.9
