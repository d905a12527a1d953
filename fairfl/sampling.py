"""The Shapley value by sampling permutations, for games too large for `shapley.exact`.

A permutation lets the agents join one by one; the marginal contributions along it add up to v(all) - v(nobody), and
their mean over permutations is the Shapley value (Castro et al., 2009). Chapter "Who contributed?".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, log
from typing import NamedTuple

import torch
from torch import Tensor

from fairfl.games import Known
from fairfl.randomness import generator
from fairfl.shapley import Game, values

FIRST = 64                  # permutations before the first look at the error; each later look doubles them
COALITIONS = 1 << 16        # are valued in one call of the game
GIVE_UP = 1 << 20           # permutations, where only an error is asked for


class Estimate(NamedTuple):
    """What sampling found for N agents."""

    values: Tensor  # (N,) float64
    standard_error: Tensor  # (N,) estimated standard deviation of `values`
    error: Tensor  # (N,) with the asked confidence |values - phi| is at most this, for all agents at once
    permutations: int  # how many were looked at


def sampled(
    game: Game,
    agents: int,
    seed: int,
    permutations: int | None = None,
    error: float | None = None,
    *,
    paired: bool = True,
    control: Known | None = None,
    confidence: float = 0.95,
    span: float | None = None,
    names: Sequence[str | int] | None = None,
) -> Estimate:
    """Estimates the Shapley value from random permutations.

    Args:
        game: a callable on boolean coalition matrices, see `shapley`.
        agents: N.
        seed: of the permutations.
        permutations: how many; at most so many where an error is asked for too.
        error: stop as soon as all agents' errors are at most this, with the confidence below.
        paired: each permutation is followed by its reverse (antithetic), and the mean of the two is one sample.
            False is the plain estimator.
        control: a game with known values that is close to this one (control variate): only the difference of the
            two is sampled.
        confidence: probability with which `Estimate.error` holds for all agents at once.
        span: length of an interval that holds all samples of an agent, if it is known (with a control: samples of
            the difference). Then `Estimate.error` is a theorem, the empirical Bernstein bound of Maurer and Pontil
            (2009); without it the range that was seen stands in its place.
        names: of the agents, one each. Permutations depend on the names and not on the order of the agents.
    Raises:
        ValueError: neither a number of permutations nor an error is given, an argument is out of its range, or the
            game returns something else than finite values.
    """
    names = range(agents) if names is None else names
    _check(agents, names, permutations, error, confidence)
    if control is not None:
        if len(control.values) != agents:
            raise ValueError(f"the control game has {len(control.values)} agents, the game {agents}")
        game = _difference(game, control.game)
    most = GIVE_UP if permutations is None else permutations
    if paired and most % 2:
        raise ValueError(f"permutations come in pairs: an even number is needed, not {most}")
    draws = [generator(seed, "permutations", name) for name in names]
    ends = values(game, torch.tensor([[False] * agents, [True] * agents]))
    running, looks = _Running(agents), 0
    for count, due in _batches(most, error, agents):
        running.add(_marginals(game, draws, count, ends, paired))
        if due:
            looks += 1  # the k-th look may fail with probability (1 - confidence) / (k (k + 1)): in all 1 - confidence
            failure = (1 - confidence) / (looks * (looks + 1) if error is not None else 1)
            bound = running.bound(failure / agents, span)
            if error is not None and bound.max() <= error:
                break
    mean = running.mean if control is None else running.mean + control.values
    return Estimate(mean, running.standard_error, bound, running.count * (2 if paired else 1))


def hoeffding(error: float, failure: float, span: float, agents: int = 1) -> int:
    """Permutations after which |estimate - phi| <= error but for a probability `failure`, for all `agents` at once.

    K = ceil(ln(2 agents / failure) span^2 / (2 error^2)). `span` is the length of an interval that holds every
    marginal contribution of one agent in the game at hand; 2 for the cosine gradient Shapley value. (Maleki et al.,
    2013, take the range of the values.)

    Raises:
        ValueError: an argument that is not positive, or a failure of 1 or more.
    """
    if not (error > 0 and span > 0 and 0 < failure < 1 and agents >= 1):
        raise ValueError(f"need error > 0, span > 0, 0 < failure < 1, agents >= 1, not {error, span, failure, agents}")
    return ceil(log(2 * agents / failure) * span**2 / (2 * error**2))


def _check(agents, names, permutations, error, confidence) -> None:
    if agents < 1 or len(names) != agents or len(set(names)) != agents:
        raise ValueError(f"{agents} agents need {agents} different names, not {list(names)}")
    if permutations is None and error is None:
        raise ValueError("say how many permutations, or which error is asked for")
    if permutations is not None and permutations < 4:
        raise ValueError(f"permutations must be at least 4, for a standard error, not {permutations}")
    if error is not None and not error > 0:
        raise ValueError(f"error must be positive, not {error!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")


def _difference(game: Game, other: Game) -> Game:
    return lambda members: values(game, members) - values(other, members)


def _batches(most: int, error: float | None, agents: int) -> Iterator[tuple[int, bool]]:
    """Numbers of permutations that add up to `most`, small enough for the memory, and whether a look at the error is
    due after them: after FIRST, twice as many, and so on where an error is asked for, and at the end."""
    done, look = 0, most if error is None else FIRST
    largest = max(2, COALITIONS // agents // 2 * 2)
    while done < most:
        count = min(largest, most - done, look - done)
        done += count
        yield count, done in (look, most)
        if done == look:
            look *= 2


def _marginals(game: Game, draws: list[torch.Generator], count: int, ends: Tensor, paired: bool) -> Tensor:
    """Samples of all agents' marginal contributions along `count` permutations: (count, N), paired (count / 2, N)."""
    drawn = count // 2 if paired else count
    keys = torch.stack([torch.rand(drawn, generator=draw, dtype=torch.float64) for draw in draws], dim=1)
    places = keys.argsort(dim=1).argsort(dim=1)  # (drawn, N) where in the permutation agent j stands
    found = _along(game, places, ends)
    return (found + _along(game, len(draws) - 1 - places, ends)) / 2 if paired else found


def _along(game: Game, places: Tensor, ends: Tensor) -> Tensor:
    """Marginal contribution of each agent along each permutation, (K, N), from the N - 1 coalitions between none and
    all."""
    count, n = places.shape
    members = places[:, None, :] < torch.arange(1, n)[None, :, None]
    between = values(game, members.reshape(-1, n)).reshape(count, n - 1) if n > 1 else torch.empty(count, 0)
    path = torch.cat([ends[0].expand(count, 1), between, ends[1].expand(count, 1)], dim=1)
    return path.diff(dim=1).gather(1, places)


class _Running:
    """Mean, variance and range of samples that arrive in batches (Chan, Golub and LeVeque, 1983)."""

    def __init__(self, agents: int):
        self.count = 0
        self.mean = torch.zeros(agents, dtype=torch.float64)
        self.squares = torch.zeros(agents, dtype=torch.float64)
        self.low, self.high = torch.full((2, agents), torch.inf, dtype=torch.float64)
        self.high = -self.high

    def add(self, samples: Tensor) -> None:
        mean, gap = samples.mean(0), samples.mean(0) - self.mean
        total = self.count + len(samples)
        self.squares += ((samples - mean) ** 2).sum(0) + gap**2 * self.count * len(samples) / total
        self.mean = self.mean + gap * len(samples) / total
        self.low, self.high = torch.minimum(self.low, samples.amin(0)), torch.maximum(self.high, samples.amax(0))
        self.count = total

    @property
    def standard_error(self) -> Tensor:
        return (self.squares / (self.count - 1) / self.count).sqrt()

    def bound(self, failure: float, span: float | None) -> Tensor:
        """Empirical Bernstein bound, two-sided; the widest range of any agent stands for a span that is not known."""
        width = (self.high - self.low).max() if span is None else span
        return self.standard_error * (2 * log(4 / failure)) ** 0.5 + 7 * width * log(4 / failure) / 3 / (self.count - 1)
