"""The example's command line: ``python -m book.flower --help``."""

import json
import tempfile
from pathlib import Path

import click

from book.flower import certificates as made
from book.flower import measure as measured
from book.flower.processes import Machines

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group()
def flower() -> None:
    """Fair rewards on Flower, with the digits."""


@flower.command()
@click.argument("folder", type=FOLDER)
@click.option("--nodes", type=click.IntRange(1), default=4, show_default=True)
def certificates(folder: Path, nodes: int) -> None:
    """Write certificates and keys for a federation on this machine into FOLDER."""
    click.echo(f"written to {made.make(folder, nodes)}")


@flower.command()
@click.argument("folder", type=FOLDER)
@click.option("--agents", type=click.IntRange(2), default=4, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--mechanism", default="cgsv", show_default=True)
def deploy(folder: Path, agents: int, rounds: int, mechanism: str) -> None:
    """Run SuperLink and SuperNodes on this machine, over TLS and with registered keys.

    Called again with the same FOLDER it goes on where it was ended.
    """
    with Machines(folder, agents) as machines:
        click.echo(f"A SuperLink on port {machines.port}; logs in {folder / 'logs'}")
        for i in range(1, agents + 1):
            click.echo(f"node {i} has the id {machines.register(i)}")
            machines.start_node(i)
        machines.run(agents=agents, rounds=rounds, mechanism=mechanism)
        machines.wait()
        click.echo(json.dumps(machines.results(mechanism)[rounds], indent=1))


@flower.command()
@click.option("--agents", type=click.IntRange(2), default=4, show_default=True)
@click.option("--rounds", type=click.IntRange(2), default=4, show_default=True)
@click.option("--output", type=click.Path(path_type=Path),
              default="data/results/flower.json", show_default=True)
def measure(agents: int, rounds: int, output: Path) -> None:
    """Seconds and bytes a round: the simulator, `flwr run`, TLS.

    On a machine that is busy with other things Flower gives up a process that takes
    half a minute to start, and starts it again: measure on a quiet one.
    """
    with tempfile.TemporaryDirectory() as folder:
        measured.measure(Path(folder), agents, rounds, output)
    click.echo(f"written to {output}")


if __name__ == "__main__":
    flower(prog_name="python -m book.flower")
