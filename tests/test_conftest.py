"""Skips: explained on a user's machine, refused in CI."""

import re
from pathlib import Path

import conftest
import pytest

pytest_plugins = ["pytester"]
ROOT = Path(__file__).resolve().parents[1]

SKIPS = {
    "test_inside": "def test_it(): pytest.skip('needs {}')",
    "test_mark": "@pytest.mark.skipif(True, reason='needs {}')\ndef test_it(): pass",
    "test_fixture": "@pytest.fixture\ndef f(): pytest.skip('needs {}')\n"
    "def test_it(f): pass",
    "test_module": "pytest.skip('needs {}', allow_module_level=True)",
}


@pytest.mark.parametrize(
    "need, require, expected",
    [
        ("MNIST", "", {"skipped": 4}),
        ("a GPU", "1", {"skipped": 4}),
        # a skip before the test's own body is reported as an error
        ("MNIST", "1", {"failed": 1, "errors": 3}),
    ],
)
def test_a_skip_fails_only_when_all_tests_are_required(
    pytester, monkeypatch, need, require, expected
):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("FAIRFL_REQUIRE_ALL", require)
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text())
    bodies = {
        name: "import pytest\n" + body.format(need) for name, body in SKIPS.items()
    }
    pytester.makepyfile(**bodies)
    found = pytester.runpytest_inprocess("--continue-on-collection-errors")
    assert found.parseoutcomes() == expected


def test_what_needs_the_browser_is_slow(pytester):
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text())
    pytester.makepyfile("def test_a(browser): pass\ndef test_b(): pass")
    found = pytester.runpytest_inprocess("-m", "not slow", "-p", "no:xdist")
    assert found.parseoutcomes() == {"passed": 1, "deselected": 1}


def test_files_that_use_the_browser_share_a_process(pytester):
    scheduler = conftest.pytest_xdist_make_scheduler(
        pytester.parseconfig("--tx", "popen"), None
    )
    files = {
        file.relative_to(ROOT).as_posix()
        for file in ROOT.glob("tests/**/test_*.py")
        if re.search(r"^def test_\w+\(.*\bbrowser\b", file.read_text(), re.MULTILINE)
    }
    assert files == set(conftest.BROWSER)
    scopes = {scheduler._split_scope(f"{file}::test_a") for file in files}
    assert scopes == {"browser"}
    assert scheduler._split_scope("book/altruism::ipynb::Cell 3") == "book/altruism"
