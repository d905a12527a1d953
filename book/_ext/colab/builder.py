"""The Sphinx builder that writes `_build/colab`."""

from collections.abc import Iterator
from pathlib import Path

import nbformat
from conventions import KERNEL
from repository import pages, repository
from sphinx.builders import Builder
from sphinx.util.osutil import relative_uri
from teaching import looked_up

from .boxes import Chapter
from .cells import code_cells
from .markdown import NEW_CELL, Code


class ColabBuilder(Builder):
    name = "colab"
    epilog = "The notebooks are in %(outdir)s."

    def init(self) -> None:
        self.url = repository()[0]
        self.pages = pages(self.url)
        # as the pages have them, with their data
        self.scripts = Path(self.outdir).parent / "html" / "_static" / "explorables"

    def _is_chapter(self, docname: str) -> bool:
        return self.env.doc2path(docname).endswith(".ipynb")

    def get_outdated_docs(self) -> Iterator[str]:
        """All chapters: a number in one may come from another."""
        return filter(self._is_chapter, sorted(self.env.found_docs))

    def get_target_uri(self, docname: str, typ: str | None = None) -> str:
        """The page's public address; without one the chapter's file beside this one, or
        nothing."""
        if self.pages:
            return f"{self.pages}/{docname}.html"
        return f"{docname}.ipynb" if self._is_chapter(docname) else ""

    def get_relative_uri(self, from_: str, to: str, typ: str | None = None) -> str:
        target = self.get_target_uri(to, typ)
        if self.pages or not target:
            return target
        return relative_uri(self.get_target_uri(from_), target)

    def prepare_writing(self, docnames: set[str]) -> None:
        pass

    def write_doc(self, docname: str, doctree) -> None:
        path = Path(self.env.doc2path(docname))
        if not self._is_chapter(docname):  # Sphinx adds the pages with a toctree
            return
        chapter = nbformat.read(path, 4)
        notebook = nbformat.v4.new_notebook(metadata={
            "kernelspec": KERNEL, "language_info": {"name": "python"},
            "colab": {"name": path.name, "provenance": []},
        })
        notebook.cells = list(self._cells(docname, doctree, chapter))
        for number, cell in enumerate(notebook.cells):
            cell.id = f"{path.stem[:50]}-{number}".replace("_", "-")
        target = Path(self.outdir) / f"{docname}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, target)

    def _cells(self, docname: str, doctree, chapter) -> Iterator:
        page = self.get_target_uri(docname) if self.pages else ""
        text: list[str] = []
        for block in self._blocks(docname, doctree, page):
            if isinstance(block, str):
                text.append(block)
                continue
            if text:
                yield nbformat.v4.new_markdown_cell("\n\n".join(text))
                text = []
            if isinstance(block, Code):
                yield from code_cells(chapter.cells[block.index], self.url, page,
                                      self.scripts, block.folded)
        if text:
            yield nbformat.v4.new_markdown_cell("\n\n".join(text))

    def _blocks(self, docname: str, doctree, page: str) -> Iterator:
        writer = Chapter(lambda node, kind: self._number(docname, node, kind),
                         lambda node: self._link(docname, node), Path(self.srcdir))
        titled = False
        for block in writer.blocks(doctree):
            yield block
            if page and not titled and block is not NEW_CELL:
                titled = True
                yield self._first_line(page)

    def _first_line(self, page: str) -> str:
        """Where the chapter stands as a page, and where to look things up."""
        found = [f"[{title}]({self.get_target_uri(name)})"
                 for name, title in looked_up(self.env.found_docs).items()]
        return (f"*[This chapter as a page of the book]({page}) · "
                f"look up: {', '.join(found)}*")

    def _number(self, docname: str, node, kind: str) -> str:
        numbers = self.env.toc_fignumbers.get(docname, {}).get(kind, {})
        found = [numbers[name] for name in node["ids"] if name in numbers]
        return ".".join(map(str, found[0])) if found else ""

    def _link(self, docname: str, reference) -> str:
        """Places inside notebooks have no address: without pages a link leads to the
        whole chapter, and not to the one that is open."""
        uri = reference.get("refuri", "")
        if "filename" in reference:  # a file that the pages offer for download
            name = reference["filename"]
            return f"{self.pages}/_downloads/{name}" if self.pages else ""
        if not reference.get("internal"):
            return uri
        if self.pages:
            return uri or f"{self.get_target_uri(docname)}#{reference['refid']}"
        return uri.partition("#")[0]
