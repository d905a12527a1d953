import threading

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fairfl import models, vectors
from fairfl.randomness import generator, seeded

F64 = torch.float64
TEXT = {"vocabulary": 50, "classes": 3}
SIZES = {
    "digits_cnn": (18_346, (1, 8, 8), F64),
    "mnist_cnn": (104_242, (1, 28, 28), torch.float32),
    "cifar_cnn": (121_182, (3, 32, 32), torch.float32),
}


def usual_order(name: str, module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The same networks as one would read them off a table."""
    act = torch.tanh if name == "mnist_cnn" else torch.relu
    x = act(
        F.conv2d(
            x, module.conv1.weight, module.conv1.bias, padding=module.conv1.padding
        )
    )
    x = x if name == "digits_cnn" else F.max_pool2d(x, 2)
    x = F.max_pool2d(
        act(
            F.conv2d(
                x, module.conv2.weight, module.conv2.bias, padding=module.conv2.padding
            )
        ),
        2,
    )
    x = module.fc2(act(module.fc1(x.flatten(1))))
    return module.fc3(act(x)) if name == "cifar_cnn" else x


def test_every_model_has_its_size_here():
    assert {*SIZES, "text_cnn"} == set(models.MODELS)


@pytest.mark.parametrize("name", SIZES)
def test_dimension_precision_and_shape(name):
    dimension, shape, dtype = SIZES[name]
    module = models.build(name, seed=0)
    assert vectors.layout(module).dimension == dimension
    assert {p.dtype for p in module.parameters()} == {dtype}
    assert module(torch.zeros(3, *shape, dtype=dtype)).shape == (3, 10)
    assert models.build(name, seed=0, classes=4)(
        torch.zeros(3, *shape, dtype=dtype)
    ).shape == (3, 4)
    assert len(vectors.buffers(module)) == 0


@pytest.mark.parametrize("name", SIZES)
def test_function_and_gradient_are_those_of_the_usual_order(name):
    module = models.build(name, seed=1, dtype=F64)
    x = torch.randn(
        5, *SIZES[name][1], generator=torch.Generator().manual_seed(0), dtype=F64
    )
    y = torch.arange(5)
    results = []
    for logits in (module(x), usual_order(name, module, x)):
        gradient = torch.autograd.grad(
            F.cross_entropy(logits, y), list(module.parameters())
        )
        results.append((logits, torch.cat([g.flatten() for g in gradient])))
    (ours, our_gradient), (usual, usual_gradient) = results
    assert torch.allclose(ours, usual, rtol=0, atol=1e-12)
    assert torch.allclose(our_gradient, usual_gradient, rtol=0, atol=1e-12)
    assert our_gradient.norm() > 0.1


# ---- weights


@pytest.mark.parametrize("name", models.MODELS)
def test_weights_are_those_that_torch_itself_draws(name):
    options = TEXT if name == "text_cnn" else {}
    with seeded(3, "model", name):
        expected = models.MODELS[name](**options)
    assert torch.equal(
        vectors.flatten(models.build(name, 3, torch.float32, **options)),
        vectors.flatten(expected),
    )


def test_weights_depend_on_the_seed_alone():
    expected = vectors.flatten(models.build("digits_cnn", seed=3))
    torch.set_default_dtype(F64)
    try:
        before = torch.get_rng_state()
        with torch.device("meta"):
            found = vectors.flatten(models.build("digits_cnn", seed=3))
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.get_default_dtype() == F64
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(found, expected)
    assert not torch.equal(
        vectors.flatten(models.build("digits_cnn", seed=4)), expected
    )


def test_networks_can_be_built_at_the_same_time():
    expected, found = (
        [vectors.flatten(models.build("mnist_cnn", seed)) for seed in range(8)],
        {},
    )
    threads = [
        threading.Thread(
            target=lambda s=s: found.update(
                {s: vectors.flatten(models.build("mnist_cnn", s))}
            )
        )
        for s in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(found[seed], expected[seed]) for seed in range(8))


def test_weights_are_the_same_numbers_in_every_precision():
    single = vectors.flatten(models.build("digits_cnn", 0, torch.float32))
    assert torch.equal(single.double(), vectors.flatten(models.build("digits_cnn", 0)))


def test_two_builds_share_nothing():
    first, second = models.build("digits_cnn", 0), models.build("digits_cnn", 0)
    with torch.no_grad():
        first.fc2.bias.add_(1)
    assert not torch.equal(first.fc2.bias, second.fc2.bias)


@pytest.mark.parametrize(
    "name, options, message",
    [
        (
            "resnet",
            {},
            "'resnet'; known are cifar_cnn, digits_cnn, mnist_cnn, text_cnn",
        ),
        (
            "mnist_cnn",
            {"clases": 3},
            "unknown option 'clases' of mnist_cnn; known are classes",
        ),
        ("text_cnn", {"classes": 2}, "text_cnn needs the option 'vocabulary'"),
        ("text_cnn", TEXT | {"kernels": ()}, r"at least 1, not 50, 3, 100 and \(\)"),
        ("text_cnn", TEXT | {"vocabulary": 0}, "at least 1, not 0, 3"),
    ],
)
def test_what_cannot_be_built_says_why(name, options, message):
    with pytest.raises(ValueError, match=message):
        models.build(name, 0, **options)


# ---- sentences


def kim(
    module: nn.Module, sentence: list[int], noise: torch.Tensor | None = None
) -> torch.Tensor:
    """The logits of one sentence, window by window, in a loop."""
    words = [
        module.embedding.weight[w] if w else torch.zeros(300, dtype=F64)
        for w in sentence
    ]
    features = []
    for k, conv in zip(module.kernels, module.convs, strict=True):
        around, zero = [0] * (k - 1), [torch.zeros(300, dtype=F64)] * (k - 1)
        numbers, vectors = around + sentence + around, zero + words + zero
        best = torch.zeros(module.maps, dtype=F64)
        for start in range(len(numbers) - k + 1):
            if any(numbers[start : start + k]):
                answer = (
                    sum(
                        conv.weight[:, 300 * j : 300 * (j + 1)] @ vectors[start + j]
                        for j in range(k)
                    )
                    + conv.bias
                )
                best = torch.maximum(best, answer)
        features.append(best)
    features = torch.cat(features)
    return module.fc(features if noise is None else features * noise)


SENTENCES = [[4, 7, 9, 4, 7, 9, 12], [3], [5, 0, 0, 0, 0, 0, 6], [], [8, 1]]


def padded(length: int) -> torch.Tensor:
    return torch.tensor(
        [sentence + [0] * (length - len(sentence)) for sentence in SENTENCES]
    )


def text(**options) -> nn.Module:
    module = models.build("text_cnn", 0, F64, **TEXT | {"maps": 6} | options)
    with torch.no_grad():
        for conv in module.convs:
            conv.bias.add_(
                0.2
            )  # high enough for a window without words to be the best, if it counted
    return module


def gradient(module, logits):
    found = torch.autograd.grad(
        F.cross_entropy(logits, torch.arange(5) % 3), list(module.parameters())
    )
    return torch.cat([g.flatten() for g in found])


def test_the_text_networks_size_names_and_precision():
    module = models.build("text_cnn", 0, vocabulary=1000, classes=2)
    assert (
        vectors.layout(module).dimension
        == 1000 * 300 + 300 * (3 + 4 + 5) * 100 + 300 + 300 * 2 + 2
    )
    assert list(vectors.layout(module).layers)[:5] == [
        "embedding",
        "convs.0",
        "convs.1",
        "convs.2",
        "fc",
    ]
    assert module.fc.weight.dtype == torch.float32 and module(
        torch.ones(2, 4, dtype=torch.int64)
    ).shape == (2, 2)
    assert (module.embedding.weight[0] == 0).all()


@pytest.mark.parametrize("kernels", [(3, 4, 5), (3, 3, 3), (1, 2)])
def test_logits_of_sentences_are_those_of_a_loop_over_their_windows(kernels):
    module = text(kernels=kernels)
    noise = module.noise(5, generator(0, "noise"))
    for mask in (None, noise):
        expected = torch.stack(
            [
                kim(module, s, None if mask is None else mask[i])
                for i, s in enumerate(SENTENCES)
            ]
        )
        torch.testing.assert_close(
            module(padded(7), mask), expected, rtol=0, atol=1e-12
        )
    assert not torch.allclose(module(padded(7)), module(padded(7), noise))


def test_padding_changes_neither_logits_nor_gradient_and_learns_nothing():
    module = text()
    with torch.no_grad():
        module.embedding.weight[0] = 1.0  # as if something had been written there
    narrow, wide = module(padded(7)), module(padded(20))
    torch.testing.assert_close(narrow, wide, rtol=0, atol=1e-13)
    slope = gradient(module, wide)
    torch.testing.assert_close(gradient(module, narrow), slope, rtol=0, atol=1e-13)
    assert (slope[:300] == 0).all() and slope.norm() > 0.1


@pytest.mark.parametrize("kernels", [(3, 4, 5), (3, 3, 3)])
def test_restricting_to_the_words_that_occur_changes_nothing_else(kernels):
    module = text(kernels=kernels)
    noise, x = module.noise(5, generator(0, "noise")), padded(9)
    small, renamed, entries = module.restrict(x)
    assert small.embedding.num_embeddings == 1 + len(
        {w for s in SENTENCES for w in s} - {0}
    )
    assert torch.equal(vectors.flatten(small), vectors.flatten(module)[entries])
    torch.testing.assert_close(
        small(renamed, noise), module(x, noise), rtol=0, atol=1e-13
    )
    whole = gradient(module, module(x, noise))
    torch.testing.assert_close(
        gradient(small, small(renamed, noise)), whole[entries], rtol=0, atol=1e-13
    )
    whole[entries] = 0
    assert (whole == 0).all()
    with torch.no_grad():
        small.fc.bias.add_(1)
    assert not torch.equal(small.fc.bias, module.fc.bias)


def test_a_frozen_embedding_is_no_part_of_the_restricted_vector():
    module = text()
    module.embedding.weight.requires_grad_(False)
    small, _, entries = module.restrict(padded(7))
    assert torch.equal(entries, torch.arange(vectors.layout(module).dimension))
    assert not small.embedding.weight.requires_grad


def test_dropout_masks_are_zero_or_two_and_depend_on_the_generator_alone():
    module = text(maps=100)
    masks = module.noise(64, generator(1, "noise"))
    assert (
        masks.shape == (64, 300)
        and masks.dtype == F64
        and set(masks.unique().tolist()) == {0.0, 2.0}
    )
    assert masks.mean().item() == pytest.approx(1, abs=0.05)
    assert torch.equal(masks, module.noise(64, generator(1, "noise")))
    assert torch.equal(masks.float(), module.float().noise(64, generator(1, "noise")))
