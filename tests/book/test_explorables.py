"""The explorables of the book in a real browser: their mathematics against the library,
and their handling."""

from __future__ import annotations

import json
import math
import shutil
import time
from itertools import permutations
from pathlib import Path

import fairfl_book
import numpy as np
import pytest
import torch
from conftest import HTML
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from test_pages import HEAD, PHONE, load, network_and_console, phone

from book.reproduction import masks
from book.theory import traffic
from fairfl import approximation, cgsv, figures, rewards, shapley

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "book" / "_ext" / "explorables"
PAY, THREE = "explorable-payments", "explorable-coalitions"
MAP = "explorable-averaging"
TAGS = ("explorable-vectors", "explorable-slope", "explorable-traffic",
        "explorable-hospitals", "explorable-label_noise", PAY, THREE, MAP)
ALT = "A picture that stands in for the explorable."
PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
TOLERANCE = 1e-9

CASES = {
    "three": [[1, 0.2], [0.7, 0.8], [-0.3, 0.9]],
    "all psi >= 0": [[1, 0], [0.9, 0.3], [0.5, 0.7], [0.2, 0.1]],
    "opposed": [[1.2, 0.1], [-0.9, 0.2], [0.1, -0.8], [0.4, 0.4], [-0.5, 0.6]],
    "duplicates": [[1, 0.5], [1, 0.5], [0.2, 0.9]],
    "a zero update": [[1, 0.2], [0, 0], [-0.3, 0.9]],
    "two zero updates": [[1, 0.2], [0, 0], [0, 0]],
    "two that count": [[1, 0.2], [0.3, 1.1], [0, 0]],
    "a coalition cancels": [[0.7, 0.1], [-0.7, -0.1], [0.4, 0.9], [1, 0]],
    "a coalition cancels to within rounding":
        [[0.1, 0], [0.2, 0], [-0.3, 0], [0.4, 0.9]],
    "all cancel": [[0.5, 0.5], [-0.5, 0.5], [0, -1]],
    "all cancel to within rounding": [[0.1, 0], [0.2, 0], [-0.3, 0]],
    "no update at all": [[0, 0], [0, 0], [0, 0]],
}


def write_page(folder: Path, more: str = "tag_certificates",
               tags: tuple[str, ...] = TAGS) -> Path:
    """A page with these explorables, the cells as MyST-NB writes them; `more` are
    further classes of theirs. What they play is recorded, or stands in the folder."""
    scripts = folder / "explorables"
    shutil.copytree(SCRIPTS, scripts, dirs_exist_ok=True)
    for name, file in fairfl_book.RECORDED.items():
        (scripts / f"{name}_data.js").write_text(fairfl_book.as_script(name, file))
    cells = "".join(
        f'<div class="cell tag_{tag} {more} docutils container">'
        '<div class="cell_output docutils container"><figure class="align-default">'
        f'<img alt="{ALT}" src="{PIXEL}" width="300" height="200">'
        f"<figcaption><p>Caption of {tag}.</p></figcaption></figure></div></div>"
        for tag in tags
    )
    names = [tag.removeprefix("explorable-") for tag in tags]
    data = [f"{name}_data" for name in names if (scripts / f"{name}_data.js").exists()]
    loaded = "".join(f'<script defer src="explorables/{name}.js"></script>'
                     for name in ("cgsv", "page", *data, *names))
    page = folder / "page.html"
    style = '<link rel="stylesheet" href="explorables/explorables.css">'
    page.write_text(f"{HEAD}{style}{loaded}<article>{cells}</article>")
    return page


@pytest.fixture
def page(browser, tmp_path):
    load(browser, write_page(tmp_path))
    yield browser
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def explorable(browser, tag: str):
    return browser.find_element("css selector", f".tag_{tag} .explorable")


def handles(browser) -> list:
    return browser.find_elements("css selector", ".explorable .handle")


def read(browser, tag: str, what: str):
    return browser.execute_script(f"return arguments[0].explorable.{what}",
                                  explorable(browser, tag))


def put(browser, tag: str, state: dict) -> None:
    browser.execute_script("arguments[0].explorable.state = arguments[1]",
                           explorable(browser, tag), state)


def press(browser, element, *keys: str) -> None:
    browser.execute_script("arguments[0].focus()", element)
    ActionChains(browser).send_keys(*keys).perform()


def touch_drag(browser, element, dx: float, dy: float) -> None:
    """A finger put on the element and moved by so many pixels, in steps."""
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    x, y = browser.execute_script("const b = arguments[0].getBoundingClientRect(); "
                                  "return [b.x + b.width / 2, b.y + b.height / 2]",
                                  element)

    def send(kind, *points):
        browser.execute_cdp_cmd("Input.dispatchTouchEvent",
                                {"type": kind, "touchPoints": list(points)})

    send("touchStart", {"x": x, "y": y})
    for step in range(1, 9):
        send("touchMove", {"x": x + dx * step / 8, "y": y + dy * step / 8})
    send("touchEnd")


def by_hand(vectors) -> dict:
    """psi, phi and the certificate from their definitions, as averages over all N!
    orders of the agents."""
    a = np.array(vectors, dtype=float)
    n, names = len(a), ("psi", "phi", "centre", "radius")
    reach, whole = np.linalg.norm(a, axis=1), a.sum(0)
    length = np.linalg.norm(whole)
    if length <= 1e-6 * reach.sum():
        return dict.fromkeys(names, np.zeros(n))
    active = reach > 0
    squares, count = (a**2).sum(), active.sum()

    # v, its development w, and the bound (x - 1)^2 of the difference
    def terms(members):
        coalition = [i for i in members if active[i]]
        if not coalition:
            return np.zeros(3)
        u, s = a[coalition].sum(0), len(coalition)
        mean = (s / count * squares
                + s * (s - 1) / max(count * (count - 1), 1) * (length**2 - squares))
        h, g, x = np.linalg.norm(u), u @ whole / length, u @ u / mean
        v = g / h if h > 1e-6 * reach[coalition].sum() else 0
        return np.array([v, g / math.sqrt(mean) * (1.5 - x / 2), (x - 1) ** 2])

    total = np.zeros((n, 4))
    for order in permutations(range(n)):
        for place, i in enumerate(order):
            before, joined = terms(order[:place]), terms(order[: place + 1])
            total[i] += [*(joined - before)[:2], joined[2], before[2]]
    phi, centre, above, below = total.T / math.factorial(n)
    least = np.linalg.eigvalsh(a[active] @ a[active].T)[0]
    # more vectors than dimensions: 0 exactly
    least = least if count <= a.shape[1] else 0
    sizes = np.arange(1, count + 1)
    means = (sizes / count * squares
             + sizes * (sizes - 1) / max(count * (count - 1), 1)
             * (length**2 - squares))
    y = math.sqrt(max((sizes * least / means).min(), 0))
    factor = (y + 2) / (2 * (y + 1) ** 2)
    above, below = factor * above * active, factor * below * active
    if (a @ whole < 0).any():
        above = below = above + below
    psi = np.array([terms([i])[0] for i in range(n)])
    return dict(zip(names,
                    (psi, phi, centre + (above - below) / 2, (above + below) / 2),
                    strict=True))


def check_values(browser, expected) -> None:
    """What the page shows against `expected(vectors)`, for the vectors that it
    shows."""
    vectors = read(browser, TAGS[0], "state.vectors")
    result = read(browser, TAGS[0], "result")
    for name, values in expected(vectors).items():
        assert np.abs(np.array(result[name]) - values).max() <= TOLERANCE, (
            name, vectors,
        )
    low, high = (np.array(result["centre"]) + sign * np.array(result["radius"])
                 for sign in (-1, 1))
    agents = range(len(vectors))
    assert {(i, j) for i in agents for j in agents if low[i] > high[j]} <= set(
        map(tuple, result["certified"])
    )
    assert all(result["phi"][i] > result["phi"][j] for i, j in result["certified"])
    assert result["right"] == sum(result["psi"][i] > result["psi"][j] + TOLERANCE
                                  for i, j in result["certified"])


@pytest.mark.parametrize("case", CASES)
def test_values_are_those_of_the_definitions(page, case):
    put(page, TAGS[0], {"vectors": CASES[case]})
    check_values(page, by_hand)
    exact = cgsv.exact(cgsv.gram(np.array(CASES[case], dtype=float)))
    assert (np.abs(np.array(read(page, TAGS[0], "result.phi")) - exact).max()
            <= TOLERANCE)


def test_values_are_those_of_the_library(page):
    def library(vectors):
        gram = cgsv.gram(np.array(vectors, dtype=float))
        found = approximation.certificate(gram)
        return {"phi": cgsv.exact(gram), "centre": found.centre, "radius": found.radius}

    for vectors in CASES.values():
        put(page, TAGS[0], {"vectors": vectors})
        check_values(page, library)
        sure = approximation.certified(cgsv.gram(np.array(vectors, dtype=float)))
        assert (sorted(read(page, TAGS[0], "result.certified"))
                == np.argwhere(sure).tolist())
    for agents, rho in ((3, 0.0), (10, 0.3), (42, 0.77), (100, 1.0)):
        put(page, TAGS[1], {"N": agents, "rho": rho})
        assert abs(read(page, TAGS[1], "result.slope")
                   - approximation.slope(agents, rho)) <= TOLERANCE


def test_the_words_and_numbers_on_the_page(page):
    put(page, TAGS[0], {"vectors": CASES["all cancel"]})
    assert "every value is 0" in explorable(page, TAGS[0]).text
    put(page, TAGS[0], {"vectors": CASES["a zero update"]})
    assert "Agent 2 has no update" in explorable(page, TAGS[0]).text
    put(page, TAGS[0], {"vectors": CASES["three"]})
    assert ("settles 3 of the 3 pairs, and ψ ranks all of these right"
            in explorable(page, TAGS[0]).text)
    # Three copies of one update, one at a right angle, one between: psi puts the last
    # first, phi puts it fourth.
    swapped = [[1, 0]] * 3 + [[0, 1], [math.cos(0.849), math.sin(0.849)]]
    put(page, TAGS[0], {"vectors": swapped})
    text, result = explorable(page, TAGS[0]).text, read(page, TAGS[0], "result")
    assert "Order by ψ: 5 > 1 = 2 = 3 > 4." in text
    assert "Order by φ: 1 = 2 = 3 > 5 > 4." in text
    assert f"settles {len(result['certified'])} of the 10 pairs" in text
    for i in range(5):
        interval = f"{result['centre'][i]:.3f} ± {result['radius'][i]:.3f}"
        assert (f"{i + 1} {result['psi'][i]:.3f} {result['phi'][i]:.3f} {interval}"
                in text)
    live = page.find_elements("css selector", ".explorable [aria-live=polite]")
    assert [bool(element.text) for element in live] == [True] * len(TAGS)


def test_certificates_are_shown_where_the_cell_asks_for_them(browser, tmp_path):
    load(browser, write_page(tmp_path, more=""))
    text = explorable(browser, TAGS[0]).text
    assert "certif" not in text and "The ψ sum to 2.39, the φ to 1." in text
    assert "negative" not in text
    put(browser, TAGS[0], {"vectors": CASES["opposed"]})
    assert "ψ of agent 2 is negative" in explorable(browser, TAGS[0]).text
    check_values(browser, by_hand)


def test_arrow_keys_move_a_tip(page):
    before = read(page, TAGS[0], "state.vectors")
    press(page, handles(page)[1], Keys.ARROW_RIGHT, Keys.ARROW_UP, Keys.ARROW_UP)
    x, y = before[1]
    assert read(page, TAGS[0], "state.vectors") == [
        before[0], pytest.approx([x + 0.05, y + 0.1]), before[2],
    ]
    check_values(page, by_hand)
    large_steps = ActionChains(page).key_down(Keys.SHIFT)
    large_steps.send_keys(Keys.ARROW_LEFT, Keys.ARROW_DOWN).key_up(Keys.SHIFT).perform()
    assert read(page, TAGS[0], "state.vectors[1]") == pytest.approx(
        [x + 0.05 - 0.25, y + 0.1 - 0.25]
    )
    label = handles(page)[1].get_attribute("aria-label")
    assert label == f"update of agent 2, ({x - 0.2:.2f}, {y - 0.15:.2f})"
    press(page, handles(page)[0], *[Keys.ARROW_LEFT] * 60)
    assert read(page, TAGS[0], "state.vectors[0][0]") == -1.5
    assert "\u22121.50" in handles(page)[0].accessible_name
    check_values(page, by_hand)


def test_arrow_keys_do_not_scroll(page):
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    press(page, handles(page)[0], Keys.ARROW_UP)
    scrolled = page.execute_script("return window.scrollY")
    press(page, handles(page)[0], *[Keys.ARROW_DOWN] * 20)
    time.sleep(0.5)  # scrolling is smooth, so it shows late
    assert page.execute_script("return window.scrollY") == scrolled


def test_a_finger_moves_a_tip_and_does_not_scroll(page):
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    before = read(page, TAGS[0], "state.vectors")
    handle = handles(page)[2]
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", handle)
    scrolled = page.execute_script("return window.scrollY")
    # for a hundredth
    pixels = page.execute_script("return arguments[0].getScreenCTM().a", handle)
    touch_drag(page, handle, 40 * pixels, 120 * pixels)
    assert read(page, TAGS[0], "state.vectors[2]") == pytest.approx(
        [before[2][0] + 0.4, before[2][1] - 1.2], abs=0.02,
    )
    assert read(page, TAGS[0], "state.vectors")[:2] == before[:2]
    assert page.execute_script("return window.scrollY") == scrolled
    check_values(page, by_hand)
    where = page.execute_script(
        "return getComputedStyle(arguments[0].closest('svg')).touchAction", handle,
    )
    assert where == "auto"  # a finger beside the handles scrolls the page


def test_the_mouse_moves_a_tip(page):
    before = read(page, TAGS[0], "state.vectors")
    pixels = page.execute_script("return arguments[0].getScreenCTM().a",
                                 handles(page)[0])
    ActionChains(page).drag_and_drop_by_offset(
        handles(page)[0], round(-50 * pixels), 0,
    ).perform()
    assert read(page, TAGS[0], "state.vectors[0]") == pytest.approx(
        [before[0][0] - 0.5, before[0][1]], abs=0.02,
    )
    after = read(page, TAGS[0], "state.vectors")
    # still over the tip, but no button is down any more
    ActionChains(page).move_by_offset(6, 6).perform()
    assert read(page, TAGS[0], "state.vectors") == after


def test_buttons_add_and_remove_agents(page):
    more, fewer, again = explorable(page, TAGS[0]).find_elements(
        "css selector", "button",
    )
    start = read(page, TAGS[0], "state.vectors")
    seen = []
    for button in (fewer, more, more, more, fewer):
        if button.is_enabled():
            button.click()
        seen.append((len(handles(page)), more.is_enabled(), fewer.is_enabled()))
        assert len(read(page, TAGS[0], "state.vectors")) == len(handles(page))
        check_values(page, by_hand)
    assert seen == [(3, True, False),
                    (4, True, True),
                    (5, False, True),
                    (5, False, True),
                    (4, True, True)]
    press(page, handles(page)[0], Keys.ARROW_DOWN)
    again.click()
    assert read(page, TAGS[0], "state.vectors") == start


def test_arrow_keys_move_the_sliders(page):
    agents, rho = explorable(page, TAGS[1]).find_elements(
        "css selector", "input[type=range]",
    )
    assert "agents N" in agents.accessible_name and "cosine" in rho.accessible_name
    before = read(page, TAGS[1], "state")
    press(page, agents, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    press(page, rho, Keys.ARROW_LEFT)
    state = read(page, TAGS[1], "state")
    assert state == {"N": before["N"] + 2, "rho": pytest.approx(before["rho"] - 0.01)}
    assert (f"{read(page, TAGS[1], 'result.slope'):.3f} for N = {state['N']}"
            in explorable(page, TAGS[1]).text)
    press(page, agents, Keys.HOME), press(page, rho, Keys.HOME)
    assert read(page, TAGS[1], "state") == {"N": 3, "rho": 0}
    press(page, agents, Keys.END), press(page, rho, Keys.END)
    assert read(page, TAGS[1], "state") == {"N": 100, "rho": 1}


def slope_by_hand(agents: int, rho: float) -> float:
    """From the Shapley value of the first-order game, its sums taken literally."""
    h = [None, *(math.sqrt(s * (1 + (s - 1) * rho)) for s in range(1, agents + 1))]
    numerator = sum(h[agents] / h[s] for s in range(1, agents)) / (agents - 1)
    terms = [h[agents] ** 3 * s * (s - 1) / h[s] ** 3 for s in range(2, agents)]
    return numerator - sum(terms) / (agents * (agents - 1) * (agents - 2))


@pytest.mark.parametrize("agents, rho, rounded", [(3, 0, 0.866), (9, 0, 1.0),
                                                  (10, 0.3, 1.172), (100, 1, 1.578)])
def test_slope(page, agents, rho, rounded):
    put(page, TAGS[1], {"N": agents, "rho": rho})
    result, text = read(page, TAGS[1], "result"), explorable(page, TAGS[1]).text
    assert abs(result["slope"] - slope_by_hand(agents, rho)) <= TOLERANCE
    assert f"{rounded:.3f}" in text
    assert ({0.866: "overstates", 1.0: "as they are"}.get(rounded, "understates")
            in text.split("for N =")[1])
    shares, phi = np.array(result["shares"]), np.array(result["phi"])
    assert len(shares) == min(agents, 10) and shares.mean() == pytest.approx(1 / agents)
    assert np.ptp(shares) == pytest.approx(0.2 / agents)
    assert np.abs(
        phi - 1 / agents - slope_by_hand(agents, rho) * (shares - 1 / agents)
    ).max() <= TOLERANCE


def test_the_slope_predicts_phi(page):
    """The law itself: agents of one length whose cosines differ little, the exact
    values by the library."""
    agents, rho, rng = 8, 0.4, np.random.default_rng(0)
    noise = np.triu(rng.normal(scale=1e-4, size=(agents, agents)), 1)
    noise -= np.triu(np.full_like(noise, noise.sum() / math.comb(agents, 2)), 1)
    gram = np.full((agents, agents), rho) + (1 - rho) * np.eye(agents) + noise + noise.T
    psi = gram.sum(1) / gram.sum()
    phi = cgsv.exact(gram)
    put(page, TAGS[1], {"N": agents, "rho": rho})
    predicted = 1 / agents + read(page, TAGS[1], "result.slope") * (psi - 1 / agents)
    assert np.abs(phi - predicted).max() < 1e-3 * np.abs(phi - psi).max()


@pytest.mark.parametrize("value", [2, 4, 8])
@pytest.mark.parametrize(("share", "shortest"), [
    (0.001, "pairs"), (0.03, "pairs"), (0.033, "bitmap"), (0.5, "bitmap"),
    (0.93, "bitmap"), (1, "dense")])
def test_the_bytes_are_those_of_the_book(page, share, shortest, value):
    many = 8_000_000
    put(page, TAGS[2], {"share": share, "value": value})
    result, text = read(page, TAGS[2], "result"), explorable(page, TAGS[2]).text
    counted = traffic.forms(round(share * many), many, value)
    assert result["bytes"] == pytest.approx(
        [int(part) / int(counted.dense) for part in counted], abs=TOLERANCE)
    assert result["changes"] == pytest.approx(traffic.changes(value))
    assert result["shortest"] == shortest and f"Shortest: {shortest}." in text


def test_arrow_keys_move_the_share(page):
    share, value = explorable(page, TAGS[2]).find_elements(
        "css selector", "input[type=range]")
    assert "share" in share.accessible_name and "bytes" in value.accessible_name
    press(page, share, Keys.HOME), press(page, value, Keys.END)
    assert read(page, TAGS[2], "state") == {"share": pytest.approx(0.001), "value": 8}
    press(page, share, Keys.END, Keys.ARROW_LEFT), press(page, value, Keys.ARROW_LEFT)
    assert read(page, TAGS[2], "state") == {"share": pytest.approx(10**-0.01),
                                            "value": 4}
    text = explorable(page, TAGS[2]).text
    assert "98 % of the entries, 4 bytes a number: pairs 195 %" in text


HOSPITALS = json.loads(fairfl_book.RECORDED["hospitals"].read_text())


@pytest.mark.parametrize("kinds", [
    ["many", "few", "many, half wrong"], ["few"] * 3,
    ["few, half wrong", "many, half wrong", "many"]])
@pytest.mark.parametrize("beta", HOSPITALS["betas"])
def test_the_hospitals_are_those_of_the_record(page, kinds, beta):
    put(page, TAGS[3], {"kinds": kinds, "beta": beta})
    result, text = read(page, TAGS[3], "result"), explorable(page, TAGS[3]).text
    run = HOSPITALS["runs"]["/".join([*kinds, beta])]
    assert result["value"] == run["value"] and result["share"] == run["share"]
    assert result["home"] == run["accuracy"][-1]
    alone = [HOSPITALS["alone"][f"{name}/{kind}"]
             for name, kind in zip(HOSPITALS["names"], kinds, strict=True)]
    assert result["alone"] == alone
    least = HOSPITALS["names"][run["value"].index(min(run["value"]))]
    assert f"{least} least" in text
    better = all(home >= own for home, own in zip(result["home"], alone, strict=True))
    assert ("All do better together than alone" in text) == better


def test_a_hospital_is_chosen_from_its_list(page):
    selects = explorable(page, TAGS[3]).find_elements("css selector", "select")
    assert [select.accessible_name for select in selects] == [
        "Hospital A", "Hospital B", "Hospital C", "Altruism of the server"]
    press(page, selects[1], Keys.END)
    press(page, selects[3], Keys.END)
    assert read(page, TAGS[3], "state") == {
        "kinds": ["many", "many, half wrong", "many, half wrong"], "beta": "inf"}
    assert "100 %" in explorable(page, TAGS[3]).text


NOISE = json.loads(fairfl_book.RECORDED["label_noise"].read_text())


@pytest.mark.parametrize(("t", "says"), [
    (1, "Nobody has told the server"), (12, "The agent with 60 % wrong labels weighs"),
    (30, "Who has 60 % wrong labels has lost all weight"),
    (60, "Who has 60 % or 40 % wrong labels has lost all weight")])
def test_the_label_noise_run_is_that_of_the_record(page, t, says):
    put(page, TAGS[4], {"t": t})
    series, result = NOISE["history"]["series"], read(page, TAGS[4], "result")
    assert result["r"] == series["r"]["values"][t - 1]
    assert result["distance"] == series["server_distance"]["values"][t - 1]
    assert says in explorable(page, TAGS[4]).text
    lines = explorable(page, TAGS[4]).find_elements("css selector", "polyline")
    assert [len(line.get_attribute("points").split()) for line in lines] == [t] * 10
    labels = explorable(page, TAGS[4]).text
    assert labels.count("none wrong") >= 4  # two agents in two charts


def play_button(browser):
    return explorable(browser, TAGS[4]).find_element("css selector", "button")


def test_a_run_plays_pauses_and_starts_again(page):
    button = play_button(page)
    put(page, TAGS[4], {"t": 57})
    if "Pause" in button.text:  # it had come into view
        button.click()
    put(page, TAGS[4], {"t": 57})
    words = explorable(page, TAGS[4]).find_element("css selector", ".words")
    button.click()
    assert "Pause" in button.text and words.get_attribute("aria-live") == "off"
    time.sleep(1.5)  # three steps
    assert read(page, TAGS[4], "state.t") == 60 and "Play" in button.text
    assert words.get_attribute("aria-live") == "polite"
    button.click()
    time.sleep(0.5)
    assert 1 <= read(page, TAGS[4], "state.t") < 30
    slider = explorable(page, TAGS[4]).find_element("css selector", "input")
    press(page, slider, Keys.END, Keys.ARROW_LEFT)  # the slider stops it
    time.sleep(0.5)
    assert read(page, TAGS[4], "state.t") == 59 and "Play" in button.text


@pytest.mark.parametrize("wish", ["reduce", "no-preference"])
def test_it_plays_by_itself_but_for_those_who_want_no_motion(browser, tmp_path, wish):
    feature = {"name": "prefers-reduced-motion", "value": wish}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    try:
        load(browser, write_page(tmp_path))
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'})",
                               explorable(browser, TAGS[4]))
        time.sleep(1)
        assert (read(browser, TAGS[4], "state.t") > 1) == (wish != "reduce")
        assert ("Pause" in play_button(browser).text) == (wish != "reduce")
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


PAYMENTS = json.loads(fairfl_book.RECORDED["payments"].read_text())


@pytest.mark.parametrize("update", PAYMENTS["curves"])
@pytest.mark.parametrize(("parts", "beta"), [
    ([0.5, 0.3, 0.2], 1), ([1, 1, 1], 0.1), ([1, 0.02, 0.3], 100), ([0.01, 1, 0.5], 7)])
def test_the_payments_are_those_of_the_library(page, parts, beta, update):
    put(page, PAY, {"parts": parts, "beta": beta, "update": update})
    result, text = read(page, PAY, "result"), explorable(page, PAY).text
    r = torch.tensor(parts, dtype=torch.float64)
    r /= r.sum()
    D = PAYMENTS["dimension"][update.split("/")[0]]
    share = rewards.quotas(r, beta, D).double() / D
    assert result["share"] == pytest.approx(share.tolist(), abs=TOLERANCE)
    cosine = np.interp(share, masks.shares(), PAYMENTS["curves"][update])
    assert result["cosine"] == pytest.approx(cosine.tolist(), abs=TOLERANCE)
    assert f"{np.ptp(cosine):.2f} of cosine" in text and "cos 1.00" in text


def test_importance_and_altruism_are_moved_by_keys(page):
    *parts, beta = explorable(page, PAY).find_elements(
        "css selector", "input[type=range]")
    assert [part.accessible_name.split(" =")[0] for part in parts] == [
        "importance of A", "importance of B", "importance of C"]
    press(page, parts[2], Keys.HOME), press(page, beta, Keys.END)
    press(page, explorable(page, PAY).find_element("css selector", "select"), Keys.END)
    assert read(page, PAY, "state") == {
        "parts": [0.5, 0.3, 0.01], "beta": pytest.approx(100), "update": "mnist/30"}
    assert "β = 100" in explorable(page, PAY).text


def of_three(values: list[float]) -> dict:
    """The explorable's values of A, B, C, AB, AC, BC, ABC as the library's table."""
    table = torch.tensor([0, *(values[place] for place in (0, 1, 3, 2, 4, 5, 6))])
    return {"phi": shapley.exact(table.double()).tolist(), "alone": values[:3],
            "last": [values[6] - values[place] for place in (5, 4, 3)]}


@pytest.mark.parametrize("values", [
    [60, 60, 30, 60, 90, 90, 90], [0, 0, 0, 0, 60, 60, 60], [0] * 7,
    [60, 0, 30, 40, 90, 20, 70], [100, 3, 17, 0, 41, 88, 29]])
def test_the_values_of_three_are_the_librarys(page, values):
    put(page, THREE, {"values": values})
    result = read(page, THREE, "result")
    for name, expected in of_three(values).items():
        assert result[name] == pytest.approx(expected, abs=TOLERANCE)
    assert [sum(row) for row in result["added"]] == [values[6]] * 6
    text = explorable(page, THREE).text
    assert f"together {values[6]}, what all three achieve" in text
    assert "Shapley values: A " in text


@pytest.mark.parametrize(("values", "says"), [
    ([60, 60, 30, 60, 90, 90, 90], "A and B add the same to everybody"),
    ([60, 0, 30, 60, 90, 30, 90], "B never adds anything, so its value is 0"),
    ([30, 20, 10, 50, 40, 30, 60], "what all three achieve."),
    ([60, 60, 60, 60, 60, 60, 60], "B and C add the same to everybody")])
def test_it_names_equals_and_those_who_add_nothing(page, values, says):
    put(page, THREE, {"values": values})
    text = explorable(page, THREE).text
    assert says in text
    assert ("never adds" in text) == ("never adds" in says)
    assert ("add the same" in text) == ("add the same" in says)


def test_a_game_is_chosen_and_moved(page):
    buttons = explorable(page, THREE).find_elements("css selector", "button")
    sliders = explorable(page, THREE).find_elements("css selector", "input")
    assert [slider.accessible_name.split(" = ")[0] for slider in sliders] == [
        "A alone", "B alone", "C alone", "A and B", "A and C", "B and C", "all three"]
    for button in buttons:
        button.click()
        values = read(page, THREE, "state.values")
        assert read(page, THREE, "result.phi") == pytest.approx(
            of_three(values)["phi"], abs=TOLERANCE)
    press(page, sliders[6], Keys.ARROW_RIGHT), press(page, sliders[1], Keys.END)
    assert read(page, THREE, "state.values") == [60, 100, 30, 40, 90, 20, 71]
    buttons[0].click()
    assert read(page, THREE, "result.phi") == [30, 30, 30]


def on_the_map(steps: int, share: float, lengths: str) -> dict:
    """The way in the two valleys of "Learning together", from its equations."""
    valleys = np.array([(-0.9, 0.4), (0.8, 0.7)])
    rise = np.array([[(1, 0.3), (0.3, 0.4)], [(0.3, -0.1), (-0.1, 1.1)]])
    weights, places = np.array([share, 1 - share]), [np.array((0.2, -1.1))]
    for t in range(1, 21):
        walkers = np.stack([places[-1]] * 2)
        for _ in range(steps):
            walkers = walkers - 0.3 * np.einsum("kij,kj->ki", rise, walkers - valleys)
        updates = walkers - places[-1]
        if lengths != "raw":
            gamma = 0.3 * (0.85 ** (t - 1) if lengths == "decaying" else 1)
            updates *= gamma / np.linalg.norm(updates, axis=1, keepdims=True)
        places.append(places[-1] + weights @ updates)
    best = np.linalg.solve(np.einsum("k,kij->ij", weights, rise),
                           np.einsum("k,kij,kj->i", weights, rise, valleys))

    def loss(w):
        off = w - valleys
        return weights @ np.einsum("ki,kij,kj->k", off, rise, off) / 2

    return {"path": places, "best": best, "least": loss(best),
            "loss": [loss(w) for w in places]}


@pytest.mark.parametrize("lengths", ["raw", "constant", "decaying"])
@pytest.mark.parametrize(("steps", "share"), [(1, 0.5), (20, 0.5), (7, 0.9), (3, 0.1)])
def test_the_way_on_the_map_is_that_of_the_equations(page, steps, share, lengths):
    state = {"t": 20, "steps": steps, "share": share, "lengths": lengths}
    put(page, MAP, state)
    result, text = read(page, MAP, "result"), explorable(page, MAP).text
    expected = on_the_map(steps, share, lengths)
    for name, values in expected.items():
        assert np.array(result[name]) == pytest.approx(np.array(values), abs=TOLERANCE)
    arrived = expected["loss"][-1] < expected["least"] + 0.005
    assert ("has come to the cross" in text) == arrived
    assert ("away from the cross" in text) != arrived


def is_shown(browser, element) -> bool:
    return browser.execute_script("return arguments[0].checkVisibility() "
                                  "&& arguments[0].offsetHeight > 0",
                                  element)


def static_faults(browser, path: Path) -> list[str]:
    """Without JavaScript each tagged cell shows its picture, with its alternative
    text."""
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(path.as_uri())
        pictures = browser.find_elements("css selector",
                                         "[class*=tag_explorable-] .cell_output img")
        drawn = browser.find_elements("css selector", ".explorable")
        wrong = [
            f"{picture.get_attribute('alt')!r} is not shown" for picture in pictures
            if not picture.is_displayed() or len(picture.get_attribute("alt")) < 20
        ]
        return (wrong + (["no picture"] if not pictures else [])
                + (["a script ran"] if drawn else []))
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled",
                                {"value": False})


def drawn_faults(browser, path: Path, tags: list[str]) -> list[str]:
    """With JavaScript each tagged cell shows its explorable and its caption, and no
    picture."""
    load(browser, path)
    wrong = network_and_console(browser)
    for tag in tags:
        cell = browser.find_element("css selector", f".tag_{tag}")
        parts = [cell.find_elements("css selector", part)
                 for part in (".explorable", "figcaption", "img")]
        shown = [len([element for element in part if is_shown(browser, element)])
                 for part in parts]
        wrong += ([f"{tag} shows {shown} drawings, captions, pictures"]
                  if shown != [1, 1, 0] else [])
    return wrong + phone(browser) + letters_cut_off(browser) + unnamed(browser)


def letters_cut_off(browser) -> list[str]:
    """On a phone: letters beyond the edge of their drawing, drawings and tables beyond
    the card."""
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        return browser.execute_script("""
            const beyond = (e, frame) => {
                const a = e.getBoundingClientRect(), b = frame.getBoundingClientRect();
                return a.left < b.left - 1 || a.right > b.right + 1
                    || a.top < b.top - 1 || a.bottom > b.bottom + 1;
            };
            const all = part => [...document.querySelectorAll(`.explorable ${part}`)];
            const cut = (part, frame) => all(part)
                .filter(e => beyond(e, e.closest(frame)))
                .map(e => `beyond its frame: ${e.textContent}`);
            const parts = ["svg", "table", "p", "button", "input"];
            return [...cut("svg text", "svg"),
                    ...parts.flatMap(part => cut(part, ".explorable"))];
            """)
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def unnamed(browser) -> list[str]:
    """Drawings without a role and a title, handles without a name."""
    return browser.execute_script("""
        const bad = [...document.querySelectorAll(".explorable svg")].filter(
            e => !e.getAttribute("role")
                || !e.querySelector(":scope > title")?.textContent);
        const mute = [...document.querySelectorAll(".handle")].filter(
            e => e.tabIndex != 0 || !/^[a-z0-9 ]+, \\(.*\\)$/
                .test(e.getAttribute("aria-label")));
        return [...bad, ...mute].map(
            e => `has no name: ${e.outerHTML.slice(0, 60)}`);""")


def test_the_picture_stands_where_there_is_no_javascript(browser, tmp_path):
    assert static_faults(browser, write_page(tmp_path)) == []


def test_the_explorable_takes_the_place_of_the_picture(browser, tmp_path):
    assert drawn_faults(browser, write_page(tmp_path), list(TAGS)) == []


@pytest.mark.parametrize("case", ["opposed", "all cancel", "at the edge"])
def test_nothing_is_cut_off_on_a_phone(page, case):
    edge = [[1.5, 1.5], [-1.5, 1.5], [1.5, -1.5], [1.5, 1.5], [-1.5, -1.5]]
    put(page, TAGS[0], {"vectors": CASES.get(case, edge)})
    put(page, TAGS[1], {"N": 100, "rho": 1})
    put(page, TAGS[2], {"share": 1, "value": 2})
    put(page, TAGS[3], {"kinds": ["few, half wrong"] * 3, "beta": "inf"})
    put(page, TAGS[4], {"t": 60})
    put(page, PAY, {"parts": [0.01, 1, 0.01], "beta": 0.1, "update": "mnist/1"})
    put(page, THREE, {"values": [100, 0, 100, 0, 100, 0, 100]})
    put(page, MAP, {"t": 20, "steps": 20, "share": 0.9, "lengths": "constant"})
    assert phone(page) + letters_cut_off(page) == []


def test_colours_are_the_books(page):
    assert (tuple(page.execute_script("return fairflExplorables.COLOURS"))
            == figures.COLOURS)


def tags_of(chapter: Path) -> list[str]:
    cells = json.loads(chapter.read_text())["cells"]
    return [tag for cell in cells for tag in cell["metadata"].get("tags", [])
            if tag.startswith("explorable-")]


def test_every_tagged_cell_of_the_book_is_explorable(browser):
    wrong = []
    for chapter in sorted((ROOT / "book").glob("*.ipynb")):
        if tags := tags_of(chapter):
            built = HTML / "book" / f"{chapter.stem}.html"
            wrong += [f"{chapter.stem}: {fault}"
                      for fault in drawn_faults(browser, built, tags)
                      + static_faults(browser, built)]
    preface = HTML / "book" / "intro.html"
    wrong += drawn_faults(browser, preface, ["explorable-label_noise"])
    wrong += static_faults(browser, preface)
    assert wrong == []
