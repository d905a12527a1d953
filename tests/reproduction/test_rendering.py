"""Tables as text and HTML."""

from html.parser import HTMLParser

import pytest
import torch
from test_tables import COLUMN, PAPER, results, write  # noqa: F401

from book.reproduction import plan
from book.reproduction.pages import markup, rendering, tables

NAN = float("nan")


@pytest.mark.parametrize("values, text", [
    ([97.26], "97.3"),
    ([90.0, 94, 92], "92.0 ± 2.0"),
    ([-1.02, 1.0], "0.0 ± 1.0"),
    ([90.0, NAN, 94], "92.0 ± 2.0 (2 of 3)"),
    ([90.0, NAN], "90.0 (1 of 2)"),
    ([NAN, NAN], "undefined"),
    ([], "—"),
])
def test_spread(values, text):
    assert markup.spread(torch.tensor(values)) == text


@pytest.mark.parametrize("differences, text", [
    ([1.0], "undecided (above 1 of 1)"),  # one seed
    ([1.0, 0.9], "above (2 of 2)"),
    ([1.0, 0.1], "undecided (above 2 of 2)"),  # 90 %: -2.3 to 3.4
    ([-1.0, -0.9, -1.3], "below (3 of 3)"),
    ([1.0, -0.1, 3], "undecided (above 2 of 3)"),
    ([1.0, 0.0], "undecided (above 1 of 2)"),
    ([0.0, 0.0], "undecided (above 0 of 2)"),
    ([NAN, -2.0, -2.0], "below (2 of 2)"),
    ([NAN], "undefined"),
])
def test_sign(differences, text):
    assert rendering.sign(torch.tensor(differences)) == text


def test_cells(results):  # noqa: F811
    ours, equal = (tables.cell(results, COLUMN, method)
                   for method in ("cgsv-beta1", "fedavg"))
    assert rendering.accuracy(ours) == "70.0 (90.0)"
    assert rendering.fairness(ours) == "76, on 40"
    assert rendering.fairness(equal) == "undefined"
    assert rendering.accuracy(None) == rendering.fairness(None) == "—"
    write(results, "cgsv-beta1", 1, [0.5, 0.9, 0.7])
    without = tables.cell(results, COLUMN, "cgsv-beta1")
    assert rendering.fairness(without) == "—"
    assert rendering.accuracy(without) == "70.0 ± 0.0 (90.0)"


class Cells(HTMLParser):
    """The rows of a table as lists of texts; fails on a tag that is not closed."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.open, self.spans = [], [], 0
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag == "br":
            return
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.spans += int(dict(attributes).get("rowspan", 0))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += text


def test_beside_paper_shows_ours_twice_and_the_paper_once(results):  # noqa: F811
    columns = plan.MNIST_10[:2]
    rows = Cells(rendering.beside_paper(results, PAPER, columns,
                                        "table1_accuracy")).rows
    assert rows[0] == ["", "", "MNIST 10 CLA0 to 1 seed",
                       "MNIST 10 POWnothing recorded"]
    assert rows[1:6] == [
        ["Standalone", "ours", "50.0 (70.0)", "—"], ["paper", "53 (92)", "88 (92)"],
        ["FedAvg", "downloaded", "80.0 (80.0)", "—"], ["trained", "60.0 (80.0)", "—"],
        ["paper", "53 (93)", "92 (94)"],
    ]
    assert len(rows) == 1 + 2 + 11 * 3
    table2 = Cells(rendering.beside_paper(results, PAPER, columns,
                                          "table2_fairness")).rows
    assert len(table2) == 1 + 11 * 3
    assert table2[1:4] == [
        ["FedAvg", "downloaded", "undefined", "—"], ["trained", "100, on 50", "—"],
        ["paper", "24", "55"],
    ]


def test_what_the_paper_does_not_have_gets_no_row(tmp_path):
    rows = Cells(rendering.beside_paper(tmp_path, PAPER, plan.DIGITS,
                                        "table1_accuracy")).rows
    assert len(rows) == 1 + 1 + 11 * 2 and not any("paper" in row for row in rows)


def test_missing_runs_are_counted_with_their_seeds(tmp_path):
    columns = (COLUMN, *plan.CIFAR_10)
    assert rendering.missing(tmp_path, columns) == [
        "python -m book.reproduction table1 --dataset mnist   # 60 runs",
        "python -m book.reproduction table1 --dataset cifar10   # 36 runs",
    ]
    for seed in range(5):
        write(tmp_path, "fedavg", seed, [0.5, 0.5])
    assert "# 55 runs" in rendering.missing(tmp_path, (COLUMN,), "table2")[0]
    assert "book.reproduction table2 " in rendering.missing(tmp_path, (COLUMN,),
                                                            "table2")[0]


def test_a_table_escapes_spans_and_folds():
    rows = [("a < b", "paper", ["1"]), ("a < b", "ours", ["2 & 3"]),
            ("c", "ours", ["4"])]
    text = markup.grouped(["", "", "x\ny"], rows, fold="More & more")
    found = Cells(text)
    assert found.rows == [["", "", "xy"], ["a < b", "paper", "1"], ["ours", "2 & 3"],
                          ["c", "ours", "4"]]
    assert found.spans == 3
    assert text.startswith("<details><summary>More &amp; more</summary>")
    assert "overflow-x: auto" in text and "details" not in markup.grouped([""], [])
