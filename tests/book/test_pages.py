"""The built pages in a real browser, from the disk and without a network, as somebody
reads them on a train."""

from __future__ import annotations

import json
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from chromium import PHONE
from conftest import HTML, OFFLINE
from ipywidgets.embed import embed_data
from matplotlib.figure import Figure

from fairfl import figures

pytestmark = pytest.mark.slow

# without the listings of the library's files, which viewcode makes
PAGES = sorted(path for path in HTML.rglob("*.html")
               if not {"_static", "_modules"} & set(path.parts))
OF_THE_BOOK = [path for path in PAGES if path.relative_to(HTML).parts[0] == "book"]
LOCAL = ("file:", "data:", "blob:", "about:")
ALT_AT_LEAST = 20  # characters

if not PAGES:
    pytest.skip("needs the built book: make book", allow_module_level=True)


def wait(browser, script: str):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, 20).until(
        lambda b: b.execute_script(f"return {script}")
    )


def load(browser, path: Path) -> None:
    """Opens a page and waits until its mathematics and widgets are drawn."""
    browser.get_log("performance"), browser.get_log("browser")  # forget the page before
    browser.get(path.as_uri())
    wait(browser, "document.readyState == 'complete'")
    if browser.execute_script("return !!window.MathJax?.startup?.promise"):
        browser.execute_async_script("MathJax.startup.promise.then(arguments[0])")
    wait(browser,
         "document.querySelectorAll('.jupyter-widgets').length >= "
         f"{path.read_text().count(VIEW)}")


VIEW = '<script type="application/vnd.jupyter.widget-view+json">'


def network_and_console(browser) -> list[str]:
    messages = [json.loads(entry["message"])["message"]
                for entry in browser.get_log("performance")]
    asked = {m["params"]["request"]["url"] for m in messages
             if m["method"] == "Network.requestWillBeSent"}
    errors = [entry["message"] for entry in browser.get_log("browser")
              if entry["level"] == "SEVERE"]
    return ([f"asks for {url}" for url in asked if not url.startswith(LOCAL)]
            + [f"console: {text}" for text in errors])


def mathematics(browser) -> list[str]:
    unset = browser.execute_script(
        "return [...document.querySelectorAll('article .math')]"
        ".filter(e => !e.querySelector('mjx-container')).map(e => e.textContent)"
    )
    wrong = browser.execute_script(
        "return [...document.querySelectorAll('mjx-merror')].map(e => e.textContent)"
    )
    return ([f"mathematics not set: {text}" for text in unset]
            + [f"mathematics wrong: {text}" for text in wrong])


def images(browser) -> list[str]:
    found = browser.execute_script(
        "return [...document.querySelectorAll('article img')].map(i => [i.alt, i.src])"
    )
    return [f"alternative text of {src[:60]}: {alt!r}" for alt, src in found
            if len(alt.strip()) < ALT_AT_LEAST or "_images/" in alt
            or Path(urlsplit(src).path).stem in alt]


def phone(browser) -> list[str]:
    """What a phone's screen cuts off; what scrolls within its own frame (code, tables,
    formulas) is fine, and so are shapes that their drawing clips, and the hidden copies
    of formulas that screen readers take."""
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        return browser.execute_script("""
            const width = arguments[0];  // innerWidth is of a page zoomed out
            const scrolls = e => e
                && (["auto", "scroll"].includes(getComputedStyle(e).overflowX)
                    || (e.tagName != "ARTICLE" && scrolls(e.parentElement)));
            const wide = [...document.querySelectorAll("article *")].filter(
                e => e.checkVisibility() && !scrolls(e.parentElement)
                    && !e.closest("mjx-assistive-mml")
                    && (!e.ownerSVGElement || e.tagName == "text")
                    && e.getBoundingClientRect().right > width + 1);
            const page = document.documentElement.scrollWidth > width
                ? ["the page scrolls sideways"] : [];
            return page.concat(wide.map(
                e => `cut off on a phone: ${e.tagName} ${e.className}`));
            """, PHONE["width"])
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


SHOWN = ("[...arguments[0].querySelectorAll('.widget-html img')]"
         ".filter(i => i.offsetParent).map(i => i.alt).join()")


def steppers(browser) -> list[str]:
    """Each stepper shows another picture after a press of an arrow key, and goes on by
    itself after Play."""
    from selenium.common.exceptions import TimeoutException
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    def changes(root, before: str, what: str) -> list[str]:
        try:
            WebDriverWait(browser, 3).until(
                lambda b: b.execute_script(f"return {SHOWN}", root) != before
            )
            return []
        except TimeoutException:
            return [f"{what} does not change {before!r}"]

    wrong = []
    for play in browser.find_elements("css selector", ".widget-play"):
        root = browser.execute_script("return arguments[0].closest('.widget-vbox')",
                                      play)
        before = browser.execute_script(f"return {SHOWN}", root)
        root.find_element("css selector", ".noUi-handle").send_keys(Keys.ARROW_RIGHT)
        wrong += changes(root, before, "the arrow key")
        before = browser.execute_script(f"return {SHOWN}", root)
        play.find_element("css selector", "button").send_keys(Keys.ENTER)
        wrong += changes(root, before, "Play")
    return wrong


CHECKS = (network_and_console, mathematics, images, phone, steppers)


def faults(browser, path: Path) -> list[str]:
    load(browser, path)
    return [fault for check in CHECKS for fault in check(browser)]


class Links(HTMLParser):
    """The targets of a page's links and the names that links can lead to."""

    def __init__(self, path: Path):
        super().__init__()
        self.targets, self.names = set(), set()
        self.ids: Counter[str] = Counter()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "a" and attributes.get("href"):
            self.targets.add(attributes["href"])
        self.names.update(value for key, value in attributes.items()
                          if key in ("id", "name") and value)
        self.ids[attributes.get("id")] += 1


def dead_links(path: Path) -> list[str]:
    page, dead = Links(path), []
    for target in sorted(page.targets):
        link = urlsplit(target)
        if link.scheme:
            continue
        file = (path.parent / unquote(link.path)).resolve() if link.path else path
        if not file.is_file() or (link.fragment and file.suffix == ".html"
                                  and unquote(link.fragment) not in Links(file).names):
            dead.append(target)
    return dead


def named(path: Path) -> str:
    return path.relative_to(HTML).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_page_works_without_a_network(browser, page):
    assert faults(browser, page) == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_of_the_page_lead_somewhere(page):
    assert dead_links(page) == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_id_stands_twice_on_a_page(page):
    ids = Links(page).ids
    assert [name for name, count in ids.items() if name and count > 1] == []


@pytest.mark.parametrize("page", OF_THE_BOOK, ids=named)
def test_the_page_says_what_it_is_where_it_is_shared(page):
    text = page.read_text()
    assert text.count('name="description"') == 1
    assert 'property="og:title"' in text and 'property="og:description"' in text


SPOILED = {
    "asks for https://example.org/":
        '<img alt="Twenty characters or more." src="https://example.org/a.png">',
    "console: ": "<script>console.error('broken')</script>",
    "mathematics not set: x": '<span class="math">x</span>',
    "mathematics wrong: x": "<mjx-merror>x</mjx-merror>",
    "alternative text": '<img alt="../_images/0123456789abcdef0123.png" src="data:,">',
    "the page scrolls sideways": '<div style="width: 600px">wide</div>',
    "cut off on a phone: DIV":
        '<div style="overflow-x: hidden"><div style="width: 600px">wide</div></div>',
}


@pytest.mark.parametrize("fault", SPOILED)
def test_a_fault_of_a_page_is_found(browser, tmp_path, fault):
    page = tmp_path / "page.html"
    page.write_text(f"{HEAD}<article>{SPOILED[fault]}</article>")
    assert any(found.startswith(fault) for found in faults(browser, page))


HEAD = ('<!doctype html><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">')


def write_stepper(folder: Path, linked: bool) -> Path:
    """A page with nothing but a stepper, drawn by the copy of the widgets that the
    book's pages use."""
    frames = []
    for beta in (1, 2, 3):
        figure = Figure()
        figure.subplots().plot([0, beta])
        frames.append((f"{beta}", figure, f"A line that rises from zero to {beta}."))
    data = embed_data([figures.stepper(frames, "beta")])
    state = {
        name: model
        for name, model in data["manager_state"]["state"].items()
        if linked or not model["model_name"].endswith("LinkModel")
    }
    (folder / "offline").symlink_to(OFFLINE)
    page = folder / "page.html"
    page.write_text(
        f'{HEAD}<article>{VIEW}{json.dumps(data["view_specs"][0])}</script></article>'
        f'<script type="application/vnd.jupyter.widget-state+json">'
        f'{json.dumps({**data["manager_state"], "state": state})}</script>'
        f'<script src="offline/html-manager/embed.js"></script>'
    )
    return page


def test_a_stepper_works_without_a_kernel(browser, tmp_path):
    assert faults(browser, write_stepper(tmp_path, linked=True)) == []


def test_a_stepper_that_does_not_step_is_found(browser, tmp_path):
    wrong = faults(browser, write_stepper(tmp_path, linked=False))
    assert len(wrong) == 2 and all("does not change" in fault for fault in wrong)


def test_dead_links_are_found(tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<a href="#here" id="here">a</a><a href="#there">b</a>'
                    '<a href="gone.html">c</a><a href="https://x.y">')
    assert dead_links(page) == ["#there", "gone.html"]
