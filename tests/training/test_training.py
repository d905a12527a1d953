"""Local training: steps, learning rates, and against a loop written out."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from fairfl import vectors
from fairfl.partition import Agent
from fairfl.randomness import generator, seeded
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining, plain

F64 = torch.float64


def test_an_epoch_takes_each_sample_once_in_ceil_n_over_b_steps():
    local = LocalTraining(epochs=3, batch_size=4)
    steps = list(local.batches(10, generator(0, "batches")))
    assert [(epoch, len(indices)) for epoch, indices in steps] == [
        (e, n) for e in range(3) for n in (4, 4, 2)
    ]
    orders = [torch.cat([i for e, i in steps if e == epoch]) for epoch in range(3)]
    assert all(sorted(order.tolist()) == list(range(10)) for order in orders)
    assert not torch.equal(orders[0], orders[1])  # shuffled anew


def test_a_shard_smaller_than_the_batch_and_the_full_batch_take_one_step():
    for size in (32, None):
        assert [
            len(i)
            for _, i in LocalTraining(batch_size=size).batches(5, generator(0, "b"))
        ] == [5]


@pytest.mark.parametrize(
    "rule, n, sizes",
    [
        ("keep", 9, [4, 4, 1]),
        ("drop", 9, [4, 4]),
        ("merge", 9, [4, 5]),
        ("keep", 8, [4, 4]),
        ("drop", 8, [4, 4]),
        ("merge", 8, [4, 4]),
        ("keep", 3, [3]),
        ("drop", 3, [3]),
        ("merge", 3, [3]),
        ("drop", 7, [4]),
        ("merge", 7, [7]),
        ("merge", 1, [1]),
        ("only", 9, [1]),
        ("only", 8, [4]),
        ("only", 3, [3]),
    ],
)
def test_the_last_batch_is_kept_dropped_or_merged(rule, n, sizes):
    local = LocalTraining(epochs=2, batch_size=4, last_batch=rule)
    assert local.sizes(n) == sizes
    steps = list(local.batches(n, generator(0, "batches")))
    assert [len(indices) for _, indices in steps] == sizes * 2
    first = torch.cat([indices for epoch, indices in steps if epoch == 0]).tolist()
    assert len(set(first)) == sum(sizes)
    order = torch.randperm(n, generator=generator(0, "batches")).tolist()
    skipped = n - sum(sizes) if rule == "only" else 0
    assert first == order[skipped:][: sum(sizes)]  # the draws are those of all rules
    assert replace(local, batch_size=None).sizes(n) == [n]


def test_what_is_merged_or_dropped_is_another_sample_each_epoch():
    local = LocalTraining(epochs=20, batch_size=4, last_batch="drop")
    left = set()
    for epoch in range(20):
        steps = list(local.batches(5, generator(0, "batches")))
        left |= set(range(5)) - {i for e, s in steps if e == epoch for i in s.tolist()}
    assert left == set(range(5))


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"last_batch": "skip"},
            "unknown last_batch 'skip'; known are keep, drop, merge, only",
        ),
        ({"precision": "float16"}, "unknown precision 'float16'; known are bfloat16"),
        ({"precision": "None"}, "unknown precision"),
        ({"optimizer": "adamw"}, "known are sgd, adam"),
        ({"epochs": 1.5}, "epochs must be a whole number of at least 1, not 1.5"),
        ({"batch_size": True}, "batch_size must be a whole number"),
    ],
)
def test_settings_that_are_none(changes, message):
    with pytest.raises(ValueError, match=message):
        LocalTraining(**changes)


def test_the_learning_rate_decays_per_round_or_per_epoch():
    per_round = LocalTraining(lr=Schedule(1.0, 0.5), epochs=2)
    assert [per_round.rate(t, e) for t in (1, 2) for e in (0, 1)] == [1, 1, 0.5, 0.5]
    per_epoch = LocalTraining(lr=Schedule(1.0, 0.5), epochs=2, decay_per="epoch")
    assert [per_epoch.rate(t, e) for t in (1, 2) for e in (0, 1)] == [
        1,
        0.5,
        0.25,
        0.125,
    ]


def test_sgd_written_out():
    with seeded(0, "linear"):
        module = nn.Linear(3, 2, dtype=F64)
    draws = generator(0, "data")
    agents = [
        Agent(
            k,
            torch.randn(n, 3, generator=draws, dtype=F64),
            torch.randint(2, (n,), generator=draws),
        )
        for k, n in (("a", 5), ("b", 2))
    ]
    local = LocalTraining(
        lr=Schedule(0.3, 0.5), epochs=2, batch_size=2, decay_per="epoch"
    )
    start = torch.stack([vectors.flatten(module), vectors.flatten(module) + 0.1])
    before = start.clone()
    updates, buffers = plain.train(
        module, start, torch.empty(2, 0, dtype=F64), agents, local, t=2, seed=4
    )
    assert torch.equal(start, before) and buffers.shape == (2, 0)
    for row, agent, update in zip(start, agents, updates, strict=True):
        w = row.clone()
        for epoch, indices in local.batches(
            len(agent.y), generator(4, "batches", agent.key, 2)
        ):
            x, y = agent.x[indices], agent.y[indices]
            probability = (x @ w[:6].reshape(2, 3).T + w[6:]).softmax(1)
            error = (probability - nn.functional.one_hot(y, 2)) / len(
                y
            )  # gradient of the mean cross-entropy
            gradient = torch.cat([(error.T @ x).flatten(), error.sum(0)])
            w -= 0.3 * 0.5 ** (2 + epoch) * gradient  # epochs 3 and 4 of the run
        torch.testing.assert_close(update, w - row)
