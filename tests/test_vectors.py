import pytest
import torch
from torch import nn

from fairfl import vectors


class Nested(nn.Module):
    """A parameter of its own, a frozen one, and layers at two depths; the forward pass
    is of no interest."""

    def __init__(self, dtype=torch.float64):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([1.0, 2.0], dtype=dtype))
        self.fixed = nn.Parameter(torch.zeros(7, dtype=dtype), requires_grad=False)
        self.body = nn.Sequential(
            nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1, bias=False)
        ).to(dtype)


def test_layout_by_hand():
    layout = vectors.layout(Nested())
    assert layout.names == ("scale", "body.0.weight", "body.0.bias", "body.2.weight")
    assert layout.shapes == ((2,), (3, 2), (3,), (1, 3))
    assert layout.slices == (slice(0, 2), slice(2, 8), slice(8, 11), slice(11, 14))
    assert layout.dimension == 14
    assert list(layout.layers.items()) == [
        ("scale", slice(0, 2)),
        ("body.0", slice(2, 11)),
        ("body.2", slice(11, 14)),
        ("body.0.weight", slice(2, 8)),
        ("body.0.bias", slice(8, 11)),
        ("body.2.weight", slice(11, 14)),
    ]


def test_vector_holds_the_entries_where_the_layout_says():
    module, layout = Nested(), vectors.layout(Nested())
    w = vectors.flatten(module)
    assert w.shape == (14,) and not w.requires_grad
    for name, shape, part in zip(
        layout.names, layout.shapes, layout.slices, strict=True
    ):
        assert torch.equal(w[part].view(shape), module.get_parameter(name))


def test_load_is_the_inverse_of_flatten():
    module, w = Nested(), torch.arange(14, dtype=torch.float64)
    vectors.load(module, w)
    assert torch.equal(vectors.flatten(module), w)
    assert module.body[0].weight.tolist() == [[2, 3], [4, 5], [6, 7]]
    assert module.fixed.tolist() == [0] * 7
    assert all(
        p.requires_grad and p.is_leaf
        for name, p in module.named_parameters()
        if name != "fixed"
    )


@pytest.mark.parametrize("make", [Nested, lambda: nn.Linear(3, 1, bias=False).double()])
def test_nothing_aliases(make):
    module = make()
    w = vectors.flatten(module)
    taken = w.clone()
    with torch.no_grad():
        for p in module.parameters():
            p.add_(1)
    assert torch.equal(w, taken)
    vectors.load(module, w)
    w.zero_()
    assert torch.equal(vectors.flatten(module), taken)


def test_load_keeps_the_parameters_themselves():
    """An optimizer holds references to them."""
    module = Nested()
    before = [(id(p), p.data_ptr()) for p in module.parameters()]
    vectors.load(module, torch.ones(14, dtype=torch.float64))
    assert [(id(p), p.data_ptr()) for p in module.parameters()] == before


def test_memory_format_does_not_change_the_vector():
    module = nn.Conv2d(3, 4, 2)
    w = vectors.flatten(module)
    module.to(memory_format=torch.channels_last)
    assert torch.equal(vectors.flatten(module), w)
    vectors.load(module, w.flip(0))
    assert torch.equal(vectors.flatten(module), w.flip(0))


def test_a_strided_vector_is_loaded():
    module, w = Nested(), torch.arange(28, dtype=torch.float64)[::2]
    vectors.load(module, w)
    assert torch.equal(vectors.flatten(module), w)


def test_shared_parameters_count_once():
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    module[1].weight = module[0].weight
    assert vectors.layout(module).names == ("0.weight", "0.bias", "1.bias")
    vectors.load(module, torch.arange(15.0))
    assert module[1].weight.flatten().tolist() == list(range(9))


@pytest.mark.parametrize("shape", [(13,), (15,), (1, 14), (0,), ()])
def test_wrong_shape(shape):
    module = Nested()
    before = vectors.flatten(module)
    with pytest.raises(ValueError, match="14 trainable"):
        vectors.load(module, torch.zeros(shape, dtype=torch.float64))
    assert torch.equal(vectors.flatten(module), before)


def test_wrong_dtype_or_device_is_not_converted():
    module = Nested()
    with pytest.raises(ValueError, match="float32.*'scale'.*float64"):
        vectors.load(module, torch.zeros(14))
    with pytest.raises(ValueError, match="meta.*'scale'.*cpu"):
        vectors.load(module, torch.zeros(14, dtype=torch.float64, device="meta"))


def test_mixed_precision_is_refused_and_nothing_is_half_loaded():
    module = Nested()
    module.body[2].float()
    with pytest.raises(
        ValueError, match="'scale' is torch.float64.*'body.2.weight' is torch.float32"
    ):
        vectors.flatten(module)
    with pytest.raises(ValueError, match="body.2.weight"):
        vectors.load(module, torch.full((14,), 9.0, dtype=torch.float64))
    assert module.scale.tolist() == [1, 2]


def test_module_without_trainable_parameters():
    for function in (vectors.layout, vectors.flatten):
        with pytest.raises(ValueError, match="ReLU has no trainable"):
            function(nn.ReLU())
        with pytest.raises(ValueError, match="ParameterList has no trainable"):
            function(nn.ParameterList([torch.empty(0, 4)]))


def batchnorm() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def test_buffers_by_hand():
    module = batchnorm()
    assert vectors.buffer_names(module) == (
        "1.running_mean",
        "1.running_var",
        "1.num_batches_tracked",
    )
    assert vectors.buffers(module).tolist() == [0, 0, 0, 1, 1, 1, 0]
    module(torch.tensor([[1.0, 2.0], [3.0, 5.0]]))
    b = vectors.buffers(module)
    assert b.dtype == torch.float64
    assert b[6] == 1 and b[:3].abs().sum() > 0
    assert torch.equal(b[:3].float(), module[1].running_mean)


def test_buffers_round_trip_without_aliasing():
    module, b = (
        batchnorm(),
        torch.tensor([0.5, -1, 2, 1, 2, 3, 2.0**24 + 1], dtype=torch.float64),
    )
    vectors.load_buffers(module, b)
    assert (
        module[1].num_batches_tracked.item() == 2**24 + 1
    )  # float32 has no such number
    assert module[1].num_batches_tracked.dtype == torch.int64
    found = vectors.buffers(module)
    b.zero_()
    assert (
        found.tolist()
        == vectors.buffers(module).tolist()
        == [0.5, -1, 2, 1, 2, 3, 2**24 + 1]
    )
    module[1].running_mean.zero_()
    assert found[1] == -1


def test_integer_buffers_are_rounded():
    """The mean over agents of a count is no integer."""
    module = batchnorm()
    vectors.load_buffers(
        module, torch.tensor([0, 0, 0, 1, 1, 1, 2.9], dtype=torch.float64)
    )
    assert module[1].num_batches_tracked.item() == 3


@pytest.mark.parametrize(
    "buffer, what",
    [
        (torch.tensor([2**53 + 1]), "whole numbers beyond 2"),
        (torch.tensor([-(2**63)]), "whole numbers beyond 2"),
        (torch.tensor([1 + 2j]), "complex numbers"),
    ],
)
def test_buffers_that_would_lose_something_are_refused_by_name(buffer, what):
    module = Nested()
    module.body.register_buffer("table", buffer)
    with pytest.raises(ValueError, match=f"buffer 'body.table' holds {what}"):
        vectors.buffers(module)


def test_buffers_of_other_kinds_are_kept():
    module, kinds = (
        nn.Linear(1, 1),
        (torch.bool, torch.uint8, torch.int64, torch.bfloat16),
    )
    for i, kind in enumerate(kinds):
        module.register_buffer(f"b{i}", torch.tensor([0, 1, 1]).to(kind))
    module.register_buffer("large", torch.tensor([-(2**53), 2**53]))
    before = [buffer.clone() for buffer in module.buffers()]
    b = vectors.buffers(module)
    for buffer in module.buffers():
        buffer.zero_()
    vectors.load_buffers(module, b)
    assert all(
        torch.equal(*pair) for pair in zip(module.buffers(), before, strict=True)
    )


def test_complex_parameters_are_refused_by_name():
    module = nn.Linear(2, 2, dtype=torch.complex64)
    with pytest.raises(ValueError, match="parameter 'weight' is complex"):
        vectors.flatten(module)


def test_a_parameter_without_entries_is_no_block():
    module = Nested()
    module.scale = nn.Parameter(torch.empty(0, dtype=torch.float64))
    layout = vectors.layout(module)
    assert layout.slices[0] == slice(0, 0) and layout.dimension == 12
    assert layout.blocks == (slice(0, 6), slice(6, 9), slice(9, 12))
    vectors.load(module, torch.arange(12.0, dtype=torch.float64))
    assert vectors.flatten(module).tolist() == list(range(12))


def test_without_buffers():
    module = Nested()
    b = vectors.buffers(module)
    assert b.shape == (0,) and vectors.buffer_names(module) == ()
    vectors.load_buffers(module, b)


def test_wrong_buffers():
    with pytest.raises(ValueError, match="7 buffer"):
        vectors.load_buffers(batchnorm(), torch.zeros(6, dtype=torch.float64))
    with pytest.raises(ValueError, match="float32.*'1.running_mean'"):
        vectors.load_buffers(batchnorm(), torch.zeros(7))
