"""What `counts.py` finds on a page that has all faults, and on one that has none."""

import counts
import pytest
from conftest import CHROME
from test_pages import HEAD

pytestmark = pytest.mark.slow
LONG = "x" * 400
STYLE = "<style>pre, div.math {width: 300px; overflow-x: auto}</style>"
GOOD = f"""{HEAD}{STYLE}<article><pre>short</pre>
<div class="cell_output"><pre>one\ntwo</pre></div><div class="math">x</div>
<details><pre>short</pre></details></article>"""
BAD = f"""{HEAD}{STYLE}<article><details><pre>{LONG}</pre></details>
<div class="cell_output"><pre>one\n{LONG}</pre></div><p id="a"><p id="a">
<div class="math">{LONG}</div>
<div class="math" style="overflow-x: hidden">{LONG}</div></article>"""


@pytest.mark.skipif(not CHROME, reason="needs Chromium")
@pytest.mark.parametrize("text, expected", [(GOOD, (3, 0, 2, 0, 0, 0, 0)),
                                            (BAD, (2, 2, 2, 1, 1, 1, 1))])
def test_what_is_counted(browser, tmp_path, monkeypatch, text, expected):
    monkeypatch.setattr(counts, "PAGES", tmp_path)
    page = tmp_path / "page.html"
    page.write_text(text)
    assert tuple(counts.count(browser, page).values())[:7] == expected


def test_numbers_over_their_limits_are_named():
    total = dict.fromkeys(counts.COLUMNS, 0) | {"blocks": 100, "sideways": 5}
    assert counts.limits(total, 2000) == []
    assert len(counts.limits(total | {"sideways": 6, "double ids": 1}, 2001)) == 3
