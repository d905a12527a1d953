"""How long runs will take, from records that say how long they took."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from book.reproduction import durations
from fairfl.runs.recommendations import recommended
from fairfl.runs.settings import Settings

RESULTS = Path(__file__).resolve().parents[2] / "data" / "results"
BASE = recommended("digits", "pow", agents=3, rounds=10)


def write(folder, name, seconds, device="CPU, x86_64, linux", **changes):
    settings = replace(BASE, **changes).to_dict()
    record = {"settings": settings, "seconds": seconds, "device": device}
    (folder / f"{name}.json").write_text(json.dumps(record))


def test_the_median_of_a_round_of_the_same_kind_times_the_rounds(tmp_path):
    for name, seconds in (("a", 10.0), ("b", 20.0), ("c", 90.0)):
        write(tmp_path, name, seconds)
    write(tmp_path, "d", 500.0, device="NVIDIA H100")
    write(tmp_path, "e", 70.0, agents=4)
    (tmp_path / "times.json").write_text('{"settings": {"seed": 0}}')
    known = durations.recorded(tmp_path)
    assert durations.expected(replace(BASE, rounds=7, seed=5),
                              known) == pytest.approx(14)
    assert durations.expected(replace(BASE, agents=4), known) == pytest.approx(70)
    on_a_gpu = durations.recorded(tmp_path, "cuda")
    assert durations.expected(BASE, on_a_gpu) == pytest.approx(500)
    assert durations.expected(replace(BASE, agents=4), on_a_gpu) is None


@pytest.mark.parametrize("changes", [
    {"dataset": "mnist"}, {"agents": 5}, {"mechanism": "eci", "mechanism_options": {}},
    {"mechanism_options": {"valuation": "exact"}}, {"recorded": "losses"}])
def test_nothing_is_said_of_another_kind(tmp_path, changes):
    write(tmp_path, "a", 10.0)
    known = durations.recorded(tmp_path)
    assert durations.expected(replace(BASE, **changes), known) is None


def test_records_of_one_kind_took_about_as_long():
    """Half of them at least within 30 % of what is expected, busy machine or not."""
    known, off = durations.recorded(RESULTS), []
    for file in RESULTS.glob("*/*.json"):
        plain = json.loads(file.read_text())
        guess = durations.expected(Settings.from_dict(plain["settings"]), known)
        off.append(abs(guess / plain["seconds"] - 1))
    assert len(off) > 500 and sorted(off)[len(off) // 2] < 0.3
