"""The answers of the chapter "Accuracy and fairness", in words.

Each is made of the records as they are, so that it stays right when runs are added.
"""

import math
from pathlib import Path

from book.reproduction import plan
from book.reproduction.base import METHODS
from book.reproduction.pages import dynamics, standings, tables, winners
from book.reproduction.pages.intervals import HOLDS
from book.reproduction.pages.quantities import HIGH
from book.reproduction.pages.sources import Recorded
from book.reproduction.pages.standings import plain
from book.reproduction.pages.winners import tally
from fairfl import metrics

OURS, PLAIN = "cgsv-beta1", "fedavg"
SCALINGS = ("normalised", "clipped", "raw")
LONG = "mnist-10-cla"


def _answer(verdicts: list[str], found: str) -> str:
    return "\n\n".join([" ".join(verdicts), f"**Finding.** {found}"])


def works(source: Recorded) -> str:
    """Are agents better off than alone?"""
    places = standings.columns(source)
    mean, least = ([standings.above(source, column, OURS, quantity)
                    for column in places] for quantity in ("gain", "least"))
    losers, agents = losing(source, OURS)
    falling, known = 0, 0
    for column in places:
        cell = tables.cell(source.results, column, OURS, source.convention)
        if cell and cell.alone is not None and not column.endswith("uni"):
            known += 1
            falling += bool((metrics.rank_correlation(cell.alone, cell.gain) < 0).all())
    return _answer(
        [f'For CGSV at β = 1, "agents gain on average" {tally(mean)}.',
         f'"Even the agent that gains least gains" {tally(least)}.',
         "Where agents are unequal, those that are better alone gain less in "
         f"{falling} of {known} columns (rank correlation below 0 on all seeds)."],
        f"From training together agents gain {_span(mean)} points on average, beyond "
        f"chance on {_sure(mean)} columns; {losers} of {agents} agents do better alone "
        "by more than a standard error of the test set.")


def _span(found: list[standings.Compared | None]) -> str:
    means = [round(one.mean) for one in found if one]
    if not means:
        return "an unknown number of"
    low, high = min(means), max(means)
    return f"{low} to {high}" if low != high else f"{low}"


def _sure(found: list[standings.Compared | None]) -> str:
    known = [one for one in found if one]
    return f"{sum(one.word == HOLDS for one in known)} of {len(known)}"


def losing(source: Recorded, method: str) -> tuple[int, int]:
    """How many agents do better alone, in the mean over the seeds and by more than a
    standard error of the test set, and of how many."""
    losers = agents = 0
    for column in standings.columns(source):
        cell = tables.cell(source.results, column, method, source.convention)
        if cell and cell.alone is not None:
            gain = cell.gain.mean(0)
            margin = source.margin(column, float(cell.accuracy.mean()))
            losers += int((gain < -margin).sum())
            agents += len(gain)
    return losers, agents


def against_plain(source: Recorded, quantity: str = "mean"
                  ) -> list[standings.Compared | None]:
    """CGSV against FedAvg on every column that has both."""
    return [standings.compared(source, column, OURS, PLAIN, quantity)
            for column in plan.COLUMNS]


def best(source: Recorded) -> str:
    """Who has the best accuracy?"""
    found = winners.winner(source)
    return _answer(
        [winners.who_is_behind(found),
         '"CGSV at β = 1 has a higher average than FedAvg" '
         f"{tally(against_plain(source))}."],
        f"By average accuracy {winners.who_wins(found)}.")


def kinds(source: Recorded) -> dict[str, int]:
    """Of all methods and columns with unequal agents: how many have no ρ on any seed,
    how many one that is noise, how many one that counts."""
    count = {"undefined": 0, "noise": 0, "clear": 0}
    for column in plan.COLUMNS:
        for method in METHODS:
            if column.endswith("uni") or method == "standalone":
                continue
            raw = plain(source.rho(method, column)).values()
            clear = plain(source.clear_rho(method, column)).values()
            if raw:
                count["undefined" if all(map(math.isnan, raw)) else "noise"
                      if all(map(math.isnan, clear)) else "clear"] += 1
    return count


def fair(source: Recorded) -> str:
    """Is it fair?"""
    count = kinds(source)
    high = [standings.above(source, column, OURS, "rho", HIGH)
            for column in plan.COLUMNS]
    found = winners.winner(source, "rho")
    return _answer(
        [f'Where it counts, "CGSV at β = 1 has a ρ above {HIGH:g}" {tally(high)}.',
         winners.who_is_behind(found)],
        f"With unequal agents ρ does not exist for {count['undefined']} of "
        f"{sum(count.values())} pairs of a method and a column, is noise for "
        f"{count['noise']}, and means something for {count['clear']}; by ρ "
        f"{winners.who_wins(found)}.")


def courses(results: Path) -> dict[str, dict[int, dynamics.Course]]:
    """The long runs that are recorded, by the kind of length and the seed."""
    found = {}
    for scaling in SCALINGS:
        cell = tables.cell(results, LONG, OURS, variant=f"long-{scaling}")
        runs = zip(cell.seeds, cell.records, strict=True) if cell else ()
        found[scaling] = {
            seed: dynamics.judge(record, 100 * alone.history["test_accuracy"][-1])
            for seed, record in runs
            if (alone := tables.read(results, LONG, "standalone", seed))}
    return found


def goes_on(results: Path) -> str:
    """What if training goes on?"""
    found = {scaling: runs for scaling, runs in courses(results).items() if runs}
    law = ("When all updates have one length and little in common, chance decides "
           "whom the server hears")
    if not found:
        return _answer(["The long runs are not recorded."], f"{law}.")
    parts = []
    for scaling, runs in found.items():
        locks, falls = (sum(run[word] for run in runs.values())
                        for word in ("locks", "falls"))
        of = "1 seed" if len(runs) == 1 else f"{len(runs)} seeds"
        parts.append(f"With {scaling} updates *r* turns to poorer agents on {locks} of "
                     f"{of}, and the server falls on {falls}.")
    if max(map(len, found.values())) < 2:
        parts.append("One seed shows that it can happen, not how often.")
    usual = found.get("normalised", {})
    locked = sum(run["locks"] for run in usual.values())
    return _answer(parts, f"{law}; in 100 rounds on MNIST it turned to poorer agents "
                          f"on {locked} of {len(usual)} seed{'s' * (len(usual) != 1)}.")


def on_text(source: Recorded, constant: dict[str, float]) -> str:
    """And on text? constant: accuracy of the best constant answer, by the data set."""
    places = [column.name for column in plan.TEXT]
    over = [standings.above(source, column, OURS, "mean",
                            constant[column.partition("-")[0]]) for column in places]
    gain = [standings.above(source, column, OURS, "gain") for column in places]
    plain = [standings.compared(source, column, OURS, PLAIN) for column in places]
    images = [standings.above(source, column, OURS, "gain")
              for column in standings.columns(source) if column not in places]
    return _answer(
        [f'"CGSV at β = 1 is better than the best constant answer" {tally(over)}.',
         f'"Its agents gain on average" {tally(gain)}.',
         f'"It is above FedAvg" {tally(plain)}.'],
        f"From training together agents gain on average {_span(gain)} points on text, "
        f"beyond chance on {_sure(gain)} columns, and {_span(images)} on images, on "
        f"{_sure(images)}.")


def summary(source: Recorded) -> str:
    """Who wins, and how sure that is."""
    complete = standings.columns(source)
    firm = [column for column in complete
            if all(len(tables.recorded_seeds(source.results, column, method)) > 2
                   for method in METHODS)]
    places = [standings.above(source, column, OURS, "gain") for column in complete]
    found, by_rho = winners.winner(source), winners.winner(source, "rho")
    return "\n".join([
        f'- *Does it work?* "Agents gain on average" {tally(places)}.',
        f"- *Who has the best accuracy?* By the average {winners.who_wins(found)}.",
        '- *Is CGSV better than FedAvg?* "Its average is higher" '
        f"{tally(against_plain(source))}.",
        f"- *Is it fair?* By ρ {winners.who_wins(by_rho)}.",
        f"- *How sure is that?* {len(firm)} of {len(complete)} columns have three "
        "seeds or more of every method. The settings of each method were chosen "
        "on a validation set; with others the order may be another."])
