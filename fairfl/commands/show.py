"""``fairfl show``: a record as a table, or as a file for other programs."""

import csv
import io
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import click

COLUMNS = (("r", "r", 1), ("q", "entries sent", 1),
           ("test_accuracy", "downloaded %", 100),
           ("trained_test_accuracy", "trained %", 100))


@click.command()
@click.argument("record", type=click.Path(path_type=Path))
@click.option("--csv", "table", type=click.Path(path_type=Path, dir_okay=False),
              help="Also write all that is recorded to this file, a number a line: "
              "round, agent, name, value.")
def show(record: Path, table: Path | None) -> None:
    """Print the settings and the last round of RECORD, a file that `run` wrote."""
    from fairfl.runs import records
    from fairfl.runs.files import write_whole

    try:
        found = records.load(record)
        click.echo("\n".join([title(found.settings), *summary(found.history)]))
        if table:
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(("round", "agent", "name", "value"))
            writer.writerows(rows(found.history))
            write_whole(table, text.getvalue())
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error


def title(s) -> str:
    """Settings in a line."""
    options = [f"{name} {value}" for name, value in s.mechanism_options.items()]
    how = ", ".join([s.mechanism, *options])
    return (f"{s.dataset}, {s.partition}, {s.agents} agents, {how}: {s.rounds} rounds, "
            f"seed {s.seed}")


def summary(history) -> list[str]:
    """The last round of a history, an agent a line, and the averages."""
    columns = {head: (scale * history[name][-1].double()).tolist()
               for name, head, scale in COLUMNS if name in history.names}
    lines = ["agent" + "".join(f"{head:>14}" for head in columns)]
    for key, *values in zip(history.keys, *columns.values(), strict=True):
        lines.append(f"{key:>5}" + "".join(map(_cell, values)))
    if "test_accuracy" in history.names:
        accuracy = 100 * history["test_accuracy"][-1]
        server = 100 * history["server_test_accuracy"][-1]
        lines.append(f"test accuracy as downloaded: average {accuracy.mean():.1f} %, "
                     f"best {accuracy.max():.1f} %, server {server:.1f} %")
    if "present" in history.names:
        absent = (history["present"] == 0).sum(0).tolist()
        each = ", ".join(f"{n} (agent {key})"
                         for key, n in zip(history.keys, absent, strict=True))
        lines.append(f"absent in {each} of {len(history['present'])} rounds")
    return lines


def _cell(value: float) -> str:
    return f"{value:14.0f}" if value > 1 and value.is_integer() else f"{value:14.3f}"


def rows(history) -> Iterator[tuple[int, str, str, float | None]]:
    """(round, agent, name, value) of each number of a history; NaN is None.

    A number a round has no agent. Further indices stand in the name, from 1 on:
    "cosines.2" of agent 1 is that of agents 1 and 2.
    """
    for name in history.names:
        for t, values in zip(history.rounds(name).tolist(), history[name], strict=True):
            agents = bool(values.ndim) and len(values) == len(history.keys)
            for index in product(*map(range, values.shape)):
                value = values[index].item()
                agent = history.keys[index[0]] if agents else ""
                more = "".join(f".{i + 1}" for i in index[agents:])
                yield t, agent, name + more, None if value != value else value
