"""The explorables of the plain notebooks draw themselves from what their cell holds."""

import nbformat
import pytest
from conftest import HTML
from test_pages import HEAD, load, network_and_console, wait

CHAPTERS = sorted((HTML.parent / "colab" / "book").glob("*.ipynb"))


def drawings() -> dict[str, str]:
    """Chapter and number of the cell -> the HTML that the cell shows."""
    return {f"{path.stem} {number}": cell.source.removeprefix("%%html\n")
            for path in CHAPTERS
            for number, cell in enumerate(nbformat.read(path, 4).cells)
            if cell.source.startswith("%%html")}


def show(browser, folder, body: str) -> None:
    page = folder / "page.html"
    page.write_text(f"{HEAD}<link rel='icon' href='data:,'>{body}")
    load(browser, page)


def test_every_explorable_of_the_book_is_there():
    if not CHAPTERS:
        pytest.skip("needs the plain notebooks: make colab")
    tagged = [tag for path in sorted((HTML.parents[1] / "book").glob("*.ipynb"))
              for cell in nbformat.read(path, 4).cells
              for tag in cell.metadata.get("tags", []) if tag.startswith("explorable-")]
    assert len(drawings()) == len(tagged) > 0


@pytest.mark.parametrize("where", drawings())
def test_an_explorable_draws_itself(browser, tmp_path, where):
    show(browser, tmp_path, drawings()[where])
    wait(browser, "!!document.querySelector('.explorable svg')")
    assert network_and_console(browser) == []


def test_an_explorable_waits_until_it_stands_in_the_page(browser, tmp_path):
    body, script = next(iter(drawings().values())).split("<script>")
    late = (f"<main></main><template>{body}</template><script>{script}<script>"
            "setTimeout(() => document.querySelector('main').append("
            "document.querySelector('template').content), 300)</script>")
    show(browser, tmp_path, late)
    wait(browser, "!!document.querySelector('.explorable svg')")
    assert network_and_console(browser) == []
