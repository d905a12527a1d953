"""The explorable of "Accuracy and fairness" in a real browser, with the records as they
are."""

from __future__ import annotations

import fairfl_book
import pytest
from selenium.webdriver.common.keys import Keys
from test_explorables import explorable, press, put, read, write_page
from test_pages import load

TAG = "explorable-standings"
DATA = fairfl_book.standings()


@pytest.fixture
def page(browser, tmp_path):
    scripts = tmp_path / "explorables"
    scripts.mkdir()
    (scripts / "standings_data.js").write_text(fairfl_book.script("standings", DATA))
    load(browser, write_page(tmp_path, "", (TAG,)))
    return browser


@pytest.mark.parametrize("column", list(DATA["columns"]))
def test_all_points_are_drawn_and_the_words_are_those_of_the_records(page, column):
    for quantity in DATA["quantities"]:
        put(page, TAG, {"column": column, "quantity": quantity,
                        "convention": "downloaded"})
        shown = DATA["places"][f"{column}/{quantity}/downloaded"]
        root = explorable(page, TAG)
        assert shown["words"] in root.text
        assert all(name in root.text for name, *_ in shown["rows"])
        places = page.execute_script(
            "return [...arguments[0].querySelectorAll('circle')]"
            ".map((dot) => Number(dot.getAttribute('cx')))", root)
        seeds = sum(len(row[1]) + bool(row[1]) for row in shown["rows"])
        assert len(places) == seeds + 3  # and three in the legend
        assert all(0 < place < 400 for place in places)


def test_column_quantity_and_models_are_chosen_from_lists(page):
    selects = explorable(page, TAG).find_elements("css selector", "select")
    assert [select.accessible_name for select in selects] == [
        "Data, agents, partition", "Quantity", "Accuracy of the models"]
    for select in selects:
        press(page, select, Keys.END)
    assert read(page, TAG, "state") == {
        "column": list(DATA["columns"])[-1],
        "quantity": list(DATA["quantities"])[-1], "convention": "trained"}
