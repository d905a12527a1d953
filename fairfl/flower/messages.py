"""What goes over the wire: vectors as numpy arrays, a download in its shortest form."""

import io
import math
from collections.abc import Mapping
from typing import Any

import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict
from torch import Tensor

from fairfl.delivery import Answer, Download


def shortest(answer: Answer, key: str) -> Download:
    """An agent's download as it is sent: dense from half of the entries on, where
    indices and values would be no shorter."""
    download, dimension = answer[key], len(answer.step.aggregate)
    if download.indices is None:
        return download
    if 2 * len(download.indices) > dimension:
        return Download(answer.t, "all", values=answer.dense(key))
    indices = download.indices.int() if dimension < 2**31 else download.indices
    return Download(answer.t, "sparse", indices, download.values)


def arrays(made: dict[int, Array], **vectors: Tensor | None) -> ArrayRecord:
    """Vectors as Flower's arrays; bfloat16, which numpy does not have, as float32.
    `made` keeps, by the tensor's id, what several agents are sent."""
    found = {}
    for name, vector in vectors.items():
        if vector is not None:
            if id(vector) not in made:
                whole = vector.float() if vector.dtype == torch.bfloat16 else vector
                made[id(vector)] = Array(whole.detach().cpu().numpy())
            found[name] = made[id(vector)]
    return ArrayRecord(found)


def vector(record: ArrayRecord, name: str) -> Tensor | None:
    """The vector of this name, if there is one. TypeError or ValueError if what is
    there is no array of numbers."""
    return torch.from_numpy(record[name].numpy()) if name in record else None


def instruction(download: Download, base: int, made: dict[int, Array], **config: Any
                ) -> RecordDict:
    """A message to a node: a download, the round of the model that it belongs on, and
    plain values. `made`: see `arrays`."""
    about = {"holds": download.round, "kind": download.kind, "base": base, **config}
    sent = arrays(made, indices=download.indices, values=download.values)
    return RecordDict({"download": sent, "config": ConfigRecord(about)})


def download(content: RecordDict) -> Download:
    """The download in such a message."""
    config, sent = content["config"], content["download"]
    return Download(config["holds"], config["kind"], vector(sent, "indices"),
                    vector(sent, "values"))


def answer(numbers: Mapping[str, int | float], update: Tensor | None = None
           ) -> RecordDict:
    """A node's reply."""
    return RecordDict({"arrays": arrays({}, update=update),
                       "metrics": MetricRecord(dict(numbers))})


def trained(content: RecordDict, t: int, with_loss: bool) -> tuple[Tensor, float]:
    """Update and loss in the reply of round t. KeyError, TypeError or ValueError if it
    is not one."""
    numbers, update = content["metrics"], vector(content["arrays"], "update")
    if numbers["round"] != t or update is None:
        raise ValueError(f"an update of round {t} was asked for")
    loss = numbers["loss"] if with_loss else 0.0
    if not math.isfinite(loss):
        raise ValueError(f"its loss is {loss}")
    return update, loss


def size(content: RecordDict) -> int:
    """Bytes of the arrays in a message or reply."""
    return sum(len(array.data) for record in content.array_records.values()
               for array in record.values())


def packed(plain: dict[str, Any]) -> bytes:
    """Tensors and plain values as bytes."""
    buffer = io.BytesIO()
    torch.save(plain, buffer)
    return buffer.getvalue()


def unpacked(content: bytes) -> dict[str, Any]:
    """What `packed` wrote; reading it runs no code."""
    return torch.load(io.BytesIO(content), weights_only=True)
