"""A run as it stands, in a file."""

import pickle
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch

from fairfl import datasets, models, partition
from fairfl.attacks import Guess
from fairfl.federation import Federation
from fairfl.mechanisms import CGSV, IAFL, RFFL, FedCE, Lin, ShapFed
from fairfl.runs import checkpoint, running
from fairfl.runs.recommendations import recommended


@pytest.fixture(scope="module")
def fed():
    settings = recommended("digits", "pow", agents=3, size=20, mechanism="rr")
    return running.federation(
        replace(settings, local=replace(settings.local, epochs=1)),
        datasets.load("digits"),
    )


@pytest.fixture
def saved(fed, tmp_path):
    history = fed.run(2)
    file = tmp_path / "run.checkpoint"
    checkpoint.save(file, history, {"seed": 0, "note": None})
    return history, file


def test_everything_that_decides_the_next_round_comes_back(fed, saved):
    history, file = saved
    found = checkpoint.load(file)
    assert found.about == {"seed": 0, "note": None}
    last, again = history.last, found.history.last
    assert again.t == 2 and again.updates is None
    for name in ("server", "models", "buffers"):
        assert (
            torch.equal(getattr(again, name), getattr(last, name))
            and getattr(again, name).dtype == getattr(last, name).dtype
        )
    assert again.state.keys() == last.state.keys()
    assert found.history.to_dict() == history.to_dict()
    on, off = fed.run(1, history=found.history), fed.run(1, history=history)
    assert torch.equal(on.last.models, off.last.models)


def test_state_of_tensors_and_numbers(saved, tmp_path):
    history, file = saved
    history.last = replace(
        history.last,
        state={
            "r": torch.tensor([0.25, 0.75]),
            "n": 3,
            "x": 0.1,
            "out": torch.tensor([True, False]),
        },
    )
    checkpoint.save(file, history, {})
    state = checkpoint.load(file).history.last.state
    assert state["n"] == 3 and state["x"] == 0.1 and state["r"].tolist() == [0.25, 0.75]
    assert state["out"].dtype == torch.bool and state["out"].tolist() == [True, False]


def test_a_round_that_was_recorded_by_half_is_left_out(saved):
    history, file = saved
    history.add(replace(history.last, t=3), {"staleness": torch.ones(3)})
    history.last = replace(history.last, t=2)
    checkpoint.save(file, history, {})
    found = checkpoint.load(file).history
    assert all(max(found.rounds(name).tolist()) <= 2 for name in found.names)


def test_half_a_file_and_other_files_are_named(saved, tmp_path):
    _, file = saved
    whole = file.read_bytes()
    for wrong in (
        b"",
        whole[: len(whole) // 2],
        whole[:-7],
        b"{}",
        whole.replace(b'{"', b'["', 1),
    ):
        file.write_bytes(wrong)
        with pytest.raises(
            ValueError, match="run.checkpoint is damaged or not a checkpoint"
        ):
            checkpoint.load(file)
    for missing in ("models", "json"):
        with zipfile.ZipFile(tmp_path / "other.zip", "w") as new:
            file.write_bytes(whole)
            with zipfile.ZipFile(file) as old:
                for name in old.namelist():
                    if not name.startswith(missing):
                        new.writestr(name, old.read(name))
        with pytest.raises(
            ValueError, match="other.zip is damaged or not a checkpoint"
        ):
            checkpoint.load(tmp_path / "other.zip")
    with pytest.raises(FileNotFoundError):
        checkpoint.load(tmp_path / "none")


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code from the file was run",))


def test_no_code_from_the_file_is_run(saved, tmp_path):
    history, file = saved
    with np.load(file) as arrays:
        plain = dict(arrays)
    np.savez(
        tmp_path / "bomb.npz", **{**plain, "models": np.array([Bomb()], dtype=object)}
    )
    (tmp_path / "bomb.pickle").write_bytes(pickle.dumps(Bomb()))
    for name in ("bomb.npz", "bomb.pickle"):
        with pytest.raises(ValueError, match=f"{name} is damaged or not a checkpoint"):
            checkpoint.load(tmp_path / name)


def test_half_precision_goes_on_to_the_last_bit(tmp_path):
    data = datasets.load("digits")
    agents = [
        agent._replace(x=agent.x.bfloat16())
        for agent in partition.uniform(data, agents=3, size=20, seed=0)
    ]
    fed = Federation(agents, models.build("digits_cnn", 0, torch.bfloat16), CGSV())
    whole, part = fed.run(3), fed.run(2)
    checkpoint.save(tmp_path / "half.checkpoint", part, {})
    found = checkpoint.load(tmp_path / "half.checkpoint").history
    assert found.last.models.dtype == torch.bfloat16
    assert torch.equal(fed.run(1, history=found).last.models, whole.last.models)


LATER = {"rffl": RFFL(grace=1), "fedce": FedCE(), "shapfed": ShapFed(),
         "iafl": IAFL(recovery=0.5), "lin": Lin(explore=2), "lin test": Lin(
             explore=5, lag=1, watched=1, level=0.5)}


@pytest.mark.parametrize("mechanism", LATER.values(), ids=LATER)
def test_mechanisms_that_draw_and_attackers_with_a_memory_go_on_alike(
    mechanism, tmp_path
):
    data = datasets.load("digits")
    agents = partition.uniform(data, agents=4, size=20, seed=0)
    federation = Federation(agents, models.build("digits_cnn", seed=0), mechanism,
                            attacks={"2": Guess(at="line")})
    whole, half = federation.run(5), federation.run(3)
    checkpoint.save(tmp_path / "half", half, {})
    on = federation.run(2, history=checkpoint.load(tmp_path / "half").history)
    assert torch.equal(on.last.models, whole.last.models)
    assert torch.equal(on.last.uploads, whole.last.uploads)
    assert on.to_dict()["series"].keys() == whole.to_dict()["series"].keys()
