"""Training, evaluation and the server's step: ``python -m book.reproduction bench
engine``.

The library against the loops of `reference`. Before any time is taken each method is
called once, and its answer is compared with that of its twin.
"""

import os
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from book.reproduction.bench import reference, subjects
from book.reproduction.bench.cases import Case, Method, Options, compare, row
from book.reproduction.bench.common import machine, peak
from book.reproduction.bench.serving import server
from book.reproduction.bench.subjects import Subject
from fairfl.federation import Federation
from fairfl.history import History

LOOP = "DataLoader loop"


def training(subject: Subject, name: str, backends: Sequence[str], tolerance: float,
             wanted: float, device: str = "cpu") -> Case:
    """One round of local training from one state; `wanted` of the backend that the
    library chooses."""
    chosen = subject.federation(device=device)
    methods = {LOOP: Method(partial(_literal_updates, subject, chosen))}
    for backend in dict.fromkeys([*backends, chosen.backend]):
        train = partial(_updates, subject.federation(backend, device))
        methods[backend] = Method(train, LOOP,
                                  wanted if backend == chosen.backend else None)
    return Case(f"{name}, {len(subject.agents)} agents", subject.data, methods,
                tolerance)


def _literal_updates(subject: Subject, federation: Federation) -> Tensor:
    module = subject.literal.to(federation.device)
    return reference.train(module, federation.start().models, federation.agents,
                           subject.local, 1, subject.seed)


def _updates(federation: Federation) -> Tensor:
    start = federation.start()
    return federation.train(federation.module, start.models, start.buffers,
                            federation.agents, federation.local, 1, federation.seed)[0]


def mnist_round(options: Options) -> Iterator[dict]:
    """A round of MNIST as one runs it: local training, then the loss and accuracy of
    all models and the server's."""
    subject = subjects.mnist(5, options.root, options.seed, options.quick)
    federation = subject.federation()
    server = federation.initial[None]

    def literal() -> Tensor:
        trained = server + _literal_updates(subject, federation)
        return reference.evaluate(subject.literal, torch.cat([trained, server]),
                                  *subject.test)

    def ours() -> Tensor:
        return torch.stack(federation.evaluate(torch.cat([server + _updates(federation),
                                                          server]), *subject.test))

    samples = len(subject.test[1])
    name = f"mnist, 5 agents, training and test of 6 models on {samples:,} images"
    yield from compare("round", Case(name, subject.data, {
        "DataLoader loops": Method(literal),
        federation.backend: Method(ours, "DataLoader loops", 2.5)}, 1e-3), options)
    yield from compare("round",
                       training(subject, "mnist, training alone", ("plain", "threads"),
                                1e-3, None), options)


def evaluation(options: Options) -> Iterator[dict]:
    """Loss and accuracy on a test set."""
    for subject in (subjects.mnist(2, options.root, options.seed, options.quick),
                    subjects.sst(2, options.root, options.seed, options.quick)):
        federation = subject.federation()
        held = federation.start().models
        yield from compare("evaluation",
                           Case(f"2 models, {len(subject.test[1]):,} samples",
                                subject.data, {
            "DataLoader, batches of 100": Method(partial(reference.evaluate,
                                                         subject.literal, held,
                                                         *subject.test)),
            "Federation.evaluate": Method(partial(_stacked, federation, held,
                                                  subject.test),
                                          "DataLoader, batches of 100", 4.0),
        }, 1e-3), options)


def _stacked(federation: Federation, held: Tensor,
             test: tuple[Tensor, Tensor]) -> Tensor:
    """Losses and accuracies of the models, (2, K)."""
    return torch.stack(federation.evaluate(held, *test))


def text(options: Options) -> Iterator[dict]:
    """A round of Adam on sentences."""
    subject = subjects.sst(5, options.root, options.seed, options.quick)
    yield from compare("text", training(subject, "sst", ("threads",), 2e-2, 4.0),
                       options)


def digits(options: Options) -> Iterator[dict]:
    """A round of a small network, in the precision in which such loops usually run and
    in that of the book."""
    for dtype, tolerance, goals in ((torch.float32, 1e-4, (2.5, 3.0)),
                                    (torch.float64, 1e-9, (None, None))):
        for agents, wanted in zip((5, 20), goals, strict=True):
            subject = subjects.digits(agents, options.root, options.seed, options.quick,
                                      dtype)
            name = f"digits, {str(dtype).removeprefix('torch.')}"
            case = training(subject, name, ("plain", "threads", "stacked"), tolerance,
                            wanted)
            yield from compare("digits", case, options)


def gpu(options: Options) -> Iterator[dict]:
    """MNIST on a GPU, where there is one."""
    if torch.cuda.is_available():
        subject = subjects.mnist(20, options.root, options.seed, options.quick)
        yield from compare("gpu",
                           training(subject, f"mnist on {torch.cuda.get_device_name()}",
                                    ("plain", "stacked"), 1e-3, 3.0, "cuda"), options)


def overhead(options: Options) -> Iterator[dict]:
    """The mechanism's time in a round, as a share of the training's. On SST it moves 6
    million numbers an agent; with the three local epochs of the published code they are
    trained for longer."""
    three = partial(subjects.sst, epochs=3)
    for name, make, wanted in (("mnist", subjects.mnist, 0.01),
                               ("sst", subjects.sst, None),
                               ("sst, 3 local epochs", three, 0.05)):
        subject = make(5, options.root, options.seed, options.quick)
        first, *rounds = subject.federation().rounds(options.repeats + 1)
        shares = [snapshot.seconds["mechanism"] / snapshot.seconds["training"]
                  for snapshot in rounds]
        yield row("overhead", f"{name}, 5 agents", subject.data, "CGSV",
                  "of the training's time", shares, statistics.median(shares), wanted)


def memory(options: Options) -> Iterator[dict]:
    """Runs in processes of their own: many agents of a small network; and one of a
    million parameters, whose N D numbers are the measure."""
    agents = 10 if options.quick else 100
    found = peak(_rounds, agents, options)
    if found:
        yield row("memory", f"digits, {agents} agents, 2 rounds", "digits", "CGSV",
                  "bytes", [found.total], found.total, 3e9)
    subject = subjects.perceptron(20, options.seed, options.quick)
    d = sum(p.numel() for p in subject.network.parameters())
    for backend in ("threads", "stacked"):
        if found := peak(_run, 20, backend, options):
            share = found.beside / (20 * d * 4)
            yield row("memory", f"20 agents, {d:,} parameters, 3 rounds", subject.data,
                      backend, "N D numbers", [share], share, 3.5)


def _rounds(agents: int, options: Options) -> Callable[[], History]:
    federation = subjects.digits(agents, options.root, options.seed,
                                 options.quick).federation()
    return lambda: federation.run(2)


def _run(agents: int, backend: str, options: Options) -> Callable[[], History]:
    # a run before it loads what is loaded once
    subjects.perceptron(2, options.seed, True).federation(backend).run(2)
    federation = subjects.perceptron(agents, options.seed,
                                     options.quick).federation(backend)
    return lambda: federation.run(3)


PARTS: dict[str, Callable[[Options], Iterator[dict]]] = {
    "server": server, "round": mnist_round, "evaluation": evaluation, "text": text,
    "digits": digits,
    "overhead": overhead, "memory": memory, "gpu": gpu,
}


def engine(parts: Sequence[str] = tuple(PARTS), repeats: int = 5,
           root: Path | None = None, seed: int = 0, quick: bool = False,
           progress: bool = False) -> dict:
    """Times the parts, keys of `PARTS`; plain data, see `cases.row` for its rows.

    Raises:
        Disagreement: two methods that must agree do not.
    """
    options, before, rows = Options(repeats, root, seed, quick), os.getloadavg(), []
    for part in tqdm(parts, unit="part", disable=not progress, file=sys.stderr):
        rows += PARTS[part](options)
    if quick:
        rows = [line | {"wanted": None} for line in rows]
    return {
        "settings": {"parts": list(parts), "repeats": repeats, "seed": seed,
                     "quick": quick},
        **machine("numpy"),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        # processes that wanted to run, the bench included
        "load": {"before": before[0], "after": os.getloadavg()[0]},
        "rows": rows,
    }


def table(found: dict) -> Iterator[str]:
    """The rows as lines of text."""
    gpu = found["gpu"] or "no GPU"
    yield (f"{found['device']}, {found['threads']} threads, {gpu}, "
           f"load {found['load']['before']:.1f} to {found['load']['after']:.1f}")
    last = None
    for line in found["rows"]:
        if (line["part"], line["case"]) != last:
            last = line["part"], line["case"]
            yield f"\n{line['part']}: {line['case']} ({line['data']})"
        scale, unit, sign = UNITS[line["unit"]]
        low, middle, high = (scale * pick(line["values"])
                             for pick in (min, statistics.median, max))
        text = f"  {line['method']:32} {middle:10.2f} {unit} ({low:.2f} to {high:.2f})"
        if line["unit"] == "seconds":
            text += f", {line['result']:.2f} times as fast"
        if line["wanted"] is not None:
            result, wanted = line["result"], line["wanted"]
            enough = result >= wanted if sign == ">=" else result <= wanted
            wanted = wanted if line["unit"] == "seconds" else scale * wanted
            text += f"; wanted {sign} {wanted:g}: {'yes' if enough else 'MISSED'}"
        yield text


UNITS = {"seconds": (1e3, "ms", ">="),
         "of the training's time": (1e2, "% of the training's time", "<="),
         "bytes": (1e-9, "GB", "<="),
         "N D numbers": (1.0, "N D numbers", "<=")}
