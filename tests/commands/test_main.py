"""The command line of the library."""

from click.testing import CliRunner

import fairfl
from fairfl.__main__ import main


def call(*arguments):
    return CliRunner().invoke(main, arguments)


def test_help_and_version():
    result = call("--help")
    assert result.exit_code == 0 and "run" in result.output
    assert fairfl.__version__ in call("--version").output


def test_unknown_commands_are_exit_code_2():
    assert call("train").exit_code == 2
