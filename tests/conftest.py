"""With FAIRFL_REQUIRE_ALL=1, as in CI, a test may be skipped for want of a GPU only; any other skip is a failure."""

from __future__ import annotations

import os

import pytest


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
