"""What a page says of itself where it is shared."""

from types import SimpleNamespace

import fairfl_book
import pytest

APP = SimpleNamespace(
    config=SimpleNamespace(html_title="", project="The book",
                           myst_html_meta={"description lang=en": "About\n  it & all"}),
    builder=SimpleNamespace(get_target_uri=lambda name: f"{name}.html"))


def tags(monkeypatch, url="", before=""):
    monkeypatch.delenv("FAIRFL_PAGES_URL", raising=False)
    monkeypatch.setattr(fairfl_book, "repository", lambda: (url, "main"))
    context = {"title": "Is <em>it</em> &amp; fair?", "metatags": before}
    fairfl_book.add_preview(APP, "book/a", "page.html", context, None)
    return context["metatags"]


@pytest.mark.parametrize("tag", [
    '<meta property="og:title" content="Is it &amp; fair?">',
    '<meta property="og:description" content="About it &amp; all">',
    '<meta property="og:site_name" content="The book">',
    '<meta name="description" content="About it &amp; all">',
])
def test_every_page_has_a_title_and_a_description(monkeypatch, tag):
    found = tags(monkeypatch)
    assert tag in found and "og:image" not in found


def test_a_published_page_has_a_picture(monkeypatch):
    found = tags(monkeypatch, "https://github.com/a/b")
    assert 'og:image" content="https://a.github.io/b/_static/preview.png"' in found
    assert 'og:url" content="https://a.github.io/b/book/a.html"' in found
    assert (fairfl_book.STATIC / fairfl_book.PREVIEW).exists()


def test_a_description_stands_once(monkeypatch):
    before = '<meta content="x" name="description" />'
    assert tags(monkeypatch, before=before).count('name="description"') == 1
