"""The explorable of "Accuracy and fairness" in a real browser, with the records as they
are."""

from __future__ import annotations

import shutil

import fairfl_book
import pytest
from selenium.webdriver.common.keys import Keys
from test_explorables import SCRIPTS, explorable, press, put, read
from test_pages import HEAD, load

TAG = "explorable-standings"
PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
DATA = fairfl_book.standings()


@pytest.fixture
def page(browser, tmp_path):
    shutil.copytree(SCRIPTS, tmp_path / "explorables")
    (tmp_path / "explorables" / "standings_data.js").write_text(
        fairfl_book.script("standings", DATA))
    scripts = "".join(f'<script defer src="explorables/{name}.js"></script>'
                      for name in ("cgsv", "page", "standings_data", "standings"))
    style = '<link rel="stylesheet" href="explorables/explorables.css">'
    cell = (f'<div class="cell tag_{TAG}"><div class="cell_output"><figure>'
            f'<img alt="It stands in." src="{PIXEL}"></figure></div></div>')
    path = tmp_path / "page.html"
    path.write_text(f"{HEAD}{style}{scripts}<article>{cell}</article>")
    load(browser, path)
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
