"""Tests of `fairfl.flower`, collected where Flower is installed: `make test-flower`."""

import importlib.util

FLOWER = importlib.util.find_spec("flwr") is not None
collect_ignore_glob = [] if FLOWER else ["*.py"]
