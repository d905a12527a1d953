"""`make pdf`: the whole book in one PDF, made by Chromium from the built pages."""

import base64
import re
import sys
import time
from pathlib import Path

import chromium
import one_page

SECONDS = 480  # for all formulas of the book
FOOTER = ('<div style="width: 100%; text-align: center; font-size: 8pt; color: #555">'
          '<span class="pageNumber"></span></div>')
MILLIMETRES = 25.4


def check_browser() -> None:
    if None in chromium.programs():
        raise SystemExit("make pdf needs Chromium and its chromedriver: "
                         "apt-get install chromium chromium-driver")


def start():
    """Chromium, with time enough for a whole book."""
    browser = chromium.start(900, 1200)
    browser.set_page_load_timeout(SECONDS)
    browser.set_script_timeout(SECONDS)
    browser.command_executor.client_config.timeout = SECONDS
    return browser


def printed(browser, page: Path) -> bytes:
    """The PDF of a page, once its formulas are set."""
    browser.get(page.resolve().as_uri())
    end = time.monotonic() + SECONDS
    while browser.execute_script("return document.body.dataset.ready") != "yes":
        if time.monotonic() > end:
            raise SystemExit(f"the formulas of {page} are not ready after {SECONDS} s")
        time.sleep(0.5)
    result = browser.execute_cdp_cmd("Page.printToPDF", {
        "printBackground": True, "displayHeaderFooter": True,
        "headerTemplate": "<span></span>", "footerTemplate": FOOTER,
        "paperWidth": 210 / MILLIMETRES, "paperHeight": 297 / MILLIMETRES,
        "marginTop": 16 / MILLIMETRES, "marginBottom": 18 / MILLIMETRES,
        "marginLeft": 17 / MILLIMETRES, "marginRight": 17 / MILLIMETRES,
        "generateDocumentOutline": True, "generateTaggedPDF": True,
    })
    return once(base64.b64decode(result["data"]))


def once(pdf: bytes) -> bytes:
    """Chromium writes a heading that moved to the next page twice into the outline,
    one text behind the other. Blanks in its place leave all bytes where they are."""
    def shorter(match: re.Match) -> bytes:
        start, text, end = match[1], match[2], match[3]
        return start + text + end + b" " * len(text)

    literal = re.compile(rb"(/Title \()((?:[^()\\]|\\.)+)\2(\))")
    digits = re.compile(rb"(/Title <FEFF)((?:[0-9A-F]{4})+)\2(>)")
    return digits.sub(shorter, literal.sub(shorter, pdf))


def outline(pdf: bytes) -> list[str]:
    """The titles of the outline, in the order of the file."""
    found = []
    for literal, digits in re.findall(
            rb"/Title (?:\(((?:[^()\\]|\\.)+)\)|<FEFF([0-9A-F]+)>)", pdf):
        found.append(bytes.fromhex(digits.decode()).decode("utf-16-be") if digits
                     else re.sub(rb"\\(.)", rb"\1", literal).decode("latin-1"))
    return found


def settings(config: str) -> tuple[str, str]:
    """The book's title and author."""
    return tuple(re.search(rf"^{name}:\s*(.+)$", config, re.M)[1]
                 for name in ("title", "author"))


def main(html: Path, target: Path, root: Path) -> None:
    check_browser()
    if not (html / "_static" / "offline" / "mathjax").is_dir():
        raise SystemExit("make pdf needs pages built with npm, which hold MathJax")
    title, author = settings((root / "_config.yml").read_text())
    page = target.parent / "pdf" / "book.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    toc = (root / "_toc.yml").read_text()
    page.write_text(one_page.whole(html, toc, title, author))
    browser = start()
    try:
        target.write_bytes(printed(browser, page))
    finally:
        browser.quit()
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(__file__).resolve().parents[2])
