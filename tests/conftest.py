"""A browser for the tests of the pages, a rule for skips, and what runs side by side.

With FAIRFL_REQUIRE_ALL=1, as in CI, a test may be skipped for want of a GPU only; any
other skip is a failure. With several processes (`pytest -n 2`) the tests of a file,
and the cells of a chapter, stay together, and only one process starts a browser. Tests
that need it are slow, see `make check`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

HTML = Path(__file__).resolve().parents[1] / "_build" / "html"
OFFLINE = HTML / "_static" / "offline"
CHROME = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
# `make test-flower` runs these, where Flower is installed
collect_ignore = [] if importlib.util.find_spec("flwr") else ["flower"]
BROWSER = tuple(f"tests/book/test_{name}.py"
                for name in ("pages", "explorables", "explorables_numbers",
                             "explorable_contributions", "colab_in_browser",
                             "page_counts", "pdf"))


def pytest_collection_modifyitems(items):
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("slow")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return "browser" if file in BROWSER else file

    return ByFile(config, log)


def _refuse_skip(report):
    required = os.environ.get("FAIRFL_REQUIRE_ALL") == "1"
    if required and report.skipped and not hasattr(report, "wasxfail"):
        where = report.longrepr
        reason = where[2] if isinstance(where, tuple) else str(where)
        if "GPU" not in reason:
            report.outcome = "failed"
            report.longrepr = f"{reason} (not allowed, because FAIRFL_REQUIRE_ALL=1)"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return _refuse_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return _refuse_skip((yield))


@pytest.fixture(scope="session")
def browser():
    if not (CHROME and DRIVER):
        pytest.skip("needs Chromium and chromedriver")
    if not OFFLINE.is_dir():
        pytest.skip("needs a book built with npm: these pages load MathJax from a CDN")
    import chromium

    driver = chromium.start(1300, 900, **{
        "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"}})
    yield driver
    driver.quit()
