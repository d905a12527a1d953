"""A torch Dataset or DataLoader in the place of tensors: all its samples are read once,
in their order, before round 1."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils import data

from fairfl.training import LocalTraining

AGAIN = 16  # samples that are read twice more


def is_data(given: Any) -> bool:
    """Whether it is a Dataset or DataLoader."""
    return isinstance(given, data.Dataset | data.DataLoader)


def read(name: str, given: Any, local: LocalTraining | None = None) -> tuple[Any, Any]:
    """x and y of all samples of a Dataset or DataLoader, collated as the loader would.

    Raises:
        ValueError: there is no length, no sample or no pair (x, y); a sample is another
            one whenever it is asked for; the loader's batches are not those of `local`.
    """
    samples, collate = given, data.default_collate
    if isinstance(given, data.DataLoader):
        samples, collate = given.dataset, given.collate_fn
    whose = f"{name}: the {type(samples).__name__}"
    if isinstance(samples, data.IterableDataset) or not hasattr(samples, "__len__"):
        raise ValueError(f"{whose} must be one with __len__ and __getitem__")
    if not len(samples):
        raise ValueError(f"{name} holds no samples")
    if local and isinstance(given, data.DataLoader):
        _check_batches(name, given, local, len(samples))
    every = range(len(samples))
    try:
        found, *again = (collate([samples[i] for i in indices])
                         for indices in (every, every[:AGAIN], every[:AGAIN]))
    except Exception as why:
        raise ValueError(f"{whose} cannot be read into one batch: {why}") from why
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise ValueError(f"{whose} must give pairs (x, y)")
    if not all(map(_same, *again)):
        raise ValueError(f"{whose} gives another sample whenever it is asked (is that "
                         "augmentation?); pass LocalTraining(augment=...)")
    return found[0], found[1]


def _check_batches(name: str, loader: data.DataLoader, local: LocalTraining, n: int
                   ) -> None:
    """ValueError unless the loader goes through all n samples, shuffled or in their
    order, in batches as large as those of `local`."""
    sampler = loader.sampler
    whole = type(sampler) is data.SequentialSampler or (
        type(sampler) is data.RandomSampler and not sampler.replacement
        and sampler.num_samples == n)
    if not whole or type(loader.batch_sampler) is not data.BatchSampler:
        raise ValueError(f"{name}: the DataLoader has a sampler of its own or makes no "
                         "batches, and local training would draw others; pass its "
                         "Dataset, or train=")
    rule = "drop" if loader.drop_last else "keep"
    theirs = replace(local, batch_size=loader.batch_size, last_batch=rule)
    if theirs.sizes(n) != local.sizes(n):
        raise ValueError(
            f"{name}: the DataLoader makes batches of {loader.batch_size} and would "
            f"{rule} the last; LocalTraining(batch_size={local.batch_size}, "
            f"last_batch={local.last_batch!r}) must say the same")


def _same(one: Any, other: Any) -> bool:
    if not isinstance(one, Tensor) or not isinstance(other, Tensor):
        return True  # and refused later
    return torch.equal(one.nan_to_num(), other.nan_to_num())
