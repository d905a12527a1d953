"""A chapter with a switch runs with each of its values."""

from pathlib import Path

import nbformat
import notebooks
from nbformat.v4 import new_code_cell, new_notebook

CHAPTERS = sorted((Path(__file__).resolve().parents[2] / "book").glob("*.ipynb"))


def lines(*sources):
    """A notebook of code cells, as `switched` reads it from a file."""
    return new_notebook(cells=[new_code_cell(source) for source in sources])


def test_a_switched_chapter_runs_with_each_other_value(tmp_path):
    path = tmp_path / "demo.ipynb"
    switch = 'RUN = "a"  # or "b", "bb"'
    nbformat.write(lines('ALSO = "a"', f"x = 1\n{switch}\nprint(RUN)"), path)
    found = dict(notebooks.switched(path))
    assert list(found) == ['RUN = "b"', 'RUN = "bb"']
    assert found['RUN = "bb"'].cells[1].source == 'x = 1\nRUN = "bb"\nprint(RUN)'
    notebooks.run(found['RUN = "bb"'], tmp_path)
    assert found['RUN = "bb"'].cells[1].outputs[0].text == "bb\n"
    assert switch in path.read_text().replace('\\"', '"')  # nothing is stored


def test_a_value_with_which_a_chapter_fails_is_reported(tmp_path, capsys):
    path = tmp_path / "demo.ipynb"
    nbformat.write(lines('RUN = "a"  # or "b"', 'assert RUN == "a", "measured on a"'),
                   path)
    assert notebooks.run_switched([path]) == 1
    assert "measured on a" in capsys.readouterr().out


def test_the_switched_chapters_are_found():
    found = {path.stem: [line for line, _ in notebooks.switched(path)]
             for path in CHAPTERS}
    assert {name: len(values) for name, values in found.items() if values} == {
        "accuracy_and_fairness": 2,
        "altruism": 1,
        "is_it_fair": 1,
        "learning_together": 1,
        "the_idea_in_ten_minutes": 1,
        "the_whole_mechanism": 1,
        "what_fairness_costs": 4,
        "what_the_agents_receive": 2,
        "when_agents_cheat": 1,
        "who_contributed": 1,
    }
