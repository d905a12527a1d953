"""The explorable of "Is it an incentive?" in a real browser, against the record."""

from __future__ import annotations

import json
import math

import fairfl_book
import pytest
import torch
from scipy.stats import t as student
from selenium.webdriver.common.keys import Keys
from test_explorables import (
    drawn_faults,
    explorable,
    letters_cut_off,
    press,
    put,
    read,
    write_page,
)
from test_pages import load, phone

from book.theory import contributions

TAG = "explorable-contributions"
GAME = json.loads(fairfl_book.RECORDED["contributions"].read_text())
LEVELS = GAME["levels"]
SHOWN = ("Standalone", "FedAvg", "CGSV", "CGSV beta inf", "CFFL", "Lin", "IAFL",
         "stale 2", "energy 1")


@pytest.fixture
def page(browser, tmp_path):
    load(browser, write_page(tmp_path, "", (TAG,)))
    yield browser
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def taken(mechanism, others):
    """Percent of agent 1 at each level and of the others, (2, S, L)."""
    if mechanism == "Standalone":
        right = torch.tensor(GAME["alone"]).double().mean(-1)
        return 100 * torch.stack([right, right[:, [others] * 5]]) / GAME["test"]
    right = torch.tensor([GAME["runs"][f"{mechanism}/{'-'.join(map(str, profile))}"]
                          for profile in GAME["profiles"]]).double()
    home = contributions.everywhere(100 * right.transpose(0, 1) / GAME["test"], 5)
    return torch.stack([home[i][..., others, others, others] for i in (0, 1)])


def test_it_takes_the_place_of_its_picture(browser, tmp_path):
    assert drawn_faults(browser, write_page(tmp_path, "", (TAG,)), [TAG]) == []


@pytest.mark.parametrize(("own", "others", "cost"), [
    (0, 3, 0.04), (3, 3, 0.01), (4, 0, 1.0), (2, 4, 0.3)])
def test_what_one_takes_home_is_that_of_the_record(page, own, others, cost):
    put(page, TAG, {"own": own, "others": others, "cost": cost, "mechanism": "CGSV"})
    found = read(page, TAG, "result.found")
    assert set(found) == set(SHOWN)
    for name in SHOWN:
        mine, theirs = taken(name, others)
        utility = mine.mean(0) - cost * torch.tensor(LEVELS)
        half = (student.ppf(0.975, len(mine) - 1) * mine.std(0) / len(mine) ** 0.5)
        assert found[name]["accuracy"] == pytest.approx(mine.mean(0).tolist())
        assert found[name]["others"] == pytest.approx(float(theirs.mean(0)[own]))
        assert found[name]["best"] == int(utility.argmax())
        assert found[name]["utility"] == pytest.approx(utility.tolist())
        assert found[name]["half"] == pytest.approx(half.tolist(), rel=1e-3)


def test_it_says_who_has_more_and_what_is_best(page):
    put(page, TAG, {"own": 0, "others": 3, "cost": 0.04, "mechanism": "FedAvg"})
    assert "as much as each other agent" in explorable(page, TAG).text
    put(page, TAG, {"own": 0, "others": 3, "cost": 0.04, "mechanism": "energy 1"})
    found, text = read(page, TAG, "result.found"), explorable(page, TAG).text
    gap = found["energy 1"]["others"] - found["energy 1"]["accuracy"][0]
    assert f"{gap:.1f} points less than each other agent" in text
    best = LEVELS[found["energy 1"]["best"]]
    assert f"your best answer is {best}" in text and "0.040 points" in text


def test_it_is_moved_by_keys(page):
    own, others, cost = explorable(page, TAG).find_elements(
        "css selector", "input[type=range]")
    press(page, own, Keys.END), press(page, others, Keys.HOME)
    press(page, cost, Keys.END)
    state = read(page, TAG, "state")
    assert (state["own"], state["others"]) == (4, 0)
    assert state["cost"] == pytest.approx(1)
    assert "You bring 162 samples, the three others 2 each" in explorable(
        page, TAG).text
    press(page, cost, Keys.HOME)
    assert math.log10(read(page, TAG, "state.cost")) == pytest.approx(-2.3)
    (select,) = explorable(page, TAG).find_elements("css selector", "select")
    assert select.accessible_name == "Mechanism"
    press(page, select, Keys.HOME)
    assert read(page, TAG, "state.mechanism") == "Standalone"


def test_nothing_is_cut_off_on_a_phone(page):
    for state in ({"own": 4, "others": 0, "cost": 0.005, "mechanism": "CGSV beta inf"},
                  {"own": 0, "others": 4, "cost": 1, "mechanism": "energy 1"}):
        put(page, TAG, state)
        assert phone(page) + letters_cut_off(page) == []
