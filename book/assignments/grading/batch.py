"""Grade a folder of submissions: each alone, several at a time, resumable."""

import hashlib
import json
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import nbformat
from tqdm.auto import tqdm

from book.assignments.grading import feedback, notebook, tables
from book.assignments.grading.judge import judge
from book.assignments.grading.repair import Unreadable, repair
from book.assignments.grading.task import ROOT, ProblemSet, load

COPY = re.compile(r"[ _-]*(\(\d+\)|copy\d*|kopie|\d{8,})$", re.IGNORECASE)


def submissions(folder: Path, name: str) -> dict[str, Path]:
    """The newest notebook of each student: `anna/ps1.ipynb`, `anna_ps1.ipynb`, and
    what browsers make of these names.

    Raises:
        FileNotFoundError: the folder does not exist or holds no notebook.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.ipynb"), key=lambda path: path.stat().st_mtime):
        if ".ipynb_checkpoints" in path.parts:
            continue
        if path.parent != folder:
            found[path.relative_to(folder).parts[0]] = path
        else:
            student = COPY.sub("", path.stem).strip()
            student = re.sub(rf"[ _-]*{name}[ _-]*", "", student, flags=re.IGNORECASE)
            found[student or COPY.sub("", path.stem)] = path
    if not found:
        raise FileNotFoundError(f"no notebook (*.ipynb) below {folder}")
    return dict(sorted(found.items()))


def grade(path: Path, problems: ProblemSet, hidden: Sequence[Path] = ()) -> dict:
    """The grades of one submission, as plain data. No submission makes it raise."""
    source = nbformat.read(problems.source, 4)
    points, by_hand = notebook.points(source), notebook.by_hand(source)
    result: dict = {
        "points": dict.fromkeys(points, 0.0),
        "possible": points,
        "said": {},
        "answers": {},
        "repairs": [],
        "errors": [],
        "isolated": False,
    }
    result["points"] |= dict.fromkeys(by_hand)
    try:
        made = repair(path.read_bytes(), notebook.student(source))
        verdicts, outcome = judge(made.cells, dict(problems.tasks), hidden)
    except Unreadable as error:
        return result | {"errors": [str(error)]}
    except Exception as error:  # one notebook never costs another student a grade
        return result | {
            "errors": [f"could not be graded: {type(error).__name__}: {error}"]
        }
    for name, verdict in verdicts.items():
        result["points"][name] = points[name] if verdict.right else 0.0
        result["said"][name] = verdict.said
    result["answers"] = {name: made.answers.get(name, "") for name in by_hand}
    result["errors"] = [
        f"cell {number + 1}: {said}" for number, said in outcome.errors.items()
    ]
    return result | {"repairs": made.repairs, "isolated": outcome.isolated}


def grade_all(folder: Path, name: str, out: Path, workers: int = 2) -> Path:
    """Grade every submission below `folder`; the path of the CSV.

    Each student's result lies in `out` as soon as it is there; a second call grades
    only what is new or has changed, and takes in what `out`/by-hand.csv says.

    Raises:
        FileNotFoundError: no notebooks. ValueError: by-hand.csv holds a bad number.
    """
    problems = load(name)
    found = submissions(folder, name)
    out.mkdir(parents=True, exist_ok=True)
    project = ROOT.parents[1]
    hidden = (
        ROOT,
        project / "_build",
        project / ".git",
        folder.resolve(),
        out.resolve(),
    )
    version = _version(problems)
    with ThreadPoolExecutor(workers) as pool:
        waiting = {}
        for student, path in found.items():
            key = hashlib.sha256(path.read_bytes()).hexdigest() + version
            if _kept(out, student, key) is None:
                waiting[pool.submit(grade, path, problems, hidden)] = (student, key)
        bar = tqdm(
            as_completed(waiting),
            total=len(waiting),
            desc=f"grading {name}",
            unit="student",
        )
        try:
            for future in bar:
                student, key = waiting[future]
                graded = future.result() | {"key": key}
                _file(out, student).write_text(json.dumps(graded))
        finally:
            pool.shutdown(cancel_futures=True)  # what is done stays, the rest waits
    results = {
        student: json.loads(_file(out, student).read_text()) for student in found
    }
    teachers = out / "by-hand.csv"
    tasks = notebook.by_hand(nbformat.read(problems.source, 4))
    marks = tables.by_hand(teachers, list(results), tasks)
    results = {
        student: tables.marked(result, marks[student], teachers)
        for student, result in results.items()
    }
    feedback.write(results, name, out)
    tables.write(results, out / f"{name}.csv")
    return out / f"{name}.csv"


def _version(problems: ProblemSet) -> str:
    """Changes whenever the source or the tasks do."""
    parts = (problems.source, problems.source.with_name("tasks.py"))
    whole = b"".join(part.read_bytes() for part in parts)
    return hashlib.sha256(whole).hexdigest()[:16]


def _file(out: Path, student: str) -> Path:
    return out / f"{feedback.file_name(student)}.json"


def _kept(out: Path, student: str, key: str) -> dict | None:
    try:
        found = json.loads(_file(out, student).read_text())
    except (OSError, ValueError):
        return None
    return found if found.get("key") == key else None
