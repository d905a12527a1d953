"""The built pages as one page for paper: chapters in order, then the solutions.

Folded code is left out, as on the screen; folded text is open. A stepper shows some of
its frames. Links inside the book lead to places of this page.
"""

import json
import posixpath
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from bs4 import BeautifulSoup, Tag

FRAMES = 4  # of a stepper, at most
LEFT_OUT = "book/api/"  # a reference for the screen
CONTENTS = re.compile(r"^\s*(?:root:|- caption:|- file:)\s*(.+?)\s*$", re.M)
STYLES = ("pygments.css", "styles/theme.css", "styles/pydata-sphinx-theme.css",
          "styles/sphinx-book-theme.css", "proof.css", "exercise.css", "book.css")
STYLES_AFTER = "mystnb.*.css"
PAPER = (Path(__file__).parent / "static" / "paper.css")
# Wide formulas and tables get smaller letters until they fit; then all is ready.
FIT = """
window.MathJax = {
  options: {processHtmlClass: "tex2jax_process|mathjax_process|math|output_area"},
  startup: {pageReady: () => MathJax.startup.defaultPageReady().then(() => {
    const width = document.body.clientWidth;
    for (const one of document.querySelectorAll("mjx-container[display], table")) {
      const room = one.parentElement.clientWidth || width;
      const wide = one.tagName == "TABLE" ? one.offsetWidth
        : one.firstElementChild.getBoundingClientRect().width + 40;
      if (wide > room) one.style.fontSize = Math.max(35, 100 * room / wide) + "%";
    }
    document.body.dataset.ready = "yes";
  })}
};
"""


def contents(toc: str) -> list[tuple[str, str]]:
    """("page", name) and ("part", caption), in the order of _toc.yml."""
    found = []
    for match in CONTENTS.finditer(toc):
        kind = "part" if "caption" in match[0] else "page"
        if not (kind == "page" and match[1].startswith(LEFT_OUT)):
            found.append((kind, match[1]))
    return found


def anchor(page: str, name: str = "") -> str:
    return re.sub(r"[^\w-]", "-", f"{page}--{name}" if name else page)


class Page:
    """An article of the built book, ready to stand among others."""

    def __init__(self, html: Path, name: str, known: set[str]):
        self.name = name
        soup = BeautifulSoup((html / f"{name}.html").read_text(), "html.parser")
        self.article = soup.find("article")
        self.states = _widgets(soup)
        self.known = known
        heading = self.article.find("h1")
        for link in self.article.select("a.headerlink, p.look-up, .viewcode-link"):
            link.decompose()
        self.title = heading.get_text().strip()
        self._pictures(soup)
        self._unfold(soup)
        self._places()

    def _pictures(self, soup) -> None:
        for view in self.article.select('script[type$="widget-view+json"]'):
            found = _frames(self.states, json.loads(view.string)["model_id"])
            box = soup.new_tag("div", attrs={"class": "frames"})
            box.append(BeautifulSoup("".join(found), "html.parser"))
            view.replace_with(box)
        for script in self.article.select("script"):
            script.decompose()

    def _unfold(self, soup) -> None:
        for cell in self.article.select("details.hide, details.admonition"):
            if cell.select_one(".cell_input, .highlight-ipython3"):
                cell.decompose()
        for box in self.article.select(".toggle, .dropdown"):
            box["class"] = [c for c in box["class"] if c not in ("toggle", "dropdown")]
        for folded in self.article.select("details"):
            folded["open"] = ""

    def _places(self) -> None:
        folder = posixpath.dirname(self.name)
        for tag in self.article.find_all(id=True):
            tag["id"] = anchor(self.name, tag["id"])
        for tag in self.article.find_all(src=True):
            if "://" not in tag["src"] and not tag["src"].startswith("data:"):
                tag["src"] = "../html/" + posixpath.normpath(
                    posixpath.join(folder, tag["src"]))
        for image in self.article.find_all("img"):
            image["loading"] = "eager"
        for link in self.article.find_all("a", href=True):
            target = self._target(folder, link["href"])
            if target:
                link["href"] = target
            else:
                link.unwrap()

    def _target(self, folder: str, href: str) -> str | None:
        if re.match(r"[a-z]+:", href):
            return href
        path, _, place = href.partition("#")
        page = (posixpath.normpath(posixpath.join(folder, path)).removesuffix(".html")
                if path else self.name)
        return f"#{anchor(page, place)}" if page in self.known else None

    def solutions(self) -> list[Tag]:
        return [tag.extract() for tag in self.article.select("div.solution")]

    def quizzes(self, soup) -> Iterator[Tag]:
        """The questions with their feedback; what stays is without."""
        for quiz in self.article.select("div.quiz"):
            yield BeautifulSoup(str(quiz), "html.parser").div
            for answer in quiz.select("details"):
                line = soup.new_tag("p", attrs={"class": "quiz-choice"})
                for child in list(answer.summary.children):
                    line.append(child.extract())
                answer.replace_with(line)


def _widgets(soup) -> dict:
    script = soup.select_one('script[type$="widget-state+json"]')
    return json.loads(script.string)["state"] if script else {}


def _frames(states: dict, model: str) -> list[str]:
    """Pictures of a stepper, some of them with their names."""
    pictures, names = [], []

    def visit(name: str) -> None:
        state = states.get(name, {}).get("state", {})
        if state.get("_model_name") == "HTMLModel":
            pictures.append(state.get("value", ""))
        names.extend(state.get("_options_labels", []))
        for child in state.get("children", []):
            visit(child.removeprefix("IPY_MODEL_"))

    visit(model)
    step = max(1, (len(pictures) - 1) / (FRAMES - 1)) if len(pictures) > 1 else 1
    chosen = sorted({round(k * step) for k in range(FRAMES)
                     if round(k * step) < len(pictures)})
    return [f"<figure>{pictures[k]}<figcaption>"
            f"{escape(names[k]) if k < len(names) else ''}</figcaption></figure>"
            for k in chosen]


def whole(html: Path, toc: str, title: str, author: str) -> str:
    """The page."""
    entries = contents(toc)
    known = {name for kind, name in entries if kind == "page"}
    soup = BeautifulSoup("", "html.parser")
    listed, body, answers = [], [], []
    for kind, name in entries:
        if kind == "part":
            listed.append(f'<li class="part">{escape(name)}</li>')
            continue
        page = Page(html, name, known)
        listed.append(f'<li><a href="#{anchor(name)}">{escape(page.title)}</a></li>')
        solved = [*page.quizzes(soup), *page.solutions()]
        if solved:
            inside = "".join(map(str, solved)).replace(' id="', ' id="answer--')
            answers.append(f"<h2>{escape(page.title)}</h2>{inside}")
        body.append(f'<div class="page" id="{anchor(name)}">{page.article}</div>')
    listed.append('<li class="part"><a href="#solutions">Solutions</a></li>')
    styles = [f"../html/_static/{name}" for name in STYLES]
    styles += [f"../html/_static/{file.name}"
               for file in sorted((html / "_static").glob(STYLES_AFTER))]
    links = "".join(f'<link rel="stylesheet" href="{name}">' for name in styles)
    mathjax = "../html/_static/offline/mathjax/tex-chtml-full.js"
    return f"""<!DOCTYPE html>
<html lang="en" data-theme="light" data-mode="light"><head><meta charset="utf-8">
<title>{escape(title)}</title>{links}<style>{PAPER.read_text()}</style>
<script>{FIT}</script><script defer src="{mathjax}"></script></head>
<body class="tex2jax_ignore mathjax_ignore"><div class="cover">
<p class="book">{escape(title)}</p><p>{escape(author)}</p></div>
<nav><p class="book">Contents</p><ul>{"".join(listed)}</ul></nav>
{"".join(body)}
<div class="page" id="solutions"><article class="bd-article"><h1>Solutions</h1>
{"".join(answers)}</article></div></body></html>"""
