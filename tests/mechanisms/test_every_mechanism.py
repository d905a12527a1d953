"""What must hold for every mechanism."""

from dataclasses import replace

import pytest
import torch
from hand import F64, SETTING, crowd, curved, downloads, losses_of, normal, seen, step
from torch import nn

from fairfl import mechanisms
from fairfl.federation import Federation
from fairfl.mechanisms import (
    CFFL,
    CGSV,
    DW,
    ECI,
    EU,
    IAFL,
    QFFL,
    RFFL,
    RR,
    FedAvg,
    FedCE,
    Guarded,
    Lin,
    ShapFed,
    Standalone,
)
from fairfl.partition import Agent

ALL = {
    "cgsv": CGSV(), "fedavg": FedAvg(), "standalone": Standalone(), "dw": DW(),
    "eu": EU(), "rr": RR(), "qffl": QFFL(q=0.5), "cffl": CFFL(threshold=0.8),
    "cffl loo": CFFL(value="leave_one_out"), "cffl compounding": CFFL(compounding=True),
    "eci": ECI(), "eci decay": ECI(decay=0.9), "guarded": Guarded(),
    "rffl": RFFL(), "rffl shared": RFFL(keep_own=False, grace=1), "fedce": FedCE(),
    "shapfed": ShapFed(), "shapfed max": ShapFed(pull="max"), "iafl": IAFL(),
    "iafl recovery": IAFL(kappa=0.5, recovery=0.5), "lin": Lin(),
    "lin exploits": Lin(explore=1, beta=5.0),
    "guarded by all": Guarded(others=True, news=True, crowding=8.0),
}
every = pytest.mark.parametrize("mechanism", ALL.values(), ids=ALL)


def test_all_mechanisms_are_tried():
    known = mechanisms.MECHANISMS
    assert {type(mechanism) for mechanism in ALL.values()} == set(known.values())
    for name in known:
        assert type(mechanisms.build(name)) is type(ALL[name])


def three_rounds(mechanism, setting, updates, order=None):
    """Aggregates, downloads and last log of three rounds, the agents in this order."""
    n = len(updates)
    order = torch.arange(n) if order is None else torch.tensor(order)
    keys = tuple(setting.keys[i] for i in order)
    setting = replace(setting, keys=keys, sizes=setting.sizes[order])
    state, found = mechanism.init(setting), []
    for t in (1, 2, 3):
        round = seen(updates[order].roll(t, dims=1), t=t, accuracy=curved,
                     losses=lambda: losses_of(n)[order])
        state, (total, reward, log) = mechanism.apply(state, round, setting)
        found.append((total, downloads(reward), reward.kept))
    return found, log, state


@every
@pytest.mark.parametrize("n", [4, 7])
def test_the_order_of_the_agents_does_not_matter(mechanism, n):
    setting, updates = crowd(n)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(3)).tolist()
    plain, plain_log, _ = three_rounds(mechanism, setting, updates)
    moved, log, _ = three_rounds(mechanism, setting, updates, order)
    for (total, sent, kept), (total_, sent_, kept_) in zip(plain, moved, strict=True):
        torch.testing.assert_close(total_, total)
        torch.testing.assert_close(sent_, sent[order])
        assert torch.equal(kept_, kept[order])
    for name, value in plain_log.items():
        torch.testing.assert_close(log[name], value[order])


@every
def test_one_agent_gets_its_own_update_back(mechanism):
    setting, updates = crowd(1)
    found, log, _ = three_rounds(mechanism, setting, updates)
    if isinstance(mechanism, RFFL):  # whose mask leaves out one entry of each tensor
        return
    for t, (total, sent, kept) in enumerate(found, start=1):
        row = updates[0].roll(t)
        assert kept.tolist() == [6] and sent.isfinite().all()
        torch.testing.assert_close(sent[0] / sent[0].norm(), row / row.norm())
        if type(mechanism) is not Standalone:
            torch.testing.assert_close(total, sent[0])
    assert all(value.isfinite().all() for value in log.values())


@every
def test_updates_of_zero_move_nothing(mechanism):
    zeros = torch.zeros(3, 6, dtype=F64)
    found, log, state = three_rounds(mechanism, SETTING, zeros)
    for total, sent, _ in found:
        assert not total.any() and not sent.any()
    for value in (*log.values(), *state.values()):
        assert value.double().isfinite().all()


@every
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_a_step_is_pure_and_its_state_plain(mechanism, dtype):
    setting, updates = crowd(4, dtype=dtype)
    state = mechanism.init(setting)
    for t in (1, 2):
        before = {name: value.clone() for name, value in state.items()}
        round = seen(updates.clone(), t=t, accuracy=curved)
        new, (total, reward, log) = mechanism.apply(state, round, setting)
        again, same = mechanism.apply(state, round, setting)
        assert torch.equal(round.updates, updates)
        assert not round.server.any() and not round.models.any()
        assert all(torch.equal(state[name], before[name]) for name in before)
        assert new.keys() == state.keys() == again.keys()
        assert all(torch.equal(new[name], again[name]) for name in new)
        assert torch.equal(total, same.aggregate)
        assert total.dtype == dtype and reward.row(0).dtype == dtype
        assert all(value.shape == (4,) for value in (reward.kept, *log.values()))
        state = new


@every
def test_a_download_is_added_as_its_rows_say(mechanism):
    setting, updates = crowd(4)
    models = normal(4, 6, seed=9)
    round = seen(updates, models=models, accuracy=curved)
    _, (_, reward, _) = step(mechanism, round, setting=setting)
    after = models.clone()
    reward.add_to(after)
    torch.testing.assert_close(after, models + downloads(reward))


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_network_in_half_precision_runs(mechanism, dtype):
    """Two rounds, and what is downloaded is what the rows say."""
    x = normal(60, 4).to(dtype)
    y = (x[:, 0] > 0).long()
    parts = [slice(10 * i, 11 * i + 5) for i in range(5)]
    agents = [Agent(str(i), x[part], y[part]) for i, part in enumerate(parts)]
    network = nn.Linear(4, 2).to(dtype)
    fed = Federation(agents, network, mechanism, validation=(x[50:], y[50:]))
    for snapshot in fed.rounds(2):
        assert snapshot.models.dtype == snapshot.step.aggregate.dtype == dtype
        assert snapshot.models.isfinite().all()
        gain = snapshot.models.float() - snapshot.before.float()
        sent = downloads(snapshot.step.reward).float()
        torch.testing.assert_close(gain, sent, rtol=0.02, atol=0.02)
