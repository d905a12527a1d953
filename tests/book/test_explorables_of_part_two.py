"""The explorables of "Is it fair?" and "When agents cheat" in a real browser."""

from __future__ import annotations

import json

import fairfl_book
import pytest
import torch
from selenium.webdriver.common.keys import Keys
from test_explorables import TOLERANCE, explorable, press, put, read, write_page
from test_pages import load

from book.theory import guarantee

FAIR, CHEATS = "explorable-fair", "explorable-cheats"
RECORD = json.loads(fairfl_book.RECORDED["cheats"].read_text())


@pytest.fixture
def page(browser, tmp_path):
    load(browser, write_page(tmp_path, "", (FAIR, CHEATS)))
    return browser


@pytest.mark.parametrize("kappa", [1, 8, 30])
@pytest.mark.parametrize("agents", [
    [[0.1, 0.9], [-1.3, -0.3]], [[0, 0.1], [1.4, 0]], [[1.2, 0], [0, 0.3]],
    [[0.5, 0.5], [0.5, 0.5]]])
@pytest.mark.parametrize("server", [[0, 0], [0.3, -0.2]])
def test_who_is_nearer_and_whose_loss_is_smaller(page, agents, server, kappa):
    put(page, FAIR, {"agents": agents, "server": server, "kappa": kappa})
    found, text = read(page, FAIR, "result"), explorable(page, FAIR).text
    places = torch.tensor(agents, dtype=torch.float64)
    steep = torch.diag(torch.tensor([1.0, kappa], dtype=torch.float64))
    loss = ((places @ steep) * places).sum(1) / 2
    middle = torch.tensor(server, dtype=torch.float64)
    before = (places - middle).norm(dim=1)
    assert found["loss"] == pytest.approx(loss.tolist(), abs=TOLERANCE)
    assert found["distance"] == pytest.approx(before.tolist(), abs=TOLERANCE)
    near, far = found["near"] - 1, 2 - found["near"]
    assert before[near] <= before[far] + TOLERANCE
    assert found["fair"] == bool(guarantee.conclusion(loss)[near, far])
    sure = guarantee.sufficient(before, 0 * before, middle.norm(), float(kappa))
    assert found["sure"] == bool(sure[near, far])
    assert found["fair"] or not found["sure"]  # the theorem
    assert ("It has the smaller loss: fair." in text) == found["fair"]
    assert ("It had to be so" in text) == found["sure"]


def test_it_starts_with_a_case_that_is_not_fair_and_both_ways_lead_to_a_fair_one(page):
    assert "not fair" in explorable(page, FAIR).text
    slider = explorable(page, FAIR).find_element("css selector", "input[type=range]")
    assert "condition number" in slider.accessible_name
    press(page, slider, Keys.HOME)
    assert read(page, FAIR, "state")["kappa"] == 1
    assert "not fair" not in explorable(page, FAIR).text
    press(page, slider, Keys.END)
    assert "not fair" in explorable(page, FAIR).text
    one, two, server = explorable(page, FAIR).find_elements("css selector", ".handle")
    press(page, one, *[Keys.ARROW_DOWN] * 17)
    assert "not fair" not in explorable(page, FAIR).text
    assert one.accessible_name == "agent 1, (0.10, 0.05)"
    press(page, two, *[Keys.ARROW_LEFT] * 20), press(page, server, Keys.ARROW_UP)
    state = read(page, FAIR, "state")
    assert state["agents"][1][0] == -1.5
    assert state["server"] == pytest.approx([0.1, 0.1])


@pytest.mark.parametrize("guard", RECORD["guards"])
@pytest.mark.parametrize(("kind", "degree"), [
    ("nothing: it is honest", 2), ("noise", 3), ("several names", 1),
    ("download sent back", 3), ("the others' sum", 0)])
def test_the_cheats_are_those_of_the_record(page, kind, degree, guard):
    put(page, CHEATS, {"kind": kind, "degree": degree, "guard": guard})
    found, text = read(page, CHEATS, "result"), explorable(page, CHEATS).text
    degrees = RECORD["kinds"][kind]
    chosen = degrees[min(degree, len(degrees) - 1)]
    run = RECORD["runs"][f"{kind}/{chosen}/{guard}"]
    for name in ("share", "psi", "sent", "accuracy"):
        assert found[name] == run[name]
    heads = int(chosen.split()[0]) if chosen.endswith("names") else 1
    assert found["head"] == pytest.approx(heads / (heads + 7))
    more = run["share"][-1] >= 1.1 * found["head"] and not kind.startswith("nothing")
    assert ("more than its heads would bring" in text) == more
    gap = run["accuracy"][0] - RECORD["alone"]
    assert f"{'worse' if gap < 0 else 'better'} than that of an honest agent" in text


def test_what_agent_3_does_is_chosen_by_keys(page):
    kind, guard = explorable(page, CHEATS).find_elements("css selector", "select")
    slider = explorable(page, CHEATS).find_element("css selector", "input[type=range]")
    names = [element.accessible_name for element in (kind, guard)]
    assert names == ["Agent 3 does", "The server corrects"]
    press(page, kind, Keys.HOME), press(page, guard, Keys.END)
    assert "it does not cheat" in explorable(page, CHEATS).text
    press(page, kind, Keys.ARROW_DOWN), press(page, slider, Keys.HOME)
    assert read(page, CHEATS, "state") == {"kind": "noise", "degree": 0, "guard": "all"}
    assert "25% noise" in explorable(page, CHEATS).text
