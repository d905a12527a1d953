"""What `counts.py` finds on a page that has all faults, and on one that has none."""

import counts
import pytest
from bs4 import BeautifulSoup
from conftest import CHROME
from test_pages import HEAD, OF_THE_BOOK, named

pytestmark = pytest.mark.slow
LONG = "x" * 400
STYLE = "<style>pre, div.math {width: 300px; overflow-x: auto}</style>"
GOOD = f"""{HEAD}{STYLE}<article><pre>short</pre>
<div class="cell_output"><div class="output"><pre>one\ntwo</pre></div>
<pre>code of the library</pre></div><div class="math">x</div>
<details><pre>short</pre></details></article>"""
BAD = f"""{HEAD}{STYLE}<article><details><pre>{LONG}</pre></details>
<div class="cell_output"><div class="output"><pre>one\n{LONG}</pre></div></div>
<p id="a"><p id="a">
<div class="math">{LONG}</div>
<div class="math" style="overflow-x: hidden">{LONG}</div></article>"""


@pytest.mark.skipif(not CHROME, reason="needs Chromium")
@pytest.mark.parametrize("text, expected", [(GOOD, (4, 0, 2, 0, 0, 0, 0)),
                                            (BAD, (2, 2, 2, 1, 1, 1, 1))])
def test_what_is_counted(browser, tmp_path, monkeypatch, text, expected):
    monkeypatch.setattr(counts, "PAGES", tmp_path)
    page = tmp_path / "page.html"
    page.write_text(text)
    assert tuple(counts.count(browser, page).values())[:7] == expected


def test_numbers_over_their_limits_are_named():
    total = dict.fromkeys(counts.COLUMNS, 0) | {"blocks": 100, "sideways": 5}
    total |= {"printed lines": 42}
    assert counts.limits(total, 2000, printing=2) == []
    total |= {"sideways": 6, "double ids": 1, "printed lines": 43}
    assert len(counts.limits(total, 2001, printing=2)) == 4


@pytest.mark.parametrize("page", OF_THE_BOOK, ids=named)
def test_what_the_cell_of_a_drawing_prints_is_folded_with_its_code(page):
    soup = BeautifulSoup(page.read_text(), "html.parser")
    for cell in soup.select(".tag_hide-input"):
        if cell.select(".cell_output img"):
            assert not cell.select(".cell_output .stream"), cell.get_text()[:300]


def test_it_is_not_lost():
    page, = (page for page in OF_THE_BOOK if page.stem == "learning_together")
    soup = BeautifulSoup(page.read_text(), "html.parser")
    cell = soup.select_one("#fig-gamma").find_parent(class_="cell")
    assert "travel 12.7" in cell.select_one("details .stream").get_text()
