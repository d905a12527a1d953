# Finds the project from its folder or a chapter's, or fetches it, and sets the
# style of the figures.
import os
import shutil
import subprocess
import sys
from pathlib import Path

# the project's public address, filled in when the book is built
REPO = ""


def project():
    above = [Path.cwd(), *Path.cwd().parents]
    below = Path("fairfl").resolve().glob("**/fairfl/__init__.py")
    below = sorted(below, key=lambda file: len(file.parts))
    found = [path for path in above if (path / "fairfl/__init__.py").exists()]
    return next(iter([*found, *(file.parents[1] for file in below)]), None)


if not project() and Path("fairfl.zip").exists():
    shutil.unpack_archive("fairfl.zip", "fairfl")
if not project() and REPO:
    print(f"Installing the library from {REPO}")
    clone = ["git", "clone", "--quiet", "--depth=1", REPO, "fairfl"]
    subprocess.run(clone, check=True)
    if "google.colab" not in sys.modules:  # Colab has what the library needs
        pip = [sys.executable, "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "./fairfl[book]"], check=True)
if not project():
    raise FileNotFoundError(
        f"The project is not in {Path.cwd()} or above it. Zip the project's "
        "folder (without .venv and _build) as fairfl.zip, put it there (on "
        "Colab with the Files panel on the left), and run this cell again."
    )
sys.path.insert(0, str(project()))
os.chdir(project() / "book")

from fairfl import figures  # noqa: E402

figures.use_book_style()
