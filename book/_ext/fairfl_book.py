"""Sphinx extension of the book.

* The repository's address comes from git: a fork's Colab, edit and issue buttons lead
  to the fork.
* MathJax and the widgets' HTML manager are served from the pages' own folder when npm
  has fetched them: the built book can be read without a network.
* Cells tagged `explorable-...` get the scripts that put an interactive drawing in the
  place of their picture.
* Launch buttons and downloads give notebooks that find the project (`launch`).
* The role `xu`, the directive `quiz` and the line where to look things up
  (`teaching`), and the book's own style sheet (`static/book.css`).
* The data of each figure are a file that its caption links (`figure_data`).
* Faults of the pages, from the theme and between the libraries, are put right.
"""

import html
import json
import re
import shutil
import sys
from pathlib import Path

import api
import equation_page
import figure_data
import launch
import source_links
import teaching
from docutils import nodes
from docutils.parsers.rst import Directive
from repository import pages, repository
from sphinx.util import logging

log = logging.getLogger(__name__)
MODULES = Path(__file__).resolve().parent / "node_modules"
MATHJAX = MODULES / "mathjax"
WIDGETS = MODULES / "@jupyter-widgets" / "html-manager" / "dist"
FONTS = "output/chtml/fonts/woff-v2"
COPIES = {  # folder of the pages, below _static/offline -> what goes into it
    "mathjax": [MATHJAX / "es5" / "tex-chtml-full.js", MATHJAX / "LICENSE"],
    f"mathjax/{FONTS}": sorted((MATHJAX / "es5" / FONTS).glob("*.woff")),
    "html-manager": [WIDGETS / "embed.js", WIDGETS / "embed.js.LICENSE.txt",
                     *sorted(WIDGETS.glob("*.woff2"))],
}

EXPLORABLES = Path(__file__).resolve().parent / "explorables"
PREVIEW = "preview.png"  # in STATIC, drawn by readme_picture.py
STATIC = Path(__file__).resolve().parent / "static"
ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "data" / "results"
RECORDED = {"hospitals": RESULTS / "hospitals.json",  # what explorables play
            "label_noise": RESULTS / "fig2-mnist-seed0.json",
            "cheats": RESULTS / "cheats.json",
            "contributions": RESULTS / "contribution-game.json",
            "payments": RESULTS / "masks.json",
            "price": RESULTS / "price.json"}
COMPUTED = ("standings",)  # what they play is computed from all records

# What lets the widgets work beside the theme's icons and MathJax 3. Font Awesome would
# replace the icons inside widgets too, which stops a stepper's Play button and its
# links; and the widgets hand their labels to MathJax 2 where they find any MathJax,
# which is an error with MathJax 3. Labels are plain text here, so nothing is lost.
WIDGETS_FIT_IN = """
window.FontAwesomeConfig = {observeMutations: false};
if (window.FontAwesome) FontAwesome.config.observeMutations = false;
window.addEventListener("load", () => {
  if (window.MathJax) MathJax.Hub ??= {Queue() {}};
});
"""


def set_repository(app, config) -> None:
    options = config.html_theme_options
    url, branch = repository()
    if url:
        options.update(
            repository_url=url,
            repository_branch=branch,
            use_repository_button=True,
            use_issues_button=True,
            use_edit_page_button=True,
        )
        if "github.com" not in url:  # Colab opens notebooks from GitHub only
            options.get("launch_buttons", {}).pop("colab_url", None)
    else:  # without an address Jupyter Book would send readers to its own repository
        log.info("fairfl_book: no public git remote, "
                 "so the pages get no Colab and repository buttons")
        for key in ("repository_url", "launch_buttons", "use_repository_button",
                    "use_issues_button", "use_edit_page_button"):
            options.pop(key, None)


def has_javascript() -> bool:
    return all(files and all(file.exists() for file in files)
               for files in COPIES.values())


def set_javascript(app, config) -> None:
    if not has_javascript():
        log.info("fairfl_book: no JavaScript in %s, "
                 "so the pages load MathJax and the widgets from a CDN",
                 MODULES)
        return
    config.mathjax_path = "offline/mathjax/tex-chtml-full.js"
    config.nb_ipywidgets_js = {"offline/html-manager/embed.js": {"defer": "defer"}}


def copy_javascript(app, error) -> None:
    if error is not None or app.builder.format != "html" or not has_javascript():
        return
    for folder, files in COPIES.items():
        target = Path(app.outdir) / "_static" / "offline" / folder
        target.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copy(file, target)


def add_explorables(app, pagename, templatename, context, doctree) -> None:
    """Loads, on the pages that need them, the scripts of the explorables: classic ones,
    since a page opened from the disk may not load modules."""
    tags = ({name for node in doctree.findall(nodes.container)
             for name in node["classes"]}
            if doctree else set())
    names = {file.stem for file in EXPLORABLES.glob("*.js")} - {"cgsv", "page"}
    needed = [name for name in sorted(names) if f"tag_explorable-{name}" in tags]
    if needed:
        app.add_css_file("explorables/explorables.css")
        data = [f"{name}_data" for name in needed
                if name in (*RECORDED, *COMPUTED)]
        for name in ("cgsv", "page", *data, *needed):
            app.add_js_file(f"explorables/{name}.js", defer="defer")


class Explorable(Directive):
    """A figure on a page without code, in whose place an explorable comes:
    {explorable} label_noise, with the figure inside."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        cell = nodes.container(classes=[f"tag_explorable-{self.arguments[0]}"])
        cell += nodes.container(classes=["cell_output"])
        self.state.nested_parse(self.content, self.content_offset, cell[0])
        return [cell]


def copy_explorables(app, error) -> None:
    if error is None and app.builder.format == "html":
        target = Path(app.outdir) / "_static" / "explorables"
        shutil.copytree(EXPLORABLES, target, dirs_exist_ok=True)
        for name, file in RECORDED.items():
            (target / f"{name}_data.js").write_text(as_script(name, file))
        (target / "standings_data.js").write_text(script("standings", standings()))


def as_script(name: str, file: Path) -> str:
    """A record as a script, since a page opened from the disk may not read files."""
    return script(name, json.loads(file.read_text()))


def script(name: str, data: dict) -> str:
    text = json.dumps(data, separators=(",", ":"))
    return f'Object.assign(window.fairflExplorables, {{"{name}": {text}}});\n'


def standings() -> dict:
    """All methods on all columns, of the records as they are now."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from book.reproduction.pages.standings import data  # noqa: PLC0415

    return data(RESULTS)


def set_theme(app, config) -> None:
    config.html_static_path.append(str(STATIC))
    # else a second search box
    config.html_theme_options.setdefault("navbar_persistent", [])
    # else "Got invalid theme mode" in the browser's console
    config.html_context.setdefault("default_mode", "auto")


def drop_shared_ids(app, pagename, templatename, context, doctree) -> None:
    """All proofs of a page carry one id, and so do the contents of all exercises and
    solutions; an id may stand on a page once. Nothing refers to them."""
    if "body" in context:
        shared = r' id="(?:proof|(?:exercise|solution|proof)-content)"'
        context["body"] = re.sub(shared, "", context["body"])


def add_preview(app, pagename, templatename, context, doctree) -> None:
    """What a link to the page shows where it is shared. Pictures there need a whole
    address, so there is none before the book is published."""
    described = re.search(r'name="description"', context.get("metatags", ""))
    about = {"og:title": context.get("title", ""), "og:type": "article",
             "og:site_name": app.config.html_title or app.config.project,
             "og:description": " ".join(
                 app.config.myst_html_meta.get("description lang=en", "").split())}
    address = pages(repository()[0])
    if address:
        about |= {"og:url": f"{address}/{app.builder.get_target_uri(pagename)}",
                  "og:image": f"{address}/_static/{PREVIEW}",
                  "twitter:card": "summary_large_image"}
    if not described:
        about["description"] = about["og:description"]
    tags = [f'<meta {"property" if ":" in name else "name"}="{name}" content="'
            + html.escape(html.unescape(re.sub("<[^>]*>", "", text))) + '">'
            for name, text in about.items() if text]
    context["metatags"] = context.get("metatags", "") + "\n" + "\n".join(tags)


def drop_thebe(app, pagename, templatename, context, doctree) -> None:
    """Jupyter Book loads sphinx-thebe twice even when it is off, which is an error in
    the browser's console."""
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in str(getattr(script, "filename", ""))
        and "THEBE_JS_URL" not in str(getattr(script, "attributes", ""))
    ]


def setup(app):
    for change in (set_repository, set_javascript, set_theme):
        # before the theme reads its options
        app.connect("config-inited", change, priority=100)
    app.add_js_file(None, body=WIDGETS_FIT_IN, priority=1)
    app.add_css_file("book.css", priority=900)
    app.add_directive("explorable", Explorable)
    # before `drop_thebe` makes a list of its own
    app.connect("html-page-context", add_explorables, priority=400)
    app.connect("html-page-context", drop_thebe)
    app.connect("html-page-context", drop_shared_ids)
    app.connect("html-page-context", add_preview, priority=900)
    app.connect("build-finished", copy_javascript)
    app.connect("build-finished", copy_explorables)
    launch.connect(app)
    teaching.connect(app)
    figure_data.connect(app)
    source_links.connect(app)
    equation_page.connect(app)
    api.connect(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
