"""The server: a mechanism leads the nodes, or several, one after another."""

import json
from pathlib import Path

import torch
from flwr.serverapp import ServerApp
from task import LOCAL, network, validation

from fairfl import mechanisms
from fairfl.flower import FairStrategy

app = ServerApp()


@app.main()
def main(grid, context):
    """Train as the run config says; what `folder` holds already is gone on with."""
    config = context.run_config
    folder = Path(config["folder"]) if config["folder"] else None
    for name in config["mechanism"].split():
        options = {"beta": config["beta"]} if name == "cgsv" else {}
        mechanism = mechanisms.build(name, **options)
        judged = "accuracy" in mechanism.needs
        strategy = FairStrategy(
            mechanism, network(context), local=LOCAL, seed=config["seed"],
            agents=config["agents"], validation=validation() if judged else None,
            checkpoint=folder / f"{name}.checkpoint" if folder else None)
        result = strategy.start(grid, num_rounds=config["rounds"],
                                timeout=config["timeout"])
        if folder:
            rounds = json.dumps(strategy.metrics, indent=1)
            (folder / f"{name}.json").write_text(rounds)
            torch.save(result.arrays.to_torch_state_dict(), folder / f"{name}.pt")
