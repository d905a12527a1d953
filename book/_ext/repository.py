"""The public address of this copy of the project, asked from git, so that a fork's
buttons lead to the fork."""

import os
import re
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
# where `make publish` puts the plain notebooks and the pages
COLAB_BRANCH, PAGES_BRANCH = "colab", "gh-pages"
REMOTE = re.compile(
    r"(?:(?:https?|ssh|git)://)?(?:[^@/]+@)?"
    r"(github\.com|gitlab\.com|bitbucket\.org)(?::\d+)?[:/](.+?)/(.+?)(?:\.git)?/?"
)


def web_url(remote: str) -> str:
    """The https page of a git remote without user name or token; "" for a folder or an
    unknown host."""
    match = REMOTE.fullmatch(remote.strip())
    return f"https://{match[1]}/{match[2]}/{match[3]}" if match else ""


def _git(*args: str) -> str:
    try:
        done = subprocess.run(["git", *args], cwd=HERE, capture_output=True, text=True,
                              check=False)
    except OSError:  # no git on this machine
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def repository() -> tuple[str, str]:
    """Address ("" when there is no public one) and default branch; FAIRFL_REPO_URL and
    FAIRFL_REPO_BRANCH go first."""
    url = web_url(os.environ.get("FAIRFL_REPO_URL")
                  or _git("remote", "get-url", "origin"))
    branch = (os.environ.get("FAIRFL_REPO_BRANCH")
              or _git("rev-parse", "--abbrev-ref", "origin/HEAD"))
    branch = branch.removeprefix("origin/")
    return url, branch if branch not in ("", "HEAD") else "main"


def pages(url: str) -> str:
    """Where the book built from the project at this address is published, "" for
    nowhere: GitHub's or GitLab's pages; FAIRFL_PAGES_URL goes first."""
    host, _, path = url.removeprefix("https://").partition("/")
    owner, _, name = path.partition("/")
    site = f"{owner}.{host.removesuffix('.com')}.io"
    own = "" if name == site else f"/{name}"  # a user's own site has no folder
    known = f"https://{site}{own}" if host in ("github.com", "gitlab.com") else ""
    return os.environ.get("FAIRFL_PAGES_URL", known).rstrip("/")


if __name__ == "__main__":
    print(repository()[0])
