import sys
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fairfl import partition as parts
from fairfl.datasets import Data, load
from fairfl.partition import Agent, class_counts, hold_out, label_noise, partition
from fairfl.partition.class_sets import class_sets, demand
from fairfl.partition.mixtures import allot
from fairfl.partition.sizes import LAWS, rounded

class_sets_module = sys.modules["fairfl.partition.class_sets"]


def pool(n: int, classes: int = 10) -> Data:
    """n samples that are their own numbers; sample j is of class j mod classes."""
    x = torch.arange(n, dtype=torch.float64).reshape(-1, 1)
    return Data("numbers", x, torch.arange(n) % classes, x[:0], x[:0, 0].long(),
                classes, "", True)


def indices(agents: list[Agent]) -> list[list[int]]:
    return [agent.x.flatten().long().tolist() for agent in agents]


def sizes(agents: list[Agent]) -> list[int]:
    return [len(agent.y) for agent in agents]


KINDS = {
    "uni": ("uni", {}),
    "pow": ("pow", {}),
    "arithmetic": ("pow", {"law": "arithmetic"}),
    "nested": ("cla", {"held": "nested"}),
    "spread": ("cla", {"held": "spread"}),
    "dirichlet": ("dirichlet", {}),
}


# ------------------------------------------------------- what holds for every partition


@pytest.mark.parametrize("kind", KINDS)
@given(agents=st.integers(1, 100), size=st.integers(10, 40), seed=st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_disjoint_complete_and_in_order(kind, agents, size, seed):
    name, options = KINDS[kind]
    if kind == "arithmetic":
        size += agents  # else rounding up may leave nothing for the last agent
    # no more than needed, unless all want class 0
    data = pool(agents * size * (10 if name == "cla" else 1))
    shards = partition(name, data, agents, size, seed, **options)
    assert [agent.key for agent in shards] == [str(i) for i in range(1, agents + 1)]
    taken = [j for shard in indices(shards) for j in shard]
    assert len(taken) == len(set(taken)) == agents * size
    assert min(sizes(shards)) >= 1
    for agent in shards:
        assert agent.y.dtype == torch.int64
        assert torch.equal(agent.x.flatten().long() % 10, agent.y)
    if kind in ("uni", "nested", "spread", "dirichlet"):
        assert sizes(shards) == [size] * agents
    elif kind == "pow":
        assert sizes(shards) == sorted(sizes(shards))
    else:
        assert sizes(shards)[:-1] == sorted(sizes(shards)[:-1])


# What the data sets deal out: samples (floats or word numbers) and how many of each
# class, with the size of a shard
SHAPES = {
    "digits": (torch.float64, [119, 122, 118, 122, 121, 122, 121, 119, 116, 120], 40),
    "mnist": (torch.float32,
              [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949], 600),
    "cifar10, the copy": (torch.float32, [2500] * 10, 500),
    "mr": (torch.int64, [4265, 4265], 85),
    "sst": (torch.int64, [1092, 2218, 1624, 2322, 1288], 85),
}
REPLACED = KINDS | {"replaced": ("cla", {"replace": True})}


@pytest.mark.parametrize("kind", REPLACED)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_partition_of_every_data_set(shape, kind):
    """50 seeds, with 1 to 100 agents: what must hold whatever is drawn."""
    (dtype, counts, size), (name, options) = SHAPES[shape], REPLACED[kind]
    y = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    data, c = (torch.arange(len(y)).to(dtype).reshape(-1, 1), y), len(counts)
    for seed in range(50):
        n = (1, 2, 3, 5, 10, 20, 100)[seed % 7]
        n = min(n, len(y) // size)
        # without replacement, as much as there is of the class that all want
        if kind in ("nested", "spread"):
            size_now = max(c, min(size, min(counts) // n))
            n = min(n, min(counts) // size_now)
        else:
            size_now = size
        shards = partition(name, data, n, size_now, seed, **options)
        taken = torch.cat([agent.x for agent in shards]).flatten()
        per_class = class_counts(shards, c)
        assert len(shards) == n and len(taken) == n * size_now == per_class.sum()
        assert all(agent.x.dtype == dtype
                   and torch.equal(y[agent.x.flatten().long()], agent.y)
                   for agent in shards)
        if kind != "replaced":
            assert len(taken.unique()) == len(taken)
        here = per_class.sum(1).tolist()
        if name == "pow":
            body = here[:-1] if kind == "arithmetic" else here
            assert body == sorted(body) and min(here) >= 1
            assert n < 3 or len(set(here)) > 1
        else:
            assert here == [size_now] * n
        if name == "cla":
            held_classes = [1 + i * (c - 1) // max(n - 1, 1) for i in range(n)]
            assert (per_class > 0).sum(1).tolist() == held_classes
            held = per_class.double().masked_fill(per_class == 0, torch.nan)
            assert all(row[~row.isnan()].max() - row[~row.isnan()].min() <= 1
                       for row in held)
        if seed < 3:
            again = partition(name, data, n, size_now, seed, **options)
            other = partition(name, data, n, size_now, seed + 1, **options)
            assert all(torch.equal(a.x, b.x)
                       for a, b in zip(shards, again, strict=True))
            assert not all(torch.equal(a.x, b.x)
                           for a, b in zip(shards, other, strict=True))


@pytest.mark.parametrize("kind", ["uni", "pow", "arithmetic", "dirichlet"])
def test_no_size_is_all_that_there_is(kind):
    name, options = KINDS[kind]
    shards = partition(name, pool(103), 5, None, 0, **options)
    assert sum(sizes(shards)) == 100
    assert indices(shards) == indices(partition(name, pool(103), 5, 20, 0, **options))


def test_no_size_for_classes():
    assert sizes(parts.classes(pool(103), 5, None, 0, replace=True)) == [20] * 5
    message = "5 agents with 20 samples each want 34 samples of class 0, there are 11"
    with pytest.raises(ValueError, match=message):
        parts.classes(pool(103), 5, None, 0)


@pytest.mark.parametrize("kind", parts.PARTITIONS)
def test_more_agents_than_samples(kind):
    with pytest.raises(ValueError, match="7 agents cannot share 6 samples"):
        partition(kind, pool(6, 2), 7, None, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_draw_depends_on_the_seed_alone(kind):
    name, options = KINDS[kind]
    data = pool(1000)
    torch.manual_seed(1)
    first = indices(partition(name, data, 5, 20, 7, **options))
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert indices(partition(name, data, 5, 20, 7, **options)) == first
    assert torch.equal(torch.get_rng_state(), before)
    assert indices(partition(name, data, 5, 20, 8, **options)) != first


@pytest.mark.parametrize("kind", KINDS)
def test_agents_alias_neither_the_pool_nor_each_other(kind):
    name, options = KINDS[kind]
    data = pool(1000)
    first, *others = partition(name, data, 5, 20, 0, **options)
    before = [agent.x.clone() for agent in others]
    first.x.fill_(-1)
    first.y.fill_(-1)
    assert torch.equal(data.x, pool(1000).x) and torch.equal(data.y, pool(1000).y)
    assert all((agent.y >= 0).all() for agent in others)
    assert all(torch.equal(agent.x, x) for agent, x in zip(others, before, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_pair_is_as_good_as_a_data_set(kind):
    name, options = KINDS[kind]
    data = pool(1000)
    pair = partition(name, (data.x, data.y), 5, 20, 0, **options)
    assert indices(pair) == indices(partition(name, data, 5, 20, 0, **options))


def test_by_name():
    data = pool(300)
    even = parts.uniform(data, 3, 10, 0)
    assert indices(partition("UNI", data, 3, 10, 0)) == indices(even)
    steep = parts.power_law(data, 3, 10, 0, exponent=2)
    assert indices(partition("Pow", data, 3, 10, 0, exponent=2)) == indices(steep)
    classes = parts.classes(data, 3, 10, 0)
    assert indices(partition("cla", data, 3, 10, 0)) == indices(classes)
    few = parts.dirichlet(data, 3, 10, 0, concentration=0.1)
    same = partition("Dirichlet", data, 3, 10, 0, concentration=0.1)
    assert indices(same) == indices(few)
    with pytest.raises(ValueError, match="'iid'; known are cla, dirichlet, pow, uni"):
        partition("iid", data, 3, 10, 0)


@pytest.mark.parametrize("kind", parts.PARTITIONS)
@pytest.mark.parametrize(("agents", "size"), [(0, 5), (5, 0), (-1, 5)])
def test_nothing_to_deal_out(kind, agents, size):
    with pytest.raises(ValueError, match="at least 1"):
        partition(kind, pool(100), agents, size, 0)


@pytest.mark.parametrize("kind", parts.PARTITIONS)
def test_no_pool(kind):
    with pytest.raises(ValueError, match="0 samples and 0 labels"):
        partition(kind, pool(0), 2, 10, 0)
    with pytest.raises(ValueError, match="3 samples and 4 labels"):
        partition(kind, (torch.zeros(3, 1), torch.zeros(4).long()), 2, 10, 0)


def test_no_shard_fits_many_agents():
    with pytest.raises(ValueError, match="there are 103; no shard fits$"):
        partition("uni", pool(103), 104, 1, 0)


# ------------------------------------------------------------------------------- labels


WRONG_LABELS = {
    "-1, +1": (lambda y: 2 * (y % 2) - 1, "labels outside 0 to 1"),
    "1 .. C": (lambda y: y + 1, "10 different labels has labels outside 0 to 9"),
    "a gap": (lambda y: y + (y == 9), "outside 0 to 9"),
    "one far off": (lambda y: torch.where(y == 9, 10**9, y), "outside 0 to 9"),
    "(n, 1)": (lambda y: y[:, None], r"\(n,\), not torch.int64 of shape \(1000, 1\)"),
    "one-hot": (lambda y: torch.nn.functional.one_hot(y), r"of shape \(1000, 10\)"),
    "floats": (lambda y: y.double(), "whole numbers .* not torch.float64"),
    "booleans": (lambda y: y > 4, "whole numbers .* not torch.bool"),
    "uint64": (lambda y: y.numpy().astype(np.uint64) + np.uint64(2**63), "outside"),
}


@pytest.mark.parametrize("wrong", WRONG_LABELS)
@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_a_pair_are_0_to_c_without_a_gap(kind, wrong):
    name, options = KINDS[kind]
    data, (change, message) = pool(1000), WRONG_LABELS[wrong]
    with pytest.raises(ValueError, match=message) as caught:
        partition(name, (data.x, change(data.y)), 5, 20, 0, **options)
    assert str(caught.value).startswith("the pool ")


@pytest.mark.parametrize("wrong", sorted(set(WRONG_LABELS) - {"a gap"}))
def test_labels_of_a_data_set_lie_in_its_classes(wrong):
    data, (change, _) = pool(1000), WRONG_LABELS[wrong]
    wrong_y = torch.as_tensor(change(data.y))
    for name, options in KINDS.values():
        with pytest.raises(ValueError, match="the pool (has|needs) labels"):
            partition(name, data._replace(y=change(data.y)), 5, 20, 0, **options)
    with pytest.raises(ValueError, match="the pool (has|needs) labels"):
        hold_out(data._replace(y=change(data.y)), None, 0)
    with pytest.raises(ValueError, match="the validation set (has|needs) labels"):
        hold_out(data._replace(validation=(data.x, wrong_y)), 9, 0)
    agents = [Agent("1", data.x, wrong_y)]
    for call in (class_counts, lambda a, c: label_noise(a, [0.5], c, 0)):
        with pytest.raises(ValueError, match="agent '1' (has|needs) labels"):
            call(agents, 10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["uint8", "int32", "uint32", "int64", "uint64"])
def test_arrays_are_dealt_like_tensors(kind, dtype):
    name, options = KINDS[kind]
    data = pool(1000)
    arrays = data.x.numpy(), data.y.numpy().astype(dtype)
    found = partition(name, arrays, 5, 20, 0, **options)
    assert indices(found) == indices(partition(name, data, 5, 20, 0, **options))
    for agent in found:
        assert agent.y.dtype == torch.int64
        assert torch.equal(agent.x.flatten().long() % 10, agent.y)


# -------------------------------------------------------------------------- many agents


def seconds(call) -> float:
    """Of this process alone, whatever else the machine does; the least of five."""
    times = []
    for _ in range(5):
        begin = time.process_time()
        call()
        times.append(time.process_time() - begin)
    return min(times)


MANY = {
    "rounded": lambda n: rounded(range(1, n + 1), 20 * n),
    "power law with empty shards": lambda n: LAWS["power"](n, n, 1.659),
    "arithmetic": lambda n: LAWS["arithmetic"](n, n * n, 1.659),
    "spread classes": lambda n: class_sets(n, 2, "spread"),
}


@pytest.mark.parametrize("what", MANY)
def test_the_time_grows_with_the_number_of_agents_not_its_square(what):
    """32 times as many agents: 32 times as long, where the square is 1,024."""
    ratio = seconds(lambda: MANY[what](32_000)) / seconds(lambda: MANY[what](1000))
    assert ratio < 256


@pytest.mark.parametrize("kind", ["uni", "pow", "arithmetic", "dirichlet"])
def test_the_pool_is_compared_before_anything_is_worked_out(kind, monkeypatch):
    name, options = KINDS[kind]
    for module in ("sizes", "mixtures"):
        monkeypatch.setattr(f"fairfl.partition.{module}.rounded", None)
    monkeypatch.setitem(LAWS, "arithmetic", None)
    with pytest.raises(ValueError, match="100000 agents .* want 2000000 samples"):
        partition(name, pool(1200), 100_000, 20, 0, **options)


@pytest.mark.parametrize("held", ["nested", "spread"])
def test_no_shard_is_tried_that_wants_more_than_the_pool(held, monkeypatch):
    monkeypatch.setattr(class_sets_module, "demand", None)
    assert parts.largest_shard(100_000, [120] * 10, held) == 0


def test_a_filled_agent_is_paid_for_by_the_first_of_the_largest():
    """Against the plain form, which looks for the largest anew each time."""
    for agents, size, exponent in [(4, 2, 2), (9, 2, 5), (30, 3, 9), (50, 1, 4)]:
        plain = rounded([(i / agents) ** exponent for i in range(1, agents + 1)],
                        agents * size)
        while 0 in plain:
            plain[plain.index(max(plain))] -= 1
            plain[plain.index(0)] += 1
        assert LAWS["power"](agents, agents * size, exponent) == plain


# ---------------------------------------------------------------------------------- UNI


@pytest.mark.parametrize("kind", ["uni", "pow", "dirichlet"])
def test_the_error_names_the_largest_shard_that_fits(kind):
    data = pool(103)
    message = "want 105 samples, there are 103; the largest shard that fits has 20$"
    with pytest.raises(ValueError, match=message):
        partition(kind, data, 5, 21, 0)
    assert sum(sizes(partition(kind, data, 5, 20, 0))) == 100


def test_uniform_takes_every_sample_equally_often():
    counts = torch.zeros(20)
    for seed in range(2000):
        counts[indices(parts.uniform(pool(20), 2, 2, seed))[1]] += 1
    assert counts.sum() == 4000
    assert (counts - 200).abs().max() < 5 * (2000 * 0.1 * 0.9) ** 0.5


# ---------------------------------------------------------------------------------- POW


def test_power_law_of_the_paper():
    """3,000 samples for five agents, exponent 1.659."""
    assert sizes(parts.power_law(pool(3000), 5, 600, 0)) == [86, 273, 534, 861, 1246]


def test_power_law_by_hand():
    # 1 : 2 : 3 : 4 of 12 is 1.2, 2.4, 3.6, 4.8: the two odd ones go to the last two
    assert sizes(parts.power_law(pool(12), 4, 3, 0, exponent=1)) == [1, 2, 4, 5]
    # 1 : 4 : 9 : 16 of 8 is 0.27, 1.07, 2.4, 4.27: the odd one to the third, then the
    # last gives to the first
    assert sizes(parts.power_law(pool(8), 4, 2, 0, exponent=2)) == [1, 1, 3, 3]


def test_arithmetic_progression():
    five = sizes(parts.power_law(pool(3000), 5, 600, 0, law="arithmetic"))
    assert five == [71, 336, 600, 865, 1128]
    ten = sizes(parts.power_law(pool(6000), 10, 600, 0, law="arithmetic"))
    assert ten[:2] + ten[-2:] == [71, 189, 1012, 1125]
    assert {b - a for a, b in zip(ten[:-2], ten[1:-1], strict=True)} == {117, 118}


def test_arithmetic_progression_that_leaves_nothing():
    with pytest.raises(ValueError,
                       match="no samples for agent '100'; raise size above 2"):
        parts.power_law(pool(1000), 100, 2, 0, law="arithmetic")


def test_wrong_laws():
    with pytest.raises(ValueError, match="'zipf'; known are arithmetic, power"):
        parts.power_law(pool(100), 5, 10, 0, law="zipf")
    for exponent in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="exponent"):
            parts.power_law(pool(100), 5, 10, 0, exponent=exponent)


# ---------------------------------------------------------------------------------- CLA


def held_by(agents: list[Agent], classes: int = 10) -> list[list[int]]:
    return [row.nonzero().flatten().tolist() for row in class_counts(agents, classes)]


def test_nested_classes_of_the_paper():
    agents = parts.classes(pool(12_000), 5, 600, 0)
    assert held_by(agents) == [list(range(k)) for k in (1, 3, 5, 7, 10)]


def test_spread_classes_by_hand():
    agents = parts.classes(pool(10_000), 5, 600, 0, held="spread")
    assert held_by(agents) == [[0], [1, 2, 3], [4, 5, 6, 7, 8], [0, 1, 2, 3, 4, 5, 9],
                               list(range(10))]


@pytest.mark.parametrize(("agents", "percent"), [(10, 55.0), (20, 50.5)])
def test_mean_share_of_classes(agents, percent):
    counts = class_counts(parts.classes(pool(70_000), agents, 600, 0), 10)
    assert 100 * (counts > 0).double().mean().item() == pytest.approx(percent)


@pytest.mark.parametrize("held", ["nested", "spread"])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_invariants_of_classes(held, classes):
    """Up to 100 agents, without drawing: numbers of classes, how evenly agents and
    classes are served."""
    for n in range(1, 101):
        sets = class_sets(n, classes, held)
        number = [1] if n == 1 else [1 + i * (classes - 1) // (n - 1) for i in range(n)]
        assert [len(set(s)) for s in sets] == number
        wanted = demand(sets, 37, classes)
        assert wanted.sum(1).tolist() == [37] * n
        for row, labels in zip(wanted, sets, strict=True):
            assert row[labels].max() - row[labels].min() <= 1
        holders = (wanted > 0).sum(0)
        if held == "spread":
            assert holders.max() - holders.min() <= 1
        else:
            assert holders[0] == n
            assert holders.tolist() == sorted(holders.tolist(), reverse=True)


def test_a_float_linspace_would_lose_a_class():
    """Why numbers of classes are computed in integers: k must reach C, and whole steps
    must stay whole."""
    for c in range(2, 60):
        for n in range(2, 60):
            counts = [len(s) for s in class_sets(n, c, "nested")]
            assert counts[0] == 1 and counts[-1] == c
            assert all((n - 1) * (k - 1) <= i * (c - 1) < (n - 1) * k
                       for i, k in enumerate(counts))


def test_largest_shards_by_hand():
    # Three agents of 1, 2, 3 classes: n + n / 2 + n / 3 of class 0, the odd ones being
    # of later classes
    assert parts.largest_shard(3, [11, 99, 99]) == 6  # 6 + 3 + 2; of 7: 7 + 3 + 2
    assert parts.largest_shard(3, [2, 99, 99]) == 0  # a shard of 3 wants 3 + 1 + 1
    assert parts.largest_shard(3, [11, 4, 99]) == 4  # 2 + 1 of class 1; of 5: 3 + 2
    assert parts.largest_shard(1, [11, 0, 0]) == 11
    assert parts.largest_shard(2, [10, 10]) == 7  # 7 + 3 of class 0; of 8: 8 + 4
    # agent 2 holds 1, then 0: 6 + 3; of 7: 7 + 4
    assert parts.largest_shard(2, [10, 10], held="spread") == 6


@pytest.mark.parametrize("held", ["nested", "spread"])
@pytest.mark.parametrize("agents", [1, 5, 10, 20])
def test_the_largest_shard_named_fits_and_no_larger_one(held, agents):
    digits = load("digits")
    message = "class 0, there are 119; the largest shard that fits has"
    with pytest.raises(ValueError, match=message) as caught:
        parts.classes(digits, agents, 1000, 0, held=held)
    largest = int(str(caught.value).split("fits has ")[1].split(",")[0])
    assert largest == parts.largest_shard(agents, digits.y.bincount().tolist(), held)
    fitting = parts.classes(digits, agents, largest, 0, held=held)
    assert sizes(fitting) == [largest] * agents
    with pytest.raises(ValueError, match=f"fits has {largest},"):
        parts.classes(digits, agents, largest + 1, 0, held=held)


def test_no_shard_fits():
    message = "30 agents with 10 samples each want .* class 0.*; no shard fits"
    with pytest.raises(ValueError, match=message):
        parts.classes(pool(100), 30, 10, 0)


def test_a_shard_must_have_room_for_all_classes():
    with pytest.raises(ValueError, match="9 samples cannot hold all 10 classes"):
        parts.classes(pool(1000), 5, 9, 0)


def test_odd_samples_are_of_the_last_classes():
    counts = class_counts(parts.classes(pool(30, 3), 3, 5, 0), 3)
    assert counts.tolist() == [[5, 0, 0], [2, 3, 0], [1, 2, 2]]


def test_with_replacement():
    agents = parts.classes(pool(100), 5, 600, 0, replace=True)
    assert sizes(agents) == [600] * 5
    assert held_by(agents) == [list(range(k)) for k in (1, 3, 5, 7, 10)]
    # all ten of class 0, 60 times on average
    assert set(indices(agents)[0]) == set(range(0, 100, 10))
    # nor exactly 60 times
    assert len(set(torch.bincount(agents[0].x.flatten().long())[::10].tolist())) > 1


def test_a_class_without_samples():
    data = pool(100)._replace(y=torch.arange(100) % 9)
    with pytest.raises(ValueError, match="no samples of class 9"):
        parts.classes(data, 5, 20, 0, replace=True)
    with pytest.raises(ValueError, match="no shard fits"):
        parts.classes(data, 5, 20, 0)


def test_a_missing_class_that_nobody_wants():
    data = pool(100)._replace(y=torch.arange(100) % 9)
    assert held_by(parts.classes(data, 1, 20, 0, replace=True)) == [[0]]


def test_unknown_way_of_holding():
    with pytest.raises(ValueError, match="'random'; known are nested, spread"):
        parts.classes(pool(1000), 5, 10, 0, held="random")


# ---------------------------------------------------------------------------- Dirichlet


def literal(shares, size: int, supply: list[int]) -> list[list[float]]:
    """The sharing of scarce classes in fractions, without rounding, straight from its
    description."""
    held, left = [[0.0] * len(supply) for _ in shares], [float(s) for s in supply]
    for _ in range(100):
        asked = []
        for row, have in zip(shares, held, strict=True):
            open_shares = [w if rest > 1e-9 else 0
                           for w, rest in zip(row, left, strict=True)]
            whole = sum(open_shares)
            asked.append([max(0.0, size - sum(have)) * w / whole if whole else 0
                          for w in open_shares])
        for k, rest in enumerate(left):
            wanted = sum(row[k] for row in asked)
            cut = min(1, rest / wanted) if wanted else 0
            for have, row in zip(held, asked, strict=True):
                have[k] += row[k] * cut
            left[k] -= wanted * cut
    return held


def test_scarce_classes_by_hand():
    # Both want 8 of class 0, of which there are 10: 5 each; they lack 5, wanted 1 : 1
    # of the other two classes
    shares = np.array([[0.8, 0.1, 0.1], [0.8, 0.1, 0.1]])
    assert allot(shares, 10, [10, 6, 4]).tolist() == [[5, 3, 2], [5, 3, 2]]
    # Enough of everything: the shares themselves, by largest remainder
    shares = np.array([[0.5, 0.3, 0.2], [0, 0, 1]])
    assert allot(shares, 7, [9, 9, 9]).tolist() == [[4, 2, 1], [0, 0, 7]]
    # Whoever wants a class only that is gone takes of the others what there is, in
    # proportion
    shares = np.array([[1.0, 0, 0], [1.0, 0, 0]])
    assert allot(shares, 4, [2, 4, 2]).tolist() == [[1, 2, 1], [1, 2, 1]]


@given(seed=st.integers(0, 10**6), agents=st.integers(1, 12),
       classes=st.integers(2, 10))
@settings(max_examples=50, deadline=None)
def test_shares_are_kept_as_well_as_the_supply_allows(seed, agents, classes):
    draws = np.random.default_rng(seed)
    shares = draws.dirichlet([0.5] * classes, size=agents) + 1e-6
    supply = draws.integers(1, 200, classes).tolist()
    size = max(1, int(sum(supply) * draws.uniform(0.3, 1)) // agents)
    if size * agents > sum(supply):
        return
    counts = allot(shares, size, supply)
    assert counts.min() >= 0 and (counts.sum(0) <= supply).all()
    assert counts.sum(1).tolist() == [size] * agents
    # Rounding moves a sample a turn, and there are at most as many turns as classes
    assert np.abs(counts - np.array(literal(shares, size, supply))).max() <= 2 * classes


def test_dirichlet_follows_numpys_shares_when_there_is_enough():
    data = pool(100_000)
    agents = parts.dirichlet(data, 50, 400, 3, concentration=2.0)
    counts = class_counts(agents, 10).numpy()
    # Variance of a share: (1/10)(9/10) / (10 * 2 + 1)
    assert abs((counts / 400).var(0).mean() - 0.09 / 21) < 0.15 * 0.09 / 21
    assert abs((counts / 400).mean() - 0.1) < 1e-12


@pytest.mark.parametrize("concentration", [5e-324, 1e-300, 1e-3, 0.5, 10, 1e300])
def test_any_concentration(concentration):
    digits = load("digits")
    agents = parts.dirichlet(digits, 20, None, 0, concentration=concentration)
    # the whole pool
    assert class_counts(agents, 10).sum(0).tolist() == digits.y.bincount().tolist()
    many = parts.dirichlet(pool(100_000), 20, 400, 0, concentration=concentration)
    enough = class_counts(many, 10) / 400
    if concentration < 0.01:
        assert enough.max(1).values.mean() > 0.97
    if concentration == 1e300:
        assert (enough == 0.1).all()


def test_wrong_concentration():
    for concentration in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="concentration must be a positive"):
            parts.dirichlet(pool(100), 5, 10, 0, concentration=concentration)


# ----------------------------------------------------------------------------- hold out


@pytest.mark.parametrize(
    ("n", "count", "expected"),
    [(1200, None, 120), (60_000, None, 1000), (37, 5, 5), (9, 8, 8)],
)
def test_held_out_samples_are_stratified_and_nobody_elses(n, count, expected):
    # a sixth, a sixth, two thirds
    data = pool(n, 3)._replace(y=torch.arange(n).remainder(6).clamp(max=2))
    for seed in range(20):
        rest, (x, y) = hold_out(data, count, seed)
        held, left = x.flatten().long().tolist(), rest.x.flatten().long().tolist()
        assert len(held) == expected and sorted(held + left) == list(range(n))
        assert left == sorted(left)
        assert torch.equal(data.y[held], y) and torch.equal(data.y[left], rest.y)
        off = y.bincount(minlength=3) - data.y.bincount() * (expected / n)
        assert off.abs().max() < 1
        assert rest._replace(x=data.x, y=data.y) == data
    first, again, other = (hold_out(data, count, seed)[1][0] for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_a_published_validation_set_is_taken_whole():
    published = (torch.zeros(4, 1), torch.tensor([0, 1, 2, 1]))
    data = pool(100)._replace(validation=published)
    rest, validation = hold_out(data, 2, 0)
    assert rest is data and validation is published


@pytest.mark.parametrize(
    ("count", "message"),
    [(0, "count must be a whole number of at least 1, not 0"), (-1, "not -1"),
     (100, r"count must lie in \[1, 99\], not 100"), (1000, "not 1000"), (5.0, "5.0")],
)
def test_nothing_to_hold_out(count, message):
    with pytest.raises(ValueError, match=message):
        hold_out(pool(100), count, 0)


# -------------------------------------------------------------------------- label noise


def changed(before: list[Agent], after: list[Agent]) -> list[int]:
    return [int((a.y != b.y).sum()) for a, b in zip(before, after, strict=True)]


@given(
    fractions=st.lists(st.floats(0, 1), min_size=1, max_size=6),
    classes=st.integers(2, 10),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=50, deadline=None)
def test_exactly_the_fraction_is_changed(fractions, classes, seed):
    agents = parts.uniform(pool(1000, classes), len(fractions), 37, seed)
    noisy = label_noise(agents, fractions, classes, seed)
    assert changed(agents, noisy) == [round(f * 37) for f in fractions]
    assert all(torch.equal(a.x, b.x) and a.key == b.key
               for a, b in zip(agents, noisy, strict=True))
    assert all(0 <= agent.y.min() and agent.y.max() < classes for agent in noisy)


def test_fractions_of_the_paper():
    agents = parts.uniform(pool(3000), 5, 600, 0)
    noisy = label_noise(agents, (0.2, 0.4, 0.6, 0, 0), 10, 0)
    assert changed(agents, noisy) == [120, 240, 360, 0, 0]


def test_other_classes_are_equally_likely():
    agent = Agent("1", torch.zeros(9000, 1), torch.full((9000,), 4))
    (noisy,) = label_noise([agent], [1.0], 10, 0)
    counts = class_counts([noisy], 10)[0]
    assert counts[4] == 0
    others = counts[counts > 0]
    assert len(others) == 9
    assert (others - 1000).abs().max() < 5 * 1000**0.5


def test_by_key_as_by_position():
    agents = parts.uniform(pool(300), 3, 50, 0)
    by_key = label_noise(agents, {"3": 0.5}, 10, 1)
    by_position = label_noise(agents, [0, 0, 0.5], 10, 1)
    assert changed(agents, by_key) == [0, 0, 25]
    assert all(torch.equal(a.y, b.y) for a, b in zip(by_key, by_position, strict=True))


@pytest.mark.parametrize("kind", [tuple, np.array, torch.tensor, iter])
def test_fractions_of_any_kind(kind):
    agents = parts.uniform(pool(300), 3, 50, 0)
    listed = label_noise(agents, [0, 0.2, 0.5], 10, 1)
    found = label_noise(agents, kind([0, 0.2, 0.5]), 10, 1)
    assert changed(agents, found) == [0, 10, 25]
    assert all(torch.equal(a.y, b.y) for a, b in zip(found, listed, strict=True))


def test_noise_belongs_to_the_agent_not_to_its_place():
    agents = parts.uniform(pool(300), 3, 50, 0)
    forwards = label_noise(agents, [0.2, 0.4, 0.6], 10, 0)
    backwards = label_noise(agents[::-1], [0.6, 0.4, 0.2], 10, 0)
    assert all(torch.equal(a.y, b.y)
               for a, b in zip(forwards, backwards[::-1], strict=True))


def test_agents_are_corrupted_independently():
    same = [Agent(key, torch.zeros(50, 1), torch.zeros(50).long()) for key in "12"]
    first, second = label_noise(same, [0.5, 0.5], 10, 0)
    assert not torch.equal(first.y, second.y)


def test_more_noise_contains_less_noise():
    agents = parts.uniform(pool(300), 1, 100, 0)
    (less,), (more,) = (label_noise(agents, [f], 10, 0) for f in (0.2, 0.6))
    touched = less.y != agents[0].y
    assert torch.equal(less.y[touched], more.y[touched])


def test_nothing_is_changed_in_place_or_shared():
    agents = parts.uniform(pool(300), 2, 50, 0)
    before = [agent.y.clone() for agent in agents]
    for agent in label_noise(agents, [1.0, 0.0], 10, 0):
        agent.y.fill_(-1)
    assert all(torch.equal(agent.y, y) for agent, y in zip(agents, before, strict=True))


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
def test_fraction_outside_its_range(fraction):
    with pytest.raises(ValueError, match="the fraction of agent '2' must lie in"):
        label_noise(parts.uniform(pool(100), 2, 10, 0), [0, fraction], 10, 0)


def test_wrong_noise():
    agents = parts.uniform(pool(100), 2, 10, 0)
    with pytest.raises(ValueError, match="3 fractions do not fit 2 agents"):
        label_noise(agents, [0, 0, 0], 10, 0)
    with pytest.raises(ValueError, match="no agent '7'; known are '1', '2'"):
        label_noise(agents, {"7": 0.5}, 10, 0)
    with pytest.raises(ValueError, match="classes must be .* at least 2, not 1"):
        label_noise(agents, [0, 0], 1, 0)
    with pytest.raises(ValueError, match="agent '1' has labels outside 0 to 2"):
        label_noise(agents, [0, 0], 3, 0)


# ------------------------------------------------------------------------- class counts


def test_class_counts_by_hand():
    agents = [
        Agent("1", torch.zeros(3, 1), torch.tensor([0, 2, 2])),
        Agent("2", torch.zeros(0, 1), torch.zeros(0).long()),
    ]
    assert class_counts(agents, 4).tolist() == [[1, 0, 2, 0], [0, 0, 0, 0]]
    with pytest.raises(ValueError, match="agent '1' has labels outside 0 to 1"):
        class_counts(agents, 2)
