"""Draws the README's picture, book/images/label_noise.svg, from a recorded run: python
book/_ext/readme_picture.py"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "data" / "results" / "fig2-mnist-seed0.json"
PREVIEW = ROOT / "book" / "_ext" / "static" / "preview.png"  # where a page is shared
PICTURE = ROOT / "book" / "images" / "label_noise.svg"


def draw(record):
    """What the five agents of a label-noise run earn, and how far their models stay
    behind the server's."""
    from matplotlib import pyplot as plt

    history, noise = record.history, record.settings.label_noise
    figure, (earned, behind) = plt.subplots(1, 2, figsize=(9, 3.4))
    for axes, name in ((earned, "r"), (behind, "server_distance")):
        lines = axes.plot(history.rounds(name), history[name])
    earned.set(title="Importance coefficient r", xlabel="round", ylim=(0, None))
    behind.set(title="Distance from the server's model", xlabel="round", ylim=(0, None))
    labels = [f"agent {key}: {wrong:.0%} wrong labels"
              for key, wrong in zip(history.keys, noise, strict=True)]
    figure.legend(lines, labels, loc="outside right center")
    return figure


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    from fairfl import figures
    from fairfl.runs import records

    figures.use_book_style()
    PICTURE.parent.mkdir(exist_ok=True)
    figure = draw(records.load(RECORD))
    PICTURE.write_text(figures.svg(figure))
    figure.suptitle("Fair rewards in collaborative machine learning")
    figure.set_size_inches(9, 4.725)
    figure.savefig(PREVIEW, dpi=1200 / 9, metadata={"Software": None})
    print(f"wrote {PICTURE.relative_to(ROOT)} and {PREVIEW.relative_to(ROOT)} from "
          f"{RECORD.relative_to(ROOT)}")
