"""Settings as data, and those that are recommended."""

import json
import math
from dataclasses import replace

import pytest

from fairfl import datasets
from fairfl.runs import running
from fairfl.runs.recommendations import STARTING, recommended
from fairfl.runs.settings import Settings
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining


@pytest.mark.parametrize("dataset", STARTING)
@pytest.mark.parametrize("partition", ["uni", "pow", "cla"])
def test_recommended_settings_survive_json(dataset, partition):
    settings = recommended(
        dataset,
        partition,
        agents=5,
        mechanism_options={"beta": math.inf},
        label_noise=(0.5,) * 5,
    )
    text = json.dumps(settings.to_dict(), allow_nan=False)
    assert Settings.from_dict(json.loads(text)) == settings


def test_what_is_asked_for_replaces_what_is_recommended():
    settings = recommended("mnist", "pow", 5, rounds=3, mechanism="dw")
    assert (settings.rounds, settings.mechanism, settings.size, settings.agents) == (
        3,
        "dw",
        600,
        5,
    )
    gamma = Schedule(0.3)
    assert (
        recommended("mnist", "cla", gamma=gamma).gamma
        == gamma
        != recommended("mnist", "cla").gamma
    )
    local = LocalTraining(Schedule(0.01))
    assert recommended("mnist", mechanism="qffl", local=local).local == local
    options = recommended(
        "mnist", mechanism="qffl", mechanism_options={"q": 3.0}
    ).mechanism_options
    assert (
        options
        == {"q": 3.0}
        != recommended("mnist", mechanism="qffl").mechanism_options
    )
    assert recommended("mine.npz", "uni", model="mnist_cnn").model == "mnist_cnn"
    with pytest.raises(ValueError, match="known are digits, mnist, cifar10, mr, sst"):
        recommended("imagenet")
    with pytest.raises(TypeError, match="colour"):
        recommended("digits", colour="red")


def test_names_of_files_tell_settings_apart():
    base = recommended("mnist", "pow", 10, mechanism_options={"beta": 1.0})
    assert base.name == "mnist-pow-10-cgsv-beta1-seed0"
    others = [
        replace(base, seed=1),
        replace(base, mechanism_options={"beta": 1.2}),
        replace(base, agents=5),
        replace(base, mechanism_options={"beta": math.inf}),
        replace(base, partition="cla"),
        replace(base, mechanism="dw", mechanism_options={}),
        replace(base, dataset="/some/where/mine.npz"),
        replace(base, mechanism_options={"beta": 1.0, "valuation": "exact"}),
    ]
    names = {s.name for s in [base, *others]}
    assert len(names) == 9 and not any("/" in name for name in names)


@pytest.mark.parametrize("partition", ["uni", "pow", "cla"])
def test_recommended_digits_run_with_a_validation_set_apart(partition):
    data = datasets.load("digits")
    fed = running.federation(recommended("digits", partition, agents=5), data)
    x, y = fed.validation
    assert len(y) == 120 and all(n >= 10 for n in y.bincount(minlength=10))
    held = {tuple(row.tolist()) for agent in fed.agents for row in agent.x.flatten(1)}
    assert not any(tuple(row.tolist()) in held for row in x.flatten(1))
