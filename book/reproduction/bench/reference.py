"""Training, evaluation and the server's step as they are usually written down, to
compare with.

One agent after another and one layer after another; samples come from a DataLoader,
networks are in the order of their textbooks, and torch's own optimizers move all
parameters. They draw the same batches and dropout masks as `training`, so that results
can be compared, and their flat vectors are those of the networks of `models`.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from fairfl import rewards, vectors
from fairfl.partition import Agent
from fairfl.randomness import generator
from fairfl.training import LocalTraining


class MnistCNN(nn.Module):
    """`models.MnistCNN` as convolution, tanh, pool."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 3, padding=2)
        self.conv2 = nn.Conv2d(64, 16, 7)
        self.fc1 = nn.Linear(16 * 4 * 4, 200)
        self.fc2 = nn.Linear(200, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(torch.tanh(self.conv1(x)), 2)
        x = F.max_pool2d(torch.tanh(self.conv2(x)), 2)
        return self.fc2(torch.tanh(self.fc1(x.flatten(1))))


class DigitsCNN(nn.Module):
    """`models.DigitsCNN` as convolution, relu, pool."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.fc1 = nn.Linear(16 * 4 * 4, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(x)))), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class TextCNN(nn.Module):
    """`models.TextCNN` as Kim (2014) has it: the sentence as an image of words,
    convolutions over it.

    Windows without a word count as 0 here too, or the answers would differ.
    """

    def __init__(self, vocabulary: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 300, padding_idx=0)
        self.convs = nn.ModuleList(nn.Conv2d(1, 100, (k, 300), padding=(k - 1, 0))
                                   for k in (3, 4, 5))
        self.fc = nn.Linear(300, classes)

    def noise(self, samples: int, generator: torch.Generator) -> Tensor:
        return (torch.rand(samples, 300, generator=generator)
                >= 0.5).to(self.fc.weight.dtype) / 0.5

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        x = x[:, : int((x != 0).sum(1).max())]  # as loaders of sentences pad a batch
        image, found = self.embedding(x)[:, None], []
        for k, conv in zip((3, 4, 5), self.convs, strict=True):
            word = (F.pad(x, (k - 1, k - 1)).unfold(1, k, 1) != 0).any(2)
            found.append((F.relu(conv(image).squeeze(3)) * word[:, None]).amax(2))
        features = torch.cat(found, 1)
        return self.fc(features if noise is None else features * noise)


def train(
    module: nn.Module, models: Tensor, agents: Sequence[Agent], local: LocalTraining,
    t: int, seed: int
) -> Tensor:
    """The updates of all agents in round t, (N, D)."""
    updates = []
    for model, agent in zip(models, agents, strict=True):
        own = copy.deepcopy(module).train()
        vectors.load(own, model)
        optimizer = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[local.optimizer](
            own.parameters(), lr=local.rate(t))
        batches = local.batches(len(agent.y), generator(seed, "batches", agent.key, t))
        draws = generator(seed, "noise", agent.key, t)
        for x, y in DataLoader(TensorDataset(agent.x, agent.y),
                               batch_sampler=[i.tolist() for _, i in batches]):
            noise = [own.noise(len(y), draws).to(x.device)] if hasattr(own,
                                                                       "noise") else []
            optimizer.zero_grad()
            F.cross_entropy(own(x, *noise), y).backward()
            optimizer.step()
        updates.append(vectors.flatten(own) - model)
    return torch.stack(updates)


@torch.no_grad()
def evaluate(module: nn.Module, models: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Mean loss and accuracy of each model, (2, K)."""
    found = []
    for model in models:
        own, loss, correct = copy.deepcopy(module).eval(), 0.0, 0
        vectors.load(own, model)
        for samples, labels in DataLoader(TensorDataset(x, y), batch_size=100):
            logits = own(samples)
            loss += F.cross_entropy(logits, labels, reduction="sum").item()
            correct += (logits.argmax(1) == labels).sum().item()
        found.append((loss / len(y), correct / len(y)))
    return torch.tensor(found, dtype=torch.float64).T


def reward(total: Tensor, quality: Tensor, layers: Sequence[slice],
           models: Tensor) -> None:
    """Eq. (5) for each agent and layer: the k-th largest magnitude, a mask, and the
    product added to the model."""
    for model, share in zip(models, quality, strict=True):
        for layer in layers:
            part = total[layer]
            if q := int(rewards.count(share, len(part))):
                magnitude = part.abs()
                model[layer] += part * (magnitude >= magnitude.topk(q).values[-1])


def ranked(total: Tensor, quality: Tensor, models: Tensor) -> None:
    """Eq. (5) from the order of all entries, ties by index."""
    order = total.abs().argsort(descending=True, stable=True)
    for model, q in zip(models, rewards.count(quality, len(total)).tolist(),
                        strict=True):
        model[order[:q]] += total[order[:q]]


def serve(
    updates: Tensor, weights: Tensor, gamma: float, beta: float,
    layers: Sequence[slice], models: Tensor
) -> Tensor:
    """A server's round, eqs. (1), (3), (4) from r = 0, and (5); returns psi, (N,)."""
    u = [update * (gamma / update.norm()) for update in updates]
    total = torch.zeros_like(u[0])
    for weight, update in zip(weights.tolist(), u, strict=True):
        total += weight * update
    psi = torch.stack([F.cosine_similarity(update, total, dim=0)
                       for update in u]).double()
    r = psi.clamp(min=0.02) / psi.clamp(min=0.02).sum()
    reward(total, torch.tanh(beta * r) / torch.tanh(beta * r).max(), layers, models)
    return psi
