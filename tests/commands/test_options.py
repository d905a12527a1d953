"""What is typed becomes settings: every field can be reached."""

from dataclasses import fields

import click
import numpy as np
import pytest

from fairfl.commands.options import settings_of
from fairfl.participation import Participation
from fairfl.runs import Settings, file_name, recommended
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining
from fairfl.training.local import FUNCTIONS

VALUES = {
    "dataset": "mnist", "partition": "uni", "agents": 4, "size": 20, "model": "m:Net",
    "rounds": 2, "gamma": 0.25, "mechanism": "eu", "mechanism_options": {"beta": 3.0},
    "partition_options": {"replace": True}, "label_noise": (0.5, 0.0, 0.0),
    "evaluate_every": 7, "cosines_every": 2, "seed": 5, "dataset_options": {"a": 1},
    "model_options": {"hidden": 8}, "validation": 9, "accuracy_every": 3,
    "recorded": "end", "attacks": {"2": {"kind": "zero"}}, "buffers": "local",
    "local.lr": 0.25, "local.epochs": 3, "local.batch_size": None,
    "local.decay_per": "epoch", "local.optimizer": "adam",
    "local.precision": "bfloat16", "local.last_batch": "drop", "local.lr.first": 0.75,
    "local.lr.decay": 0.5, "gamma.first": 0.75, "gamma.decay": 0.5,
    "participation": 0.5, "participation.present": 0.25, "participation.late": 0.125,
    "participation.present.first": 0.5, "participation.present.decay": 0.875,
}
PATHS = ([entry.name for entry in fields(Settings) if entry.name != "local"]
         + [f"local.{entry.name}" for entry in fields(LocalTraining)
            if entry.name not in FUNCTIONS]
         + ["participation.present", "participation.late"]
         + [f"{part}.{entry.name}"
            for part in ("gamma", "local.lr", "participation.present")
            for entry in fields(Schedule)])


@pytest.mark.parametrize("path", PATHS)
def test_set_reaches_every_field_and_the_record(path):
    value = VALUES[path]
    found = settings_of("digits", "pow", 3, "cgsv", None, None, None, (),
                        [f"{path}={value}"])
    plain = Settings.from_dict(found.to_dict())
    for name in path.split("."):
        plain = getattr(plain, name)
    if path in ("gamma", "local.lr", "participation.present"):
        value = Schedule(value)
    assert plain == (Participation(value) if path == "participation" else value)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_cannot_be_typed(name):
    with pytest.raises(click.UsageError, match=f"local.{name}='mse': .*a function"):
        settings_of("digits", "pow", 3, "cgsv", None, None, None, (),
                    [f"local.{name}=mse"])


def test_numbers_of_numpy_become_plain_and_lists_tuples():
    found = recommended("digits", agents=np.int64(3), gamma=Schedule(np.float32(0.5)),
                        label_noise=[np.float32(0.5), 0, 0])
    assert type(found.agents) is int and type(found.gamma.first) is float
    assert found.label_noise == (0.5, 0.0, 0.0)
    assert Settings.from_dict(found.to_dict()) == found
    with pytest.raises(ValueError, match="model_options.a must be plain data"):
        recommended("digits", model_options={"a": object()})


def test_other_settings_have_another_name():
    usual = recommended("digits", agents=3)
    names = {file_name(usual), *(file_name(recommended("digits", agents=3, **other))
                                 for other in ({"rounds": 4}, {"size": 9}))}
    assert len(names) == 3 and file_name(usual) == usual.name
