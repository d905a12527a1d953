"""Slides of the book's first two parts, made from the chapters: `make slides`.

A chapter gives its title and what one will be able to do, then for each section the
heading with its first paragraph, its theorems and its figures, and last the summary.
nbconvert turns them into pages of reveal.js; one file a chapter.
"""

import base64
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import yaml
from nbconvert import SlidesExporter
from pybtex.database import parse_file

BOOK = Path(__file__).resolve().parents[1]
PARTS = 2
DIRECTIVE = re.compile(
    r"^(`{3,}|:{3,})\{([\w:-]+)\}[ ]*(.*?)\n(.*?)^\1[ ]*$", re.M | re.S
)
NAMES = {
    "ref": "there",
    "numref": "the figure",
    "eq": "the equation",
    "prf:ref": "the theorem",
}


def chapters(parts: int = PARTS) -> list[Path]:
    """The notebooks of the first parts, in the order of `_toc.yml`."""
    toc = yaml.safe_load((BOOK.parent / "_toc.yml").read_text())
    files = [
        entry["file"] for part in toc["parts"][:parts] for entry in part["chapters"]
    ]
    paths = [BOOK.parent / f"{file}.ipynb" for file in files]
    return [path for path in paths if path.exists()]


def titles() -> dict[str, str]:
    """The title of each chapter by its label."""
    found = {}
    for path in BOOK.glob("*.ipynb"):
        first = nbformat.read(path, 4).cells[0].source
        if match := re.match(r"\(([\w-]+)\)=\n# (.+)", first):
            found[match[1]] = match[2]
    return found


def citations() -> dict[str, str]:
    """ "Xu et al. 2021" by the key of the bibliography."""
    found = {}
    for key, entry in parse_file(BOOK / "references.bib").entries.items():
        names = [" ".join(who.last_names) for who in entry.persons.get("author", [])]
        who = names[0] if len(names) == 1 else " and ".join(names)
        who = f"{names[0]} et al." if len(names) > 2 else who
        found[key] = f"{who} {entry.fields.get('year', '')}".strip()
    return found


class Plain:
    """MyST as Markdown that needs no Sphinx: roles become words, labels go."""

    def __init__(self) -> None:
        self.titles, self.citations = titles(), citations()

    def __call__(self, text: str) -> str:
        text = re.sub(r"^\([\w-]+\)=\n", "", text, flags=re.M)
        text = re.sub(r"^\$\$ *\([\w-]+\) *$", "$$", text, flags=re.M)
        return re.sub(r"\{([\w:]+)\}`([^`]*)`", self._role, text).strip()

    def _role(self, match: re.Match) -> str:
        role, target = match[1], match[2]
        if role.startswith("cite"):
            return "; ".join(
                self.citations.get(key.strip(), key) for key in target.split(",")
            )
        if role == "ref" and target in self.titles:
            return f"*{self.titles[target]}*"
        if role == "xu":
            return f"Xu et al., {target}"
        return NAMES.get(role, target.partition(" <")[0])


def _picture(data: dict) -> str:
    """The address of an output's picture, "" where there is none."""
    if text := data.get("image/svg+xml"):
        code = base64.b64encode(text.encode()).decode()
        return f"data:image/svg+xml;base64,{code}"
    return ""


def slides(path: Path, plain: Plain) -> Iterator[tuple[str, str]]:
    """(kind, Markdown) of each slide of a chapter: "slide" to the right, "subslide"
    down."""
    kind = "slide"
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "code":
            for output in cell.outputs:
                if source := _picture(output.get("data", {})):
                    figure = cell.metadata.get("mystnb", {}).get("figure", {})
                    about = plain(figure.get("caption", ""))
                    yield "subslide", f"![]({source})\n\n{about}"
            continue
        for part in re.split(r"^(?=#{1,2} )", cell.source, flags=re.M):
            if part.startswith(("## Quiz", "## Exercises")):
                return
            yield from _section(part, plain, kind)


def _section(part: str, plain: Plain, kind: str) -> Iterator[tuple[str, str]]:
    """A heading with what opens it, and the theorems below it, without their proofs."""
    text = DIRECTIVE.sub("", part)
    paragraphs = [found for found in re.split(r"\n\s*\n", plain(text)) if found]
    if paragraphs and paragraphs[0].startswith("#"):
        whole = paragraphs[0].startswith("## Summary")
        yield kind, "\n\n".join(paragraphs if whole else _opening(paragraphs))
    for _, name, title, body in DIRECTIVE.findall(part):
        if name.startswith("prf:") and name != "prf:proof":
            body = re.sub(r"^:label:.*\n", "", body, flags=re.M)
            what = name.removeprefix("prf:").capitalize()
            yield "subslide", f"**{what}.** *{plain(title)}*\n\n{plain(body)}"


def _opening(paragraphs: list[str]) -> list[str]:
    """The heading and what belongs to the first sentence, with its formulas."""
    taken = 2
    while taken < len(paragraphs) and (
        paragraphs[taken - 1][-1] in ",:;" or paragraphs[taken].startswith("$$")
    ):
        taken += 1
    return paragraphs[:taken]


def write(path: Path, out: Path, plain: Plain) -> Path:
    """The slides of one chapter as an HTML file below `out`."""
    cells = []
    for kind, text in slides(path, plain):
        cell = nbformat.v4.new_markdown_cell(text)
        cell.metadata["slideshow"] = {"slide_type": kind}
        cells.append(cell)
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"title": path.stem})
    page, _ = SlidesExporter().from_notebook_node(notebook)
    target = out / f"{path.stem}.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page)
    return target


if __name__ == "__main__":
    words = Plain()
    for chapter in chapters():
        print(f"wrote {write(chapter, Path(sys.argv[1]), words)}")
