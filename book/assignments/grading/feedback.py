"""A page for each student: points, what was wrong, where to look, what was repaired."""

import hashlib
import re
from html import escape
from pathlib import Path

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width">
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 45em; margin: 2em auto; padding: 0 1em }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ border-bottom: 1px solid #ccc; padding: .3em; text-align: left }}
td {{ vertical-align: top }}
pre {{ white-space: pre-wrap; background: #f5f5f5; padding: .6em }}</style></head>
<body><h1>{title}</h1>
{body}
</body></html>
"""


def file_name(student: str) -> str:
    """A name that every file system takes."""
    plain = re.sub(r"[^\w.@-]+", "_", student).strip(".")
    if plain == student:
        return plain
    return f"{plain}-{hashlib.sha256(student.encode()).hexdigest()[:6]}"


def write(results: dict[str, dict], name: str, out: Path) -> None:
    """One HTML page a student below `out`."""
    for student, result in results.items():
        (out / f"{file_name(student)}.html").write_text(page(student, name, result))


def page(student: str, name: str, result: dict) -> str:
    """The page as HTML; whatever a student wrote is shown as text."""
    rows = "\n".join(_row(task, result) for task in result["possible"])
    left = any(x is None for x in result["points"].values())
    note = ", before what is graded by hand" if left else ""
    adjusted = f" ({result['adjust']:+g} by your teacher)" if result["adjust"] else ""
    parts = [
        f"<p><b>{result['total']:g} of {sum(result['possible'].values()):g} points</b>"
        f"{adjusted}{note}.</p>",
        f"<p>{escape(result['comment'])}</p>" if result["comment"] else "",
        "<table><tr><th>task</th><th>points</th><th></th></tr>" + rows + "</table>",
    ]
    for title, key in (
        ("Cells that ended in an error", "errors"),
        ("Repaired", "repairs"),
    ):
        if result[key]:
            items = "".join(f"<li>{escape(text)}</li>" for text in result[key])
            parts.append(f"<h2>{title}</h2><ul>{items}</ul>")
    for task, text in result["answers"].items():
        parts.append(f"<h2>{escape(task)}</h2><pre>{escape(text)}</pre>")
    return PAGE.format(title=escape(f"{name}: {student}"), body="\n".join(parts))


def _row(task: str, result: dict) -> str:
    points = result["points"][task]
    shown = "by hand" if points is None else f"{points:g}"
    said = result["said"].get(task, "")
    return (
        f"<tr><td>{escape(task)}</td><td>{shown} / {result['possible'][task]:g}</td>"
        f"<td>{escape(said)}</td></tr>"
    )
