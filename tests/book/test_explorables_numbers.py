"""The explorables of the part "In numbers" in a real browser, against the library."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from selenium.webdriver.support.ui import Select
from test_explorables import (
    drawn_faults,
    explorable,
    letters_cut_off,
    put,
    read,
    write_page,
)
from test_pages import load, phone

from book.theory import costs, three_uploads
from fairfl import mechanisms, partition
from fairfl.partition.class_sets import class_sets, demand

pytestmark = pytest.mark.slow
DATA = Path(__file__).resolve().parents[2] / "data" / "results" / "data.json"
CUTS, RULES, OVERHEAD = TAGS = ("explorable-partition", "explorable-rules",
                                "explorable-overhead")


@pytest.fixture
def page(browser, tmp_path):
    load(browser, write_page(tmp_path, "", TAGS))
    yield browser
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_they_take_the_place_of_their_pictures(browser, tmp_path):
    assert drawn_faults(browser, write_page(tmp_path, "", TAGS), list(TAGS)) == []


@pytest.mark.parametrize("agents, exponent, first", [
    (5, 1.659, 10), (10, 1.659, 10), (7, 3, 10), (10, 3, 10), (5, 0, 1), (10, 0, 1),
    (2, 0, 1), (3, 0, 10)])
def test_the_shards_are_the_librarys(page, agents, exponent, first):
    put(page, CUTS, {"N": agents, "exponent": exponent, "first": first})
    result = read(page, CUTS, "result")
    pool = torch.zeros(60 * agents), torch.zeros(60 * agents, dtype=torch.int64)
    dealt = (partition.power_law(pool, agents, 60, seed=0, exponent=exponent)
             if exponent else partition.uniform(pool, agents, 60, seed=0))
    assert result["sizes"] == [len(agent.y) for agent in dealt]
    if first == 1:
        sets = class_sets(agents, 10, "nested")
        assert result["kinds"] == [len(held) for held in sets]
        wanted = [row[:len(held)] for row, held in
                  zip(demand(sets, 60, 10).tolist(), sets, strict=True)]
        assert result["held"] == wanted
    assert [sum(row) for row in result["held"]] == result["sizes"]
    assert f"agent {agents}" in explorable(page, CUTS).text


def test_a_button_sets_both_knobs(page):
    buttons = explorable(page, CUTS).find_elements("css selector", "button")
    assert [button.text for button in buttons] == ["UNI", "POW", "CLA"]
    buttons[2].click()
    assert read(page, CUTS, "state") == {"N": 5, "exponent": 0, "first": 1}
    assert ([button.get_attribute("aria-pressed") for button in buttons]
            == ["false", "false", "true"])
    assert "at most 10 %" in explorable(page, CUTS).text


@pytest.mark.parametrize("labels", list(three_uploads.C))
@pytest.mark.parametrize("method", ["FedAvg", "q-FFL", "DW", "RR", "EU", "ECI", "CFFL",
                                    "CGSV"])
def test_the_rules_are_the_librarys(page, method, labels):
    put(page, RULES, {"method": method, "labels": labels})
    result = read(page, RULES, "result")
    mechanism = (mechanisms.QFFL(q=1.0) if method == "q-FFL"
                 else mechanisms.build(method.lower()))
    step = three_uploads.one_round(mechanism, labels)
    assert result["weights"] == pytest.approx(step.log["weights"].tolist())
    assert result["kept"] == step.reward.kept.tolist()
    assert result["total"] == pytest.approx(step.aggregate.tolist())
    if method != "RR":  # who catches up downloads more than the sum
        for i in range(3):
            assert (result["downloads"][i]
                    == pytest.approx(step.reward.row(i).tolist()))


def test_a_method_is_chosen_from_its_list(page):
    root = explorable(page, RULES)
    method, labels = root.find_elements("css selector", "select")
    Select(method).select_by_visible_text("DW")
    assert "6, 1, 6" in root.text and "C, half of whose labels" in root.text
    Select(labels).select_by_visible_text("all right")
    assert "half of whose labels" not in root.text
    Select(method).select_by_visible_text("Standalone")
    assert read(page, RULES, "result")["weights"] is None


@pytest.mark.parametrize("dataset", ["mnist", "cifar10", "sst", "mr"])
def test_the_overheads_are_the_counted_ones(page, dataset):
    counts = costs.multiplications(dataset, json.loads(DATA.read_text())[dataset])
    names = page.execute_script("return [...document.querySelectorAll("
                                f"'.{OVERHEAD} option')].map(e => e.value)")
    (network,) = [name for name in names if f"{counts.D:,}" in name]
    keys = ("fedavg", "dw", "eu", "cgsv-beta1", "cgsv-exact", "qffl", "cffl", "eci",
            "eci-all")
    for agents, validation, epochs in ((2, 100, 1), (5, 1000, 3), (30, 10000, 5)):
        put(page, OVERHEAD, {"network": network, "N": agents, "V": validation,
                             "E": epochs})
        wanted = [costs.overhead(key, agents, counts, 600, validation, epochs)
                  for key in keys]
        assert read(page, OVERHEAD, "result.ratios") == pytest.approx(wanted)


def test_nothing_is_cut_off_on_a_phone(page):
    put(page, CUTS, {"N": 10, "exponent": 3, "first": 1})
    put(page, RULES, {"method": "ECI", "labels": "half wrong"})
    network = page.execute_script(f"return document.querySelector('.{OVERHEAD} option')"
                                  ".value")
    put(page, OVERHEAD, {"network": network, "N": 30, "V": 10000, "E": 1})
    assert phone(page) + letters_cut_off(page) == []
