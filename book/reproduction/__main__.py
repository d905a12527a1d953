"""The command line of the paper's runs: ``python -m book.reproduction --help``."""

from book.reproduction.bench.command import bench
from book.reproduction.command import reproduce

reproduce.add_command(bench)

if __name__ == "__main__":
    reproduce(prog_name="python -m book.reproduction")
