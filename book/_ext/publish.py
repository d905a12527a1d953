"""Publishes what is built: the pages on a branch `gh-pages`, the plain notebooks on a
branch `colab`, of a remote: `make publish REMOTE=origin`.

Each branch holds one commit, of what is in the folder; nothing of the sources and of
the branch that is checked out is touched.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from launch import has_address
from repository import COLAB_BRANCH, PAGES_BRANCH, repository, web_url

ROOT = Path(__file__).resolve().parents[2]
AUTHOR = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
          for what, value in (("NAME", "fairfl"), ("EMAIL", "fairfl@localhost"))}


def git(*args: str, **env: str) -> str:
    done = subprocess.run(["git", *args], cwd=ROOT, env={**os.environ, **env},
                          stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"git {args[0]} failed")
    return done.stdout.strip()


def push(folder: Path, remote: str, branch: str) -> None:
    """The files of a folder become the branch of the remote."""
    with tempfile.TemporaryDirectory() as scratch:
        env = {"GIT_INDEX_FILE": f"{scratch}/index", "GIT_WORK_TREE": str(folder)}
        git("add", "--all", "--force", str(folder), **env)
        tree = git("write-tree", **env)
    message = f"Built from {git('rev-parse', '--short', 'HEAD')}"
    commit = git("commit-tree", tree, "-m", message, **AUTHOR)
    git("push", "--quiet", "--force", remote, f"{commit}:refs/heads/{branch}")


def lost(notebooks: list[Path], remote: str) -> list[str]:
    """The notebooks that would not find the project from where they are published."""
    address = remote if os.path.exists(remote) or ":" in remote else git(
        "remote", "get-url", remote)
    url = web_url(address) or repository()[0]
    return [path.stem for path in notebooks
            if not has_address(nbformat.read(path, 4), url)]


def main(html: Path, colab: Path, remote: str) -> None:
    notebooks = sorted(colab.glob("book/*.ipynb"))
    if not (html / "index.html").exists() or not notebooks:
        raise SystemExit("nothing to publish: make book, then make colab")
    if missing := lost(notebooks, remote):
        raise SystemExit("these notebooks would not find the project at the remote's "
                         f"address; build them again: {', '.join(missing)}")
    (html / ".nojekyll").touch()  # else GitHub leaves out folders such as _static
    for folder, branch in ((html, PAGES_BRANCH), (colab, COLAB_BRANCH)):
        push(folder.resolve(), remote, branch)
        print(f"published {folder} on branch {branch} of {remote}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
