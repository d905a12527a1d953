# Finds the library, which lies beside the chapters' folder, and sets the style
# of the figures.
import sys

# the project's public address, written by `make notebooks`
REPO = ""
if "google.colab" in sys.modules:
    import os
    import shutil
    import subprocess
    from pathlib import Path

    home = Path("/content/fairfl")
    if REPO and not home.exists():
        clone = ["git", "clone", "--quiet", "--depth=1", REPO, str(home)]
        subprocess.run(clone, check=True)
    if not home.exists() and Path(f"{home}.zip").exists():
        shutil.unpack_archive(f"{home}.zip", home)
    found = sorted(
        home.glob("**/fairfl/__init__.py"), key=lambda path: len(path.parts)
    )
    if not found:
        raise FileNotFoundError(
            f"{home} does not hold the project. Zip the project's folder "
            "(without .venv and _build) as fairfl.zip, upload it into "
            f"{home.parent} with the Files panel on the left, and run this "
            "cell again."
        )
    os.chdir(found[0].parents[1] / "book")
sys.path.insert(0, "..")

from fairfl import figures  # noqa: E402

figures.use_book_style()
