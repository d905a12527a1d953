"""Run what is missing, several runs side by side, until all is done or the time is
spent."""

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch

from book.reproduction.base import Run
from fairfl import datasets
from fairfl.history import History
from fairfl.runs import checkpoint, records, running
from fairfl.runs.files import NewerFile
from fairfl.runs.settings import Settings


class Outcome(NamedTuple):
    """What became of a run."""

    run: Run
    state: str  # "done", "stopped" or "failed"
    detail: str  # how long it took, where it stands, or what went wrong


class Stopped(Exception):
    """The time is spent; what a run has done so far is kept."""


def missing(runs: Sequence[Run], results: Path) -> list[Run]:
    """Those without a record, and those whose record has other settings than they
    should."""
    return [run for run in runs if not is_done(run, results)]


def is_done(run: Run, results: Path) -> bool:
    """Whether there is a record of just this run.

    Raises:
        ValueError: the record is damaged.
    """
    file = run.path(results)
    return file.exists() and records.load(file).settings == run.settings


def execute(
    runs: Sequence[Run],
    results: Path,
    root: Path | None = None,
    budget: float | None = None,
    workers: int = 1,
    device: str = "cpu",
    report: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Run all of `runs` and write their records below `results`.

    Each worker is a process with one core. At Ctrl-C or a polite kill, and when the
    budget is spent, the runs at work stop after their present round and leave
    checkpoints beside their records' places, from which the next call goes on. A run
    that fails is reported and does not stop the others.

    Args:
        budget: seconds; None: no limit.
        report: told what became of each run.
    """
    deadline = time.time() + budget if budget is not None else float("inf")
    context = _context()
    stop, outcomes, waiting = context.Event(), [], list(runs)[::-1]
    with (
        _ended_politely(stop),
        ProcessPoolExecutor(workers, context, _begin, (stop,)) as pool,
    ):
        working: dict[Future, Run] = {}
        while working or (waiting and not stop.is_set()):
            free = waiting and not stop.is_set() and time.time() < deadline
            while free and waiting and len(working) < workers:
                run = waiting.pop()
                plain = run.file, run.settings.to_dict(), results, root
                working[pool.submit(_work, *plain, device, deadline)] = run
            if not working:
                break
            for future in wait(working, 1.0, FIRST_COMPLETED).done:
                run, error = working.pop(future), future.exception()
                found = ("failed", repr(error)) if error else future.result()
                outcomes.append(Outcome(run, *found))
                report(outcomes[-1])
    return outcomes


@contextmanager
def _ended_politely(stop) -> Iterator[None]:
    """Ctrl-C and a polite kill set `stop` inside the block."""
    numbers = signal.SIGINT, signal.SIGTERM
    before = {n: signal.signal(n, lambda *_: stop.set()) for n in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _context():
    """Where there are fork servers, one imports everything once for all workers."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


_stop = None  # of the process: set when it shall stop


def _begin(stop) -> None:
    global _stop
    _stop = stop
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent tells when to stop
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@lru_cache(maxsize=1)
def _load(dataset: str, options: tuple, root: Path | None) -> datasets.Data:
    return datasets.load(dataset, root, **dict(options))


def _fits(file: Path, settings: Settings) -> bool:
    """Whether a checkpoint is of these settings; one of others is of no use any more,
    since the plan has changed."""
    try:
        return Settings.from_dict(checkpoint.load(file).about["settings"]) == settings
    except NewerFile:
        raise
    except ValueError:
        return False


def _work(
    file: str,
    plain: dict,
    results: Path,
    root: Path | None,
    device: str,
    deadline: float,
) -> tuple[str, str]:
    run = Run(file, Settings.from_dict(plain))
    path = run.path(results)
    kept = path.with_name(path.name + ".checkpoint")

    def after(history: History) -> None:
        if history.last.t < run.settings.rounds and (
            _stop.is_set() or time.time() > deadline
        ):
            raise Stopped(f"after round {history.last.t} of {run.settings.rounds}")

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if kept.exists() and not _fits(kept, run.settings):
            kept.unlink()
        data = _load(
            run.settings.dataset,
            tuple(sorted(run.settings.dataset_options.items())),
            root,
        )
        record = running.run(
            run.settings,
            data,
            device,
            checkpoint_file=kept,
            checkpoint_every=20,
            after=after,
        )
        records.save(record, path)
    except Stopped as stopped:
        return "stopped", str(stopped)
    except (ValueError, OSError, datasets.DataError) as error:
        return "failed", str(error)
    kept.unlink(missing_ok=True)
    return "done", f"{record.about['seconds']:.0f} s"
