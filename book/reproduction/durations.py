"""How long runs will take: as long as those that are recorded of their kind took."""

import json
import statistics
from pathlib import Path

from fairfl.runs.settings import Settings


def kind(settings: Settings) -> tuple:
    """Runs of one kind take the same time a round, most of them within 30 %."""
    valuation = settings.mechanism_options.get("valuation")
    return (settings.dataset, settings.agents, settings.mechanism, valuation,
            settings.recorded)


def recorded(results: Path, device: str = "cpu") -> dict[tuple, float]:
    """Seconds a round of each kind that is recorded, the median of its records.

    Args:
        device: where they were trained; all GPUs count as one.
    """
    found: dict[tuple, list[float]] = {}
    for file in sorted(results.rglob("*.json")):
        try:
            plain = json.loads(file.read_text())
            settings, took, where = (plain[name]
                                     for name in ("settings", "seconds", "device"))
            settings = Settings.from_dict(settings)
        except (ValueError, KeyError, TypeError):
            continue  # no record of a run
        if where.startswith("CPU") == (device == "cpu"):
            found.setdefault(kind(settings), []).append(took / settings.rounds)
    return {key: statistics.median(took) for key, took in found.items()}


def expected(settings: Settings, known: dict[tuple, float]) -> float | None:
    """Seconds of a whole run; None where nothing of its kind is recorded.

    Args:
        known: see `recorded`.
    """
    a_round = known.get(kind(settings))
    return None if a_round is None else settings.rounds * a_round
