"""Problem sets that grade themselves: ``python -m book.assignments --help``."""
