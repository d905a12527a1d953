"""A network as one flat vector: what the server and the mechanism see of it.

The D entries are the trainable parameters in the module's own order; a frozen parameter
is no part of them and a shared one counts once. Nothing here aliases, unlike torch's
`vector_to_parameters`, which makes the parameters views of the vector. Chapter
"Learning together".
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor, nn

EXACT = 2**53  # whole numbers up to here are exact in float64


class Layout(NamedTuple):
    """Where each trainable parameter lies in the vector."""

    names: tuple[str, ...]  # as in named_parameters()
    shapes: tuple[torch.Size, ...]
    slices: tuple[slice, ...]  # of the D entries, in order, without gaps

    @property
    def dimension(self) -> int:
        """D, the length of the vector."""
        return self.slices[-1].stop

    @property
    def blocks(self) -> tuple[slice, ...]:
        """The slices that hold anything: of an empty parameter nothing can be sent."""
        return tuple(part for part in self.slices if part.stop > part.start)

    @property
    def layers(self) -> dict[str, slice]:
        """Slices by name: whole layers first (all parameters of a submodule, "fc2"),
        which cover the vector in order, then single tensors ("fc2.weight")."""
        whole: dict[str, slice] = {}
        for name, part in zip(self.names, self.slices, strict=True):
            layer = name.rpartition(".")[0] or name
            start = whole[layer].start if layer in whole else part.start
            whole[layer] = slice(start, part.stop)
        return whole | dict(zip(self.names, self.slices, strict=True))


def layout(module: nn.Module) -> Layout:
    """Where the trainable parameters lie; ValueError if there are none."""
    named = _trainable(module)
    stops = list(accumulate(p.numel() for p in named.values()))
    slices = tuple(map(slice, [0, *stops[:-1]], stops))
    return Layout(tuple(named), tuple(p.shape for p in named.values()), slices)


def flatten(module: nn.Module, out: Tensor | None = None) -> Tensor:
    """The trainable parameters as one vector, (D,), a copy outside of autograd; written
    to `out` where that is given. ValueError if there are none, they are complex, or
    dtypes or devices differ."""
    named = _trainable(module)
    first, *others = named
    if named[first].is_complex():
        raise ValueError(f"the parameter {first!r} is complex; parameters must be real")
    for name in others:
        if _kind(named[name]) != _kind(named[first]):
            raise ValueError(
                f"one vector needs one dtype and device: {first!r} is "
                f"{_kind(named[first])}, {name!r} is {_kind(named[name])}")
    return torch.cat([p.detach().reshape(-1) for p in named.values()], out=out)


def load(module: nn.Module, w: Tensor) -> None:
    """Copy the vector w, (D,), into the module's trainable parameters, in place.
    ValueError, and no change, if w has another length, dtype or device."""
    named = _trainable(module)
    for name, p in named.items():
        if _kind(w) != _kind(p):
            raise ValueError(f"the vector is {_kind(w)}, the parameter {name!r} is "
                             f"{_kind(p)}; convert one")
    _fill(list(named.values()), w, "trainable parameters")


def buffer_names(module: nn.Module) -> tuple[str, ...]:
    """The names of what `buffers` returns, e.g. BatchNorm's running_mean."""
    return tuple(name for name, _ in module.named_buffers())


def buffers(module: nn.Module) -> Tensor:
    """The buffers (such as BatchNorm's running statistics) as one vector, (B,), a copy;
    float64, in which whole numbers such as num_batches_tracked survive. ValueError if
    one is complex or holds whole numbers beyond 2**53."""
    found = [_exact(name, b.detach()) for name, b in module.named_buffers()]
    empty = torch.empty(0, dtype=torch.float64, device=_device(module))
    return torch.cat(found) if found else empty


def load_buffers(module: nn.Module, b: Tensor) -> None:
    """Copy the vector b, (B,) float64, into the module's buffers, in place; whole
    numbers are rounded. ValueError if b has another length, dtype or device."""
    for name, buffer in module.named_buffers():
        if b.dtype != torch.float64 or b.device != buffer.device:
            raise ValueError(f"the vector is {_kind(b)}, the buffer {name!r} wants "
                             f"torch.float64 on {buffer.device}")
    _fill(list(module.buffers()), b, "buffer entries")


def _trainable(module: nn.Module) -> dict[str, nn.Parameter]:
    named = {name: p for name, p in module.named_parameters() if p.requires_grad}
    if not any(p.numel() for p in named.values()):
        raise ValueError(f"{type(module).__name__} has no trainable parameters")
    return named


def _exact(name: str, buffer: Tensor) -> Tensor:
    """A buffer's entries as float64, (B_k,), none of which may lose anything."""
    whole = not (buffer.is_floating_point() or buffer.is_complex())
    large = whole and buffer.dtype.itemsize == 8 and bool(
        ((buffer > EXACT) | (buffer < -EXACT)).any())
    if buffer.is_complex() or large:
        what = "whole numbers beyond 2**53" if large else "complex numbers"
        raise ValueError(f"the buffer {name!r} holds {what}, which float64 cannot hold")
    return buffer.reshape(-1).double()


def _kind(tensor: Tensor) -> str:
    return f"{tensor.dtype} on {tensor.device}"


def _device(module: nn.Module) -> torch.device:
    return next((p.device for p in module.parameters()), torch.device("cpu"))


@torch.no_grad()
def _fill(tensors: Sequence[Tensor], vector: Tensor, what: str) -> None:
    sizes = [tensor.numel() for tensor in tensors]
    if vector.shape != (sum(sizes),):
        raise ValueError(f"the module has {sum(sizes)} {what}, not those of a vector "
                         f"{tuple(vector.shape)}")
    for tensor, part in zip(tensors, vector.split(sizes), strict=True):
        part = part.view(tensor.shape)
        tensor.copy_(part if tensor.is_floating_point() else part.round())
