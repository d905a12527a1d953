"""What nbval does not compare in a chapter; above `book/` and `tests/`, for both."""


def pytest_collectstart(collector):
    """Pictures and their data are not compared; the printed line beside them is."""
    if hasattr(collector, "skip_compare"):  # a notebook
        collector.skip_compare += ("image/png", "image/svg+xml", "text/csv")
