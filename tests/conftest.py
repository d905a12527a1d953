"""A browser for the tests of the pages, and a rule for skips.

With FAIRFL_REQUIRE_ALL=1, as in CI, a test may be skipped for want of a GPU only; any other skip is a
failure.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

HTML = Path(__file__).resolve().parents[1] / "_build" / "html"
OFFLINE = HTML / "_static" / "offline"
CHROME, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")


def _refuse_skip(report):
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("FAIRFL_REQUIRE_ALL") == "1":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
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
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROME
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1300,900",
                 "--disable-background-networking", "--disable-component-update"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()
