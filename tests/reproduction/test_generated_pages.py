"""The pages of reference show what the tables and the records hold.

nbval runs their cells again. Here the numbers that are stored in "Paper against ours"
are looked up in the CSV files and in the records once more, by a few lines that share
nothing with the library. The other pages are rendered afresh.
"""

import csv
import html
import json
import re
import statistics
from pathlib import Path

import nbformat
import pytest

from book.reproduction import plan
from book.reproduction.base import METHODS, TIMED
from book.reproduction.pages import (
    claims,
    comparison,
    hyperparameters,
    markup,
    verdicts,
)
from book.reproduction.pages.sources import Published, Recorded

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PAPER, RESULTS = ROOT / "data" / "paper", ROOT / "data" / "results"
NAMES = {
    "qffl": "q-FFL",
    "fedavg": "FedAvg",
    "standalone": "Standalone",
    "cgsv": "CGSV",
}
SERIES = {"downloaded": "test_accuracy", "trained": "trained_test_accuracy"}


def outputs(page):
    notebook = nbformat.read(ROOT / "book" / f"{page}.ipynb", 4)
    return [
        output["data"]["text/html"]
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "text/html" in output.get("data", {})
    ]


def cells(table):
    """The texts of an HTML table's body, line by line."""
    rows = re.findall(
        r"<tr[^>]*>(.*?)</tr>",
        table.partition("<tbody>")[2].partition("</tbody>")[0],
        re.DOTALL,
    )
    return [
        [
            html.unescape(cell.replace("<br>", "\n"))
            for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)
        ]
        for row in rows
    ]


def folds():
    text = next(text for text in outputs("paper_against_ours") if "<details" in text)
    found = [fold.partition("</details>")[0] for fold in text.split("<details")[1:]]
    return dict(zip(claims.COLUMNS, found, strict=True))


def published(table, method, column, number):
    mechanism, _, beta = method.partition("-beta")
    dataset, agents, partition = column.split("-")
    dataset = "CIFAR-10" if dataset == "cifar10" else dataset.upper()
    key = (
        NAMES.get(mechanism, mechanism.upper()),
        beta,
        dataset,
        agents,
        partition.upper(),
    )
    with (PAPER / f"{table}.csv").open() as file:
        hits = [
            line[number]
            for line in csv.DictReader(file)
            if (
                line["method"],
                line["beta"],
                line["dataset"],
                line["agents"],
                line["partition"],
            )
            == key
        ]
    return float(hits[0]) if hits else None


def folder(column):
    """Where the runs of a column lie: anew, if all methods ran anew."""
    anew = RESULTS / "tables"
    return (anew if all((anew / f"{column}-{method}-seed0.json").exists()
                        for method in METHODS) else RESULTS / "runs")


def recorded(method, column, convention, seed, variant=""):
    file = folder(column) / f"{column}-{method}{variant}-seed{seed}.json"
    return (
        [
            100 * a
            for a in json.loads(file.read_text())["history"]["series"][
                SERIES[convention]
            ]["values"][-1]
        ]
        if file.exists()
        else None
    )


def pearson(a, b):
    return (
        100 * statistics.correlation(a, b)
        if len(set(a)) > 1 and len(set(b)) > 1
        else None
    )


def number(text):
    return None if text.split("\n")[0] in ("—", "undefined") else float(text.split()[0])


@pytest.mark.parametrize("column", claims.COLUMNS)
def test_each_number_of_tables_1_and_2_is_in_a_file(column):
    lines = cells(folds()[column])
    assert len(lines) == len(METHODS)
    for method, line in zip(METHODS, lines, strict=True):
        shown = [number(text) for text in line[1:10]]
        for k, (table, name) in enumerate(
            (
                ("table1_accuracy", "mean_accuracy"),
                ("table1_accuracy", "max_accuracy"),
                ("table2_fairness", "pearson_rho"),
            )
        ):
            assert shown[3 * k] == published(table, method, column, name), (
                method,
                name,
            )
        seeds = [
            seed for seed in range(5) if recorded(method, column, "downloaded", seed)
        ]
        assert line[-2] == (str(len(seeds)) if seeds else "—")
        for k, convention in enumerate(SERIES, 1):
            ours = [recorded(method, column, convention, seed) for seed in seeds]
            alone = [
                recorded("standalone", column, "downloaded", seed) for seed in seeds
            ]
            rho = (
                [pearson(a, b) for a, b in zip(ours, alone, strict=True)]
                if all(alone)
                else []
            )
            rho = (
                []
                if method == "standalone"
                else [value for value in rho if value is not None]
            )
            for place, values in (
                (k, map(statistics.mean, ours)),
                (3 + k, map(max, ours)),
                (6 + k, rho),
            ):
                values = list(values)
                wanted = statistics.mean(values) if values else None
                assert shown[place] == (
                    None if wanted is None else pytest.approx(wanted, abs=0.06)
                ), (method, place)
                theirs = shown[place - k]
                if wanted is not None and theirs is not None:
                    difference = float(
                        re.search(r"\(([+-][\d.]+)\)", line[1 + place])[1]
                    )
                    assert difference == pytest.approx(wanted - theirs, abs=0.06)


def test_each_number_of_table_3_is_in_a_file():
    lines = cells(outputs("paper_against_ours")[-2])  # the last one is of the precision
    with (PAPER / "table3_overhead.csv").open() as file:
        said = {
            (line["method"], line["dataset"], line["agents"]): line[
                "overhead_over_training"
            ]
            for line in csv.DictReader(file)
        }
    for method, line in zip(TIMED, lines, strict=True):
        for column, text in zip(comparison.overhead.COLUMNS, line[1:], strict=True):
            dataset, agents, _ = column.split("-")
            mechanism = method.partition("-beta")[0]
            key = (
                NAMES.get(mechanism, mechanism.upper()),
                "CIFAR-10" if "cifar" in dataset else dataset.upper(),
                agents,
            )
            theirs, ours = text.split("\n")
            assert (theirs if theirs == "—" else float(theirs)) == (
                float(said[key]) if key in said else "—"
            )
            file = RESULTS / "runs" / f"{column}-{method}-timing-seed0.json"
            if ours == "—":
                assert not file.exists()
            else:
                series = json.loads(file.read_text())["history"]["series"]
                spent = [
                    sum(series[f"seconds_{part}"]["values"][1:])
                    for part in ("mechanism", "training")
                ]
                assert float(ours.replace(",", "")) == pytest.approx(
                    spent[0] / spent[1], rel=0.06
                )


def test_each_number_of_the_precision_is_in_a_file():
    lines = iter(cells(outputs("paper_against_ours")[-1]))
    for column in (column.name for column in plan.HALVED):
        for method in METHODS:
            full, half = (
                {
                    seed: found
                    for seed in range(5)
                    if (found := recorded(method, column, "downloaded", seed, variant))
                }
                for variant in ("", "-bfloat16")
            )
            if not (full and half):
                continue
            line = next(lines)
            for runs, accuracy, fairness in (
                (full, line[1], line[4]),
                (half, line[2], line[5]),
            ):
                shown = [
                    float(part)
                    for part in re.findall(r"[\d.]+", re.sub(r"± [\d.]+", "", accuracy))
                ]
                means = [
                    statistics.mean(map(of, runs.values()))
                    for of in (statistics.mean, max)
                ]
                assert shown == pytest.approx(means, abs=0.06), (method, accuracy)
                rho = [
                    pearson(run, recorded("standalone", column, "downloaded", seed))
                    for seed, run in runs.items()
                ]
                rho = [value for value in rho if value is not None]
                wanted = pytest.approx(statistics.mean(rho), abs=0.6) if rho else None
                assert number(fairness.replace(",", " ")) == wanted
            gap = statistics.mean(
                statistics.mean(half[seed]) - statistics.mean(full[seed])
                for seed in half.keys() & full.keys()
            )
            assert number(line[3]) == pytest.approx(gap, abs=0.06)
            assert line[-1] == str(len(half))
    assert next(lines, None) is None


def test_the_page_of_claims_is_what_the_rules_say_now():
    kept = "".join(outputs("claims"))
    found = {
        "the paper's tables": Published(PAPER),
        "ours, as downloaded": Recorded(RESULTS),
        "ours, after training": Recorded(RESULTS, "trained"),
    }
    for claim in claims.CLAIMS:
        names = list(found)[: 3 if claim.both else 2]
        judged = {name: verdicts.judge(claim, found[name]) for name in names}
        assert verdicts.card(claim, judged) in kept, f"{claim.name}: make notebooks"


def test_each_row_of_the_authors_settings_is_in_a_file():
    files = {file.name for file in (RESULTS / "authors").glob("*_code-seed*.json")}
    rows = comparison.authors(PAPER, RESULTS)
    kept = "".join(outputs("paper_against_ours"))
    assert bool(rows) == bool(files)
    for what in comparison.tables.AUTHORS.values():
        assert kept.count(f">{what}<") == sum(kind == what for _, kind, _ in rows)


def test_the_page_of_hyperparameters_is_what_the_settings_say_now():
    kept = outputs("hyperparameters")
    assert kept[0] == markup.table(hyperparameters.HEADER, hyperparameters.rows(PAPER))
    assert kept[1] == markup.table(
        ["method", "hyperparameters"], hyperparameters.other_methods()
    )
