"""Slides of the first parts: every chapter, its theorems and figures, and no directive
left."""

import re

import pytest
import slides

PLAIN = slides.Plain()


@pytest.mark.parametrize("path", slides.chapters(), ids=lambda path: path.stem)
def test_slides_of_a_chapter(path):
    found = list(slides.slides(path, PLAIN))
    text = "\n\n".join(text for _, text in found)
    assert found[0][1].startswith("# ") and "After this chapter" in found[0][1]
    assert found[-1][1].startswith("## Summary")
    assert not re.search(r"\{[\w:]+\}`|^[`:]{3,}\{|^\([\w-]+\)=$", text, re.M)
    assert "data:image/" in text
    assert "Exercises" not in text and "solution" not in text.lower()


def test_what_becomes_of_myst():
    text = "(a-label)=\n## Title\n\nSee {ref}`altruism`, {eq}`eq-quota` and "
    text += "{cite:t}`xu2021gradient`, {xu}`Fig. 2`, {term}`agents <agent>`."
    text += "\n\n$$\nx\n$$ (eq-x)"
    assert PLAIN(text) == (
        "## Title\n\nSee *Altruism*, the equation and Xu et al. 2021, "
        "Xu et al., Fig. 2, agents.\n\n$$\nx\n$$"
    )


def test_the_file_is_one_page_of_slides(tmp_path):
    page = slides.write(slides.chapters()[0], tmp_path, PLAIN).read_text()
    assert page.count("<section") > 5 and "reveal" in page
