"""The network for sentences. Chapter "Data and partitions"."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fairfl import vectors


class TextCNN(nn.Module):
    """The text CNN of Kim (2014) for MR and SST: (n, length) word numbers, int64 -> (n,
    classes).

    Words become vectors, each kernel looks through a window of k words for features,
    the largest answer over all windows of a sentence counts, and a linear layer reads
    them. Windows reach over both ends of a sentence by k - 1 places, so that it may be
    shorter than they are.

    Word 0 is padding. It stands for the zero vector and never learns, and a window that
    holds no word does not count: the answer does not depend on how far a batch is
    padded.

    Args:
        vocabulary: word numbers are 0 to vocabulary - 1, padding included.
        kernels: window lengths in words.
        maps: features a kernel.
    """

    dtype = torch.float32
    width = 300  # of a word's vector
    dropout = 0.5

    def __init__(self, vocabulary: int, classes: int,
                 kernels: Sequence[int] = (3, 4, 5), maps: int = 100) -> None:
        super().__init__()
        if min(vocabulary, classes, maps, *kernels) < 1 or not kernels:
            raise ValueError(
                "vocabulary, classes, maps and kernels must be at least 1, not "
                f"{vocabulary}, {classes}, {maps} and {tuple(kernels)}")
        self.kernels, self.maps = tuple(kernels), maps
        self.embedding = nn.Embedding(vocabulary, self.width, padding_idx=0)
        # Of the words of a window
        self.convs = nn.ModuleList(nn.Linear(k * self.width, maps) for k in kernels)
        self.fc = nn.Linear(len(kernels) * maps, classes)

    def noise(self, samples: int, generator: torch.Generator) -> Tensor:
        """Dropout masks for a step, 0 or 1 / (1 - dropout): (samples, features), on the
        CPU."""
        draws = torch.rand(samples, self.fc.in_features, dtype=torch.float32,
                           generator=generator)
        return (draws >= self.dropout).to(self.fc.weight.dtype) / (1 - self.dropout)

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        features = torch.cat(self.features(x), 1)
        return self.fc(features if noise is None else features * noise)

    def features(self, x: Tensor) -> list[Tensor]:
        """(n, maps) for each kernel, not negative."""
        found = []
        for k, conv in zip(self.kernels, self.convs, strict=True):
            windows = F.pad(x, (k - 1, k - 1)).unfold(1, k, 1)  # (n, length + k - 1, k)
            words = windows != 0
            answers = conv((self.embedding(windows) * words[..., None]).flatten(2))
            # 0 is what relu makes of a low answer
            answers = answers * words.any(2, keepdim=True)
            found.append(F.relu(answers.amax(1)))
        return found

    def restrict(self, x: Tensor) -> "tuple[TextCNN, Tensor, Tensor]":
        """The same network for those words alone that occur in x, faster on a CPU.

        Training it on x is training this one: the vectors of other words have no
        gradient.

        Returns:
            a network that shares no memory with this one, x in its word numbers, and
            the entries of this network's flat vector (`vectors.flatten`) that its own
            flat vector holds, int64.
        """
        words, x = _numbered(x, self.embedding.num_embeddings)
        with torch.device("meta"):
            small = _WordTable(
                len(words), self.fc.out_features, self.kernels, self.maps)
        small = small.to(self.fc.weight.dtype).to_empty(device=x.device)
        with torch.no_grad():
            for mine, its in zip(self.parameters(), small.parameters(), strict=True):
                its.copy_(mine[words] if mine is self.embedding.weight else mine)
                its.requires_grad_(mine.requires_grad)
        entries, layout = [], vectors.layout(self)
        for name, part in zip(layout.names, layout.slices, strict=True):
            places = torch.arange(part.start, part.stop)
            if name == "embedding.weight":
                places = places.view(-1, self.width)[words].flatten()
            entries.append(places)
        return small, x, torch.cat(entries)


class _WordTable(TextCNN):
    """The same function in a form that is several times faster on a CPU, but cannot be
    stacked by `torch.func`.

    What a word adds to the answer of a window depends on its place there only. So the
    products of all words of the batch with all places are computed once, as a table,
    and a window sums k of its rows. Only the best window of a feature passes a gradient
    on, so autograd sees k entries of the table a feature instead of all windows.
    (Pooling is argmax here, twenty times faster.)
    """

    def features(self, x: Tensor) -> list[Tensor]:
        places = torch.arange(1, x.shape[1] + 1, device=x.device)
        longest = int((places * (x != 0)).max())
        x = x[:, : max(1, longest)]
        words, x = _numbered(x, self.embedding.num_embeddings)
        vectors = self.embedding(words) * (words != 0)[:, None]
        found = []
        for k, conv in zip(self.kernels, self.convs, strict=True):
            assert isinstance(conv, nn.Linear)
            places = conv.weight.view(self.maps, k, self.width).transpose(0, 1)
            # Row k w + j: word w at place j
            table = F.linear(vectors, places.reshape(-1, self.width))
            table = table.to(vectors.dtype).view(-1, self.maps)
            windows = F.pad(x, (k - 1, k - 1)).unfold(1, k, 1)
            rows = windows * k + torch.arange(k, device=x.device)
            untouched = (windows == 0).all(2)
            with torch.no_grad():
                answers = F.embedding_bag(rows.flatten(0, 1), table, mode="sum")
                answers = answers.unflatten(0, untouched.shape)
                answers.masked_fill_(untouched[..., None], -torch.inf)
                # (n, maps, windows, 1), maps last in memory
                image = answers[:, :, None].permute(0, 3, 1, 2)
                best = F.max_pool2d(image, image.shape[2:], return_indices=True)[1]
                best = best.flatten(1)
            entries = rows.gather(1, best[..., None].expand(-1, -1, k)) * self.maps
            entries += torch.arange(self.maps, device=x.device)[:, None]
            answers = table.take(entries).sum(2) + conv.bias
            found.append(F.relu(answers * ~untouched.all(1, keepdim=True)))
        return found


def _numbered(x: Tensor, vocabulary: int) -> tuple[Tensor, Tensor]:
    """The words that occur in x, in order, padding (0) always among them; and x as
    positions in that list."""
    occurs = torch.zeros(vocabulary, dtype=torch.bool, device=x.device)
    occurs[x.flatten()] = True
    occurs[0] = True
    return occurs.nonzero().flatten(), (occurs.cumsum(0) - 1)[x]
