"""The command line: ``fairfl --help``, or ``python -m fairfl``."""

import click

from fairfl import __version__
from fairfl.commands.data import data
from fairfl.commands.run import run
from fairfl.commands.show import show


@click.group(commands=[run, show, data], context_settings={
    "show_default": True, "help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Fair rewards in collaborative machine learning."""


if __name__ == "__main__":
    main(prog_name="python -m fairfl")
