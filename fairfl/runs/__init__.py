"""A run as plain data: settings go in, a record comes out.

Chapter "The whole mechanism".

    from fairfl import runs
    record = runs.run(runs.recommended("digits", "pow", agents=5, seed=0))

`records` reads and writes records as JSON, `checkpoint` what an interrupted run leaves.
"""

from fairfl.runs.recommendations import file_name, recommended, starting, with_choice
from fairfl.runs.running import federation, replay, run, standard_probes
from fairfl.runs.settings import Settings

__all__ = ["Settings", "federation", "file_name", "recommended", "replay", "run",
           "standard_probes", "starting", "with_choice"]
