"""Is a record real? Its first rounds are run again and compared with what it says."""

from pathlib import Path

from torch import Tensor

from book.reproduction.base import Run
from fairfl import datasets
from fairfl.datasets import Data
from fairfl.history import History
from fairfl.runs import records, running
from fairfl.runs.records import Record

# Another CPU, number of threads or form of a convolution sums in another order. In two
# rounds that moves numbers by 1e-5 of their size at most, in bfloat16 by a hundredth;
# Adam turns rounding of gradients near zero into whole steps.
TOLERANCE = {"float64": 1e-6, "float32": 1e-3, "bfloat16": 5e-2}
ADAM = 10
# A sample on the edge between two classes falls on one side or the other, and that is a
# whole step
ACCURACY = 5


def verify(run: Run, results: Path, rounds: int, data: Data | None = None) -> list[str]:
    """What is wrong with the record of a run: nothing if its settings are those of the
    plan, its data those that are here, and its first rounds what they give now.

    Args:
        rounds: to run again; at least to the first one of which the record says
            something.

    Raises:
        FileNotFoundError: there is no record.
        ValueError: the record is damaged.
        fairfl.datasets.DataError: the data set is not here.
    """
    record = records.load(run.path(results))
    if record.settings != run.settings:
        return ["its settings are not those of the plan"]
    data = data or datasets.load(run.settings.dataset, **run.settings.dataset_options)
    if record.about["data"]["sha256"] != data.sha256:
        return [
            f"it is of other data: sha256 {record.about['data']['sha256']}, not "
            f"{data.sha256}"
        ]
    return [
        *complete(record),
        *differences(*replayed(record, rounds, data), tolerance(record)),
    ]


def complete(record: Record) -> list[str]:
    """A record ends with its last round."""
    last = max(
        (int(record.history.rounds(name)[-1]) for name in record.history.names),
        default=0,
    )
    return (
        []
        if last == record.settings.rounds
        else [f"it ends in round {last} of {record.settings.rounds}"]
    )


def tolerance(record: Record) -> float:
    """By how much of its size a number may differ."""
    found = TOLERANCE[record.settings.local.precision or record.about["precision"]]
    return found * (
        ADAM if record.settings.local.optimizer == "adam" and found > 1e-6 else 1
    )


def replayed(
    record: Record, rounds: int, data: Data | None = None
) -> tuple[History, History]:
    """See `running.replay`; goes on to the first round in which something is
    recorded."""
    first = min(
        int(record.history.rounds(name)[0])
        for name in record.history.names
        if not name.startswith("seconds_")
    )
    return running.replay(record, min(max(rounds, first), record.settings.rounds), data)


def differences(recorded: History, again: History, tolerance: float) -> list[str]:
    """Which recorded series are not what they are now, each with the round in which
    they part."""
    found = []
    for name in recorded.names:
        if name.startswith("seconds_"):
            continue
        if (
            name not in again.names
            or recorded.rounds(name).tolist() != again.rounds(name).tolist()
        ):
            found.append(
                f"{name} is not recorded in the rounds in which the settings say so"
            )
            continue
        allowed = tolerance * (ACCURACY if name.endswith("accuracy") else 1)
        for t, then, now in zip(
            recorded.rounds(name).tolist(), recorded[name], again[name], strict=True
        ):
            if not _close(then.double(), now.double(), allowed):
                found.append(
                    f"{name} differs in round {t}: recorded {_text(then)}, now "
                    f"{_text(now)}"
                )
                break
    return found


def _close(then: Tensor, now: Tensor, tolerance: float) -> bool:
    """Relative to the largest entry; what is undefined must be so in both."""
    if then.shape != now.shape or not (then.isnan() == now.isnan()).all():
        return False
    then, now = then.nan_to_num(), now.nan_to_num()
    return bool((then - now).abs().max() <= tolerance * now.abs().max())


def _text(values: Tensor) -> str:
    return (
        "["
        + ", ".join(f"{value:.5g}" for value in values.double().flatten().tolist())
        + "]"
    )
