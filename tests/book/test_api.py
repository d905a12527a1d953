"""The reference of the library: what is on its pages, and docstrings as Sphinx reads
them."""

import re
from pathlib import Path
from types import SimpleNamespace

import api
import public_names
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "book" / "api").glob("*.md"))
TEXT = "\n".join(page.read_text() for page in PAGES)
PLACES = [name for line in re.findall(r"^```\{api\} (.+)$", TEXT, re.MULTILINE)
          for name in line.split()]
ON_PAGES = [module for name in PLACES for module in public_names.inside(name)]


def test_every_public_module_with_something_public_has_its_place():
    wanted = [name for name in public_names.modules() if public_names.documented(name)]
    assert sorted(ON_PAGES) == sorted(wanted)
    assert len(wanted) > 40


def test_every_page_is_in_the_contents():
    contents = (ROOT / "_toc.yml").read_text()
    assert all(f"file: book/api/{page.stem}\n" in contents for page in PAGES)


def test_each_object_is_documented_once():
    names = [f"{module}.{name}" for module in ON_PAGES
             for name in public_names.documented(module)]
    assert len(names) == len(set(names)) > 200
    assert {"fairfl.mechanisms.CGSV", "fairfl.attacks.Noise", "fairfl.cgsv.exact",
            "fairfl.cgsv.squared_norms", "fairfl.datasets.digits.load"} <= set(names)
    assert not any("._" in name for name in names)


def test_each_object_names_a_chapter():
    for module in ON_PAGES:
        for name in public_names.documented(module):
            found = getattr(public_names.module(module), name)
            line = "".join(api.taught(f"{module}.{name}", module, found.__doc__ or ""))
            assert line.startswith("*Chapter:* :ref:`"), name


def test_a_module_without_a_chapter_is_named(monkeypatch):
    monkeypatch.delitem(api.FALLBACK, "fairfl.schedules")
    with pytest.raises(LookupError, match="fairfl.schedules names no chapter"):
        api.chapter("fairfl.schedules")


@pytest.mark.parametrize("text, expected", [
    ("see `rewards.mask`", "see :py:obj:`rewards.mask <fairfl.rewards.mask>`"),
    ("`exact` of `gram`", ":py:obj:`exact <fairfl.cgsv.exact>` of "
                          ":py:obj:`gram <fairfl.cgsv.gram>`"),
    ("``build(\"cgsv\")``", "``build(\"cgsv\")``"),
    ("`checked`, `nothing_such`, `beta`", ":py:obj:`checked <fairfl.cgsv.checked>`, "
                                          "``nothing_such``, ``beta``"),
    ("|u_i| and 2 * x and d_", r"\|u_i\| and 2 \* x and d\_"),
    ('chapter "Who\ncontributed?"', "chapter :ref:`Who contributed? "
                                    "<who-contributed>`"),
    ('chapter "No such"', 'chapter "No such"'),
    ("Eq. (3): psi", ":xu:`eq. (3)`: psi"),
])
def test_docstrings_become_what_sphinx_reads(text, expected):
    assert api.as_restructured(text, "fairfl.cgsv") == expected


def test_an_object_lists_its_equations():
    (_, line, _) = api.taught("fairfl.metrics.fairness", "fairfl.metrics", "")
    assert "Accuracy and fairness" in line and ":math:numref:`eq-rho`" in line


def test_the_index_is_left_to_the_words_of_the_chapters():
    entries = {"book/altruism": ["word"], "book/api/values": ["exact()"]}
    env = SimpleNamespace(get_domain=lambda _: SimpleNamespace(entries=entries))
    assert api.leave_index(None, env) is None  # Sphinx reads no page again
    assert entries == {"book/altruism": ["word"], "book/api/values": []}
