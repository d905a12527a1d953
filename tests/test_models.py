import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fairfl import models, vectors

SIZES = {"digits_cnn": (18_346, (1, 8, 8), torch.float64), "mnist_cnn": (104_242, (1, 28, 28), torch.float32)}


def usual_order(name: str, module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The same networks as one would read them off a table."""
    c1, c2, f1, f2 = module.conv1, module.conv2, module.fc1, module.fc2
    if name == "digits_cnn":
        x = F.max_pool2d(torch.relu(c2(torch.relu(c1(x)))), 2)
        return f2(torch.relu(f1(x.flatten(1))))
    x = F.max_pool2d(torch.tanh(c1(x)), 2)
    x = F.max_pool2d(torch.tanh(c2(x)), 2)
    return f2(torch.tanh(f1(x.flatten(1))))


def test_every_model_has_its_size_here():
    assert set(SIZES) == set(models.MODELS)


@pytest.mark.parametrize("name", SIZES)
def test_dimension_precision_and_shape(name):
    dimension, shape, dtype = SIZES[name]
    module = models.build(name, seed=0)
    assert vectors.layout(module).dimension == dimension
    assert {p.dtype for p in module.parameters()} == {dtype}
    assert module(torch.zeros(3, *shape, dtype=dtype)).shape == (3, 10)
    assert list(vectors.layout(module).layers)[3] == "fc2"
    assert len(vectors.buffers(module)) == 0


@pytest.mark.parametrize("name", SIZES)
def test_function_and_gradient_are_those_of_the_usual_order(name):
    module = models.build(name, seed=1, dtype=torch.float64)
    x = torch.randn(5, *SIZES[name][1], generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.arange(5)
    results = []
    for logits in (module(x), usual_order(name, module, x)):
        gradient = torch.autograd.grad(F.cross_entropy(logits, y), list(module.parameters()))
        results.append((logits, torch.cat([g.flatten() for g in gradient])))
    (ours, our_gradient), (usual, usual_gradient) = results
    assert torch.allclose(ours, usual, rtol=0, atol=1e-12)
    assert torch.allclose(our_gradient, usual_gradient, rtol=0, atol=1e-12)
    assert our_gradient.norm() > 0.1


def test_weights_depend_on_the_seed_alone():
    expected = vectors.flatten(models.build("digits_cnn", seed=3))
    torch.manual_seed(99)
    torch.set_default_dtype(torch.float64)
    try:
        before = torch.get_rng_state()
        with torch.device("meta"):
            found = vectors.flatten(models.build("digits_cnn", seed=3))
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(found, expected)
    assert not torch.equal(vectors.flatten(models.build("digits_cnn", seed=4)), expected)


def test_weights_are_the_same_numbers_in_every_precision():
    single = vectors.flatten(models.build("digits_cnn", 0, torch.float32))
    assert torch.equal(single.double(), vectors.flatten(models.build("digits_cnn", 0)))


def test_two_builds_share_nothing():
    first, second = models.build("digits_cnn", 0), models.build("digits_cnn", 0)
    with torch.no_grad():
        first.fc2.bias.add_(1)
    assert not torch.equal(first.fc2.bias, second.fc2.bias)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="'resnet'.*digits_cnn, mnist_cnn"):
        models.build("resnet", 0)
