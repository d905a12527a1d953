"""Skips: explained on a user's machine, refused in CI."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

SKIPS = {
    "test_inside": "import pytest\ndef test_it(): pytest.skip('needs {}')",
    "test_mark": "import pytest\n@pytest.mark.skipif(True, reason='needs {}')\ndef test_it(): pass",
    "test_fixture": "import pytest\n@pytest.fixture\ndef f(): pytest.skip('needs {}')\ndef test_it(f): pass",
    "test_module": "import pytest\npytest.skip('needs {}', allow_module_level=True)",
}


@pytest.mark.parametrize(
    "need, require, expected",
    [
        ("MNIST", "", {"skipped": 4}),
        ("a GPU", "1", {"skipped": 4}),
        ("MNIST", "1", {"failed": 1, "errors": 3}),  # a skip before the test's own body is reported as an error
    ],
)
def test_a_skip_fails_only_when_all_tests_are_required(pytester, monkeypatch, need, require, expected):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("FAIRFL_REQUIRE_ALL", require)
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text())
    pytester.makepyfile(**{name: body.format(need) for name, body in SKIPS.items()})
    assert pytester.runpytest_inprocess("--continue-on-collection-errors").parseoutcomes() == expected
