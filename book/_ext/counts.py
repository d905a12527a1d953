"""Counts, in Chromium, what a reader of the built book stumbles over.

    python book/_ext/counts.py [page ...]

At 1300 pixels: blocks of code and output that scroll sideways, outputs that are cut,
lines that cells print, without the code of the library and without what stands in the
fold with a drawing's code. At 390: formulas that are cut, those that scroll. And ids
that stand twice, the weight of a page with what only it loads, and what is left of MyST
in the plain notebooks. Everything folded is opened before. Returns 1 when a number is
over its limit.
"""

import re
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import chromium
import nbformat

ROOT = Path(__file__).resolve().parents[2]
PAGES, PLAIN = ROOT / "_build" / "html", ROOT / "_build" / "colab"
WIDE = 1300, 900
SIDEWAYS = 0.05  # of all blocks
BYTES = 2_000_000
PRINTED = 21  # lines, on the mean of the pages that print: a third of what was once
AT_MOST = {"cut outputs": 0, "cut formulas": 0, "double ids": 0, "raw on Colab": 0}
COLUMNS = ("blocks", "sideways", "printed lines", "cut outputs", "cut formulas",
           "scrolling formulas", "double ids", "kB", "raw on Colab")
OPEN = """
for (const e of document.querySelectorAll("article details")) e.open = true;
for (const e of document.querySelectorAll("article .toggle-hidden"))
  e.classList.remove("toggle-hidden");
"""
BLOCKS = """
const seen = [...document.querySelectorAll("article pre")]
  .filter(e => e.checkVisibility());
const over = e => e.scrollWidth > e.clientWidth + 1;
const cut = e => over(e) && !["auto", "scroll"].includes(getComputedStyle(e).overflowX);
const shown = seen.filter(e => e.closest(".cell_output"));
const lines = e => e.textContent.trimEnd().split("\\n").length;
return [seen.length, seen.filter(over).length,
        shown.filter(e => e.closest(".output")).reduce((n, e) => n + lines(e), 0),
        shown.filter(e => cut(e) || over(e)).length];
"""
FORMULAS = """
const over = e => e.scrollWidth > e.clientWidth + 1;
const scrolls = e => ["auto", "scroll"].includes(getComputedStyle(e).overflowX);
let cut = 0, scrolling = 0;
for (const e of document.querySelectorAll("article div.math")) {
  if (!e.checkVisibility()) continue;
  const wide = over(e) || (e.querySelector("mjx-container")?.scrollWidth ?? 0)
    > e.clientWidth + 1;
  if (wide && scrolls(e)) scrolling += 1;
  else if (wide) cut += 1;
}
return [cut, scrolling];
"""


def load(driver, page: Path) -> None:
    driver.get(page.as_uri())
    if driver.execute_script("return !!window.MathJax?.startup?.promise"):
        driver.execute_async_script("MathJax.startup.promise.then(arguments[0])")
    driver.execute_script(OPEN)


def weight(page: Path) -> int:
    """Bytes of the page and of the pictures that it shows."""
    text = page.read_text()
    pictures = {(page.parent / unquote(found)).resolve()
                for found in re.findall(r'src="([^":]*_images/[^"]+)"', text)}
    return len(text.encode()) + sum(file.stat().st_size for file in pictures)


def raw(page: Path) -> int:
    """Directives, roles and labels in the chapter's plain notebook."""
    from colab.check import leftovers

    path = PLAIN / page.relative_to(PAGES).with_suffix(".ipynb")
    cells = nbformat.read(path, 4).cells if path.exists() else []
    return sum(len(list(leftovers(cell.source))) for cell in cells
               if cell.cell_type == "markdown")


def count(driver, page: Path) -> dict[str, int]:
    load(driver, page)
    blocks, sideways, lines, outputs = driver.execute_script(BLOCKS)
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", chromium.PHONE)
    cut, scrolling = driver.execute_script(FORMULAS)
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    ids = Counter(re.findall(r'<[^>]*\sid="([^"]+)"', page.read_text()))
    double = sum(number > 1 for number in ids.values())
    return dict(zip(COLUMNS, (blocks, sideways, lines, outputs, cut, scrolling, double,
                              weight(page) // 1000, raw(page)), strict=True))


def limits(total: dict[str, int], heaviest: int, printing: int) -> list[str]:
    """What is over its limit, in words; `printing` pages print something."""
    wrong = [f"{total[what]} {what}, more than {most}"
             for what, most in AT_MOST.items() if total[what] > most]
    if total["sideways"] > SIDEWAYS * total["blocks"]:
        wrong.append(f"{total['sideways']} of {total['blocks']} blocks scroll "
                     f"sideways, more than {SIDEWAYS:.0%}")
    if total["printed lines"] > PRINTED * printing:
        wrong.append(f"{total['printed lines']} printed lines on {printing} pages, "
                     f"more than {PRINTED} each")
    if heaviest * 1000 > BYTES:
        wrong.append(f"a page of {heaviest} kB, more than {BYTES // 1000}")
    return wrong


def main(names: list[str]) -> int:
    pages = [page for page in sorted(PAGES.glob("book/*.html"))
             if not names or page.stem in names]
    driver, total, heaviest, printing = chromium.start(*WIDE), Counter(), 0, 0
    print(f"{'':32}" + "".join(f"{name:>14.13}" for name in COLUMNS))
    try:
        for page in pages:
            found = count(driver, page)
            print(f"{page.stem:32}" + "".join(f"{n:14}" for n in found.values()),
                  flush=True)
            total.update(found)
            heaviest = max(heaviest, found["kB"])
            printing += found["printed lines"] > 0
    finally:
        driver.quit()
    total = {name: total[name] for name in COLUMNS}
    print(f"{'all':32}" + "".join(f"{n:14}" for n in total.values()))
    wrong = limits(total, heaviest, printing)
    if not PLAIN.exists():
        wrong.append("no plain notebooks, so nothing of them is counted: make colab")
    print("\n".join(wrong) or "no number is over its limit")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
