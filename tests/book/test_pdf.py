"""The book on paper: what stands where, and a PDF of it."""

from pathlib import Path

import one_page
import pdf
import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
TOC = (ROOT / "_toc.yml").read_text()
NEEDS_PAGES = pytest.mark.skipif(not HTML.is_dir(), reason="needs a built book")

SMALL = """<html><body><article>
<section id="one"><h1>One<a class="headerlink" href="#one">#</a></h1>
<p class="look-up">Look up</p>
<div class="exercise" id="ex-a">Think. <a href="two.html#there">there</a>
<a href="../_modules/x.html">code</a> <a href="https://x.org">x</a></div>
<div class="solution dropdown" id="sol-a">It is 3. <a href="#ex-a">Exercise</a></div>
<div class="quiz"><p>Why?</p><details class="quiz-right"><summary>So.</summary>
<div>Right. It is so.</div></details></div>
<details class="hide above-input"><summary>Show</summary>
<div class="cell_input">plot()</div></details>
<details><summary>In the paper</summary>More.</details>
<img src="../_images/a.svg" loading="lazy">
<script type="application/vnd.jupyter.widget-view+json">{"model_id": "m"}</script>
</section></article>
<script type="application/vnd.jupyter.widget-state+json">{"state": {
 "m": {"state": {"children": ["IPY_MODEL_s", "IPY_MODEL_p", "IPY_MODEL_q"]}},
 "s": {"state": {"_model_name": "SelectionSliderModel",
                 "_options_labels": ["t = 1", "t = 2"]}},
 "p": {"state": {"_model_name": "HTMLModel", "value": "<img alt='first'>"}},
 "q": {"state": {"_model_name": "HTMLModel", "value": "<img alt='second'>"}}
}}</script></body></html>"""
OTHER = """<html><body><article><section id="two"><h1>Two</h1><p id="there">Here.</p>
</section></article></body></html>"""
SMALL_TOC = ("root: book/one\nparts:\n  - caption: Rest\n    chapters:\n"
             "      - file: book/two\n      - file: book/api/index\n")


@pytest.fixture
def small(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "one.html").write_text(SMALL)
    (tmp_path / "book" / "two.html").write_text(OTHER)
    (tmp_path / "_static").mkdir()
    return BeautifulSoup(one_page.whole(tmp_path, SMALL_TOC, "Tiny", "Nobody"),
                         "html.parser")


def test_pages_are_in_order_and_solutions_at_the_end(small):
    assert [h.get_text() for h in small.find_all("h1")] == ["One", "Two", "Solutions"]
    (solution,) = small.select("div.solution")
    assert solution.find_parent(id="solutions")
    assert [item.get_text() for item in small.select("nav li")] == [
        "One", "Rest", "Two", "Solutions"]


def test_links_lead_to_places_of_the_page_or_are_text(small):
    ids = [tag["id"] for tag in small.find_all(id=True)]
    assert len(ids) == len(set(ids))
    inside = [a["href"][1:] for a in small.find_all("a", href=True)
              if a["href"].startswith("#")]
    assert set(inside) <= set(ids) and len(inside) >= 5
    assert small.find("a", href="https://x.org") and "code" in small.get_text()
    assert not small.find("a", string="code")
    assert small.find("img", loading="eager")["src"] == "../html/_images/a.svg"


def test_what_is_folded_is_open_or_left_out(small):
    text = small.get_text()
    assert "plot()" not in text and "Look up" not in text
    assert small.find("summary", string="In the paper").parent.has_attr("open")
    chapter = small.find(id="book-one")
    assert "So." in chapter.get_text() and "It is so." not in chapter.get_text()
    assert "It is so." in small.find(id="solutions").get_text()
    assert [img["alt"] for img in small.select(".frames img")] == ["first", "second"]
    assert [c.get_text() for c in small.find_all("figcaption")] == ["t = 1", "t = 2"]


def test_an_outline_says_each_title_once():
    twice = (b"/Title (Some \\(a\\) titleSome \\(a\\) title)\n"
             b"/Title <FEFF00410041>/Title (Bobo)")
    assert len(pdf.once(twice)) == len(twice)
    assert pdf.outline(pdf.once(twice))[:2] == ["Some (a) title", "A"]


def test_without_a_browser_it_says_so(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(SystemExit, match="needs Chromium"):
        pdf.check_browser()


@pytest.mark.slow
@NEEDS_PAGES
def test_all_chapters_of_the_book_and_then_the_solutions(tmp_path):
    page = BeautifulSoup(one_page.whole(HTML, TOC, "Book", "We"), "html.parser")
    wanted = [BeautifulSoup((HTML / f"{name}.html").read_text(), "html.parser")
              .find("h1").find(string=True).strip()
              for kind, name in one_page.contents(TOC) if kind == "page"]
    titles = [h.get_text().strip() for h in page.find_all("h1")]
    assert titles == [*wanted, "Solutions"] and len(titles) > 20
    solutions = page.select("div.solution")
    assert len(solutions) > 50
    assert all(one.find_parent(id="solutions") for one in solutions)
    ids = {tag["id"] for tag in page.find_all(id=True)}
    lost = [a["href"] for a in page.find_all("a", href=True)
            if a["href"].startswith("#") and a["href"][1:] not in ids]
    assert not lost


@NEEDS_PAGES
def test_the_pdf_has_the_titles_in_order_and_solutions_last(browser, tmp_path):
    toc = ("root: book/intro\n  - file: book/learning_together\n"
           "  - file: book/paying_with_gradients\n")
    page = tmp_path / "pdf" / "book.html"
    page.parent.mkdir()
    (tmp_path / "html").symlink_to(HTML)
    page.write_text(one_page.whole(HTML, toc, "Book", "We"))
    found = pdf.printed(browser, page)
    titles = [title for title in pdf.outline(found)
              if title in ("Learning together", "Paying with gradients", "Solutions")]
    assert titles[-1] == "Solutions"
    assert titles.index("Learning together") < titles.index("Paying with gradients")
    assert found.startswith(b"%PDF") and found.count(b"/Subtype /Link") > 20
