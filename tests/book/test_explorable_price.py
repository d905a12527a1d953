"""The explorable of "What came after" in a real browser."""

from __future__ import annotations

import json
from statistics import fmean

import fairfl_book
import pytest
from selenium.webdriver.common.keys import Keys
from test_explorables import explorable, press, put, read, write_page
from test_pages import load

PRICE = "explorable-price"
RECORD = json.loads(fairfl_book.RECORDED["price"].read_text())


@pytest.fixture
def page(browser, tmp_path):
    load(browser, write_page(tmp_path, "", (PRICE,)))
    return browser


@pytest.mark.parametrize("partition", ["uni", "cla"])
@pytest.mark.parametrize(("currency", "fraction"), [
    ("largest entries", 4), ("noise", 0), ("fewer agents", 5),
    ("width, trained for it", 8)])
def test_what_a_fraction_buys_is_what_was_recorded(page, partition, currency, fraction):
    put(page, PRICE, {"partition": partition, "currency": currency,
                      "fraction": fraction})
    found, text = read(page, PRICE, "result"), explorable(page, PRICE).text
    each = [RECORD["runs"][f"{partition}/{seed}/{currency}"]
            for seed in RECORD["seeds"]]
    paid = fmean(run[fraction] for run in each)
    assert found["paid"] == pytest.approx(paid)
    assert found["seeds"] == [run[fraction] for run in each]
    less = fmean(run[-1] for run in each) - paid
    assert f"right on {paid:.1f} % of new digits" in text
    assert ("That is all there is." in text) == (fraction == 8)
    assert ("less than a point" in text) == (fraction != 8 and less < 1)
    alone = fmean(RECORD["runs"][f"{partition}/{seed}/alone"][0]
                  for seed in RECORD["seeds"])
    assert f"An agent alone reaches {alone:.1f} %" in text


def test_the_list_is_ordered_and_names_every_currency(page):
    put(page, PRICE, {"partition": "cla", "currency": "noise", "fraction": 4})
    title = explorable(page, PRICE).find_elements("css selector", "svg title")[1]
    said = title.get_attribute("textContent").split(": ")[1].rstrip(".").split(" %")
    numbers = [int(part.split()[-1]) for part in said if part]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == len(RECORD["currencies"])


def test_it_is_chosen_by_keys(page):
    data, currency = explorable(page, PRICE).find_elements("css selector", "select")
    slider = explorable(page, PRICE).find_element("css selector", "input[type=range]")
    assert [one.accessible_name for one in (data, currency)] == [
        "The agents' data", "Paid with"]
    assert slider.get_attribute("aria-valuetext") == "25 %"
    press(page, data, Keys.ARROW_DOWN), press(page, currency, Keys.ARROW_DOWN)
    press(page, slider, Keys.END)
    assert read(page, PRICE, "state") == {
        "partition": "cla", "currency": RECORD["currencies"][1], "fraction": 8}
    assert "100 %" in explorable(page, PRICE).text
