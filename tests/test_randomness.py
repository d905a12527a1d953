"""Draws depend on the seed and the purpose, and touch nothing global."""

import pytest
import torch

from fairfl.randomness import derived_seed, generator, seeded


def test_every_part_of_the_key_counts():
    keys = [
        (0,),
        (1,),
        (0, "a"),
        (0, "b"),
        (0, "a", 1),
        (0, "a", 2),
        (0, "a", "1"),
        (0, "a1"),
        (0, 1, "a"),
    ]
    assert len({derived_seed(*key) for key in keys}) == len(keys)


def test_the_same_in_every_process_and_version():
    # Python's own hash differs from process to process, and records must stay
    # repeatable.
    assert derived_seed(0, "batches", "3", 17) == 8276518552511343078
    assert torch.randperm(8, generator=generator(0, "batches", "3", 17)).tolist() == [
        2,
        3,
        5,
        0,
        7,
        6,
        1,
        4,
    ]


def test_generators_are_fresh():
    one, other = (torch.rand(3, generator=generator(5, "x")) for _ in range(2))
    assert torch.equal(one, other) and generator(5, "x").device.type == "cpu"


def test_the_global_generator_is_put_back():
    before = torch.get_rng_state()
    with seeded(3, "layers"):
        inside = torch.rand(3)
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(5)
    with seeded(3, "layers"):
        assert torch.equal(inside, torch.rand(3))


@pytest.mark.parametrize("seed", [None, 1.0, "1", True])
def test_a_seed_is_an_int(seed):
    with pytest.raises(TypeError, match="seed must be an int"):
        derived_seed(seed)
