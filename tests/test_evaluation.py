"""Loss and accuracy against a loop over samples."""

import pytest
import torch
from torch import nn

from fairfl import evaluation, models, vectors
from fairfl.randomness import generator, seeded

F64 = torch.float64


def sentences(n):
    draws = generator(0, "sentences")
    ends = torch.randint(0, 13, (n, 1), generator=draws)  # some are empty
    return torch.randint(1, 60, (n, 14), generator=draws) * (torch.arange(14) < ends)


def images(*shape):
    return torch.randn(*shape, generator=generator(0, "images"), dtype=F64)


CASES = {
    "digits": (lambda: models.build("digits_cnn", 0), lambda: images(150, 1, 8, 8)),
    "mnist": (lambda: models.build("mnist_cnn", 0, F64), lambda: images(70, 1, 28, 28)),
    "cifar": (lambda: models.build("cifar_cnn", 0, F64), lambda: images(70, 3, 32, 32)),
    "text": (
        lambda: models.build("text_cnn", 0, F64, vocabulary=60, classes=10, maps=7),
        lambda: sentences(600),
    ),
}


def variants(module, k):
    w = vectors.flatten(module)
    return w + 0.02 * torch.randn(
        k, len(w), generator=generator(0, "models"), dtype=F64
    ).to(w.dtype)


def labels(n):
    return torch.randint(10, (n,), generator=generator(0, "labels"))


@torch.no_grad()
def by_hand(module, model, buffers, x, y):
    vectors.load(module, model)
    vectors.load_buffers(module, buffers)
    module.eval()
    logits = torch.cat([module(sample[None]) for sample in x]).double()
    loss = logits.logsumexp(1) - logits[torch.arange(len(y)), y]
    return loss.mean().item(), (logits.argmax(1) == y).double().mean().item()


@pytest.mark.parametrize("case", CASES)
def test_loss_and_accuracy_are_those_of_a_loop_over_samples(case, monkeypatch):
    module, x = (make() for make in CASES[case])
    monkeypatch.setattr(
        evaluation, "PART", 64
    )  # some models in several parts, the last one smaller
    y, w, none = labels(len(x)), variants(module, 3), torch.empty(3, 0, dtype=F64)
    sets = [(x, y), (x[:65], y[:65]), (x[:1], y[:1])]
    loss, accuracy = evaluation.evaluate(module, w, none, sets)
    assert loss.dtype == accuracy.dtype == F64 and loss.shape == accuracy.shape == (3,)
    for k in range(3):
        expected = by_hand(module, w[k], none[k], *sets[k])
        assert (loss[k].item(), accuracy[k].item()) == pytest.approx(
            expected, abs=1e-12
        )


def test_buffers_belong_to_their_model():
    with seeded(0, "bn"):
        module = nn.Sequential(
            nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 10)
        ).double()
    buffers = vectors.buffers(module).repeat(2, 1)
    buffers[1, :64] = 0.7
    x, w = images(30, 1, 8, 8), variants(module, 1).expand(2, -1)
    loss, _ = evaluation.evaluate(module, w, buffers, [(x, labels(30))] * 2)
    for k in range(2):
        assert loss[k].item() == pytest.approx(
            by_hand(module, w[k], buffers[k], x, labels(30))[0]
        )
    assert loss[0] != loss[1]


def test_module_generators_mode_and_threads_stay_as_they_are():
    module = models.build("digits_cnn", 0).train()
    before, state, threads = (
        vectors.flatten(module),
        torch.get_rng_state(),
        torch.get_num_threads(),
    )
    sets = [(images(9, 1, 8, 8), labels(9))] * 2
    evaluation.evaluate(module, variants(module, 2), torch.empty(2, 0, dtype=F64), sets)
    assert torch.equal(vectors.flatten(module), before) and module.training
    assert (
        torch.equal(torch.get_rng_state(), state) and torch.get_num_threads() == threads
    )
    assert torch.is_grad_enabled() and all(p.grad is None for p in module.parameters())


def test_the_number_of_threads_changes_nothing(monkeypatch):
    module, x = models.build("mnist_cnn", 0), images(200, 1, 28, 28).float()
    monkeypatch.setattr(evaluation, "PART", 64)
    y, w, before, found = labels(200), variants(module, 2), torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(
                torch.stack(
                    evaluation.evaluate(
                        module, w, torch.empty(2, 0, dtype=F64), [(x, y)] * 2
                    )
                )
            )
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


def test_a_diverged_model_has_an_infinite_or_undefined_loss_and_harms_no_other():
    module, x = models.build("digits_cnn", 0), images(10, 1, 8, 8)
    w = variants(module, 2)
    w[0] = torch.nan
    loss, accuracy = evaluation.evaluate(
        module, w, torch.empty(2, 0, dtype=F64), [(x, labels(10))] * 2
    )
    assert not loss[0].isfinite() and loss[1].isfinite() and accuracy.isfinite().all()
