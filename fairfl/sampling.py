"""The Shapley value by sampling permutations, for games too large for `shapley.exact`.

A permutation lets the agents join one by one; the marginal contributions along it add
up to v(all) - v(nobody), and their mean over permutations is the Shapley value (Castro
et al., 2009). Chapter "Who contributed?".
"""

from collections.abc import Iterator, Sequence
from math import ceil, log
from typing import NamedTuple

import torch
from torch import Tensor

from fairfl import _checks
from fairfl.games import Known
from fairfl.randomness import generator
from fairfl.shapley import Game, values

FIRST = 64              # permutations before the first look at the error; then twice
COALITIONS = 1 << 16    # are valued in one call of the game
GIVE_UP = 1 << 20       # permutations, where only an error is asked for


class Estimate(NamedTuple):
    """What sampling found for N agents."""

    values: Tensor  # (N,) float64
    standard_error: Tensor  # (N,) estimated standard deviation of `values`
    error: Tensor  # (N,) at least |values - phi| with the asked confidence, for all
    permutations: int  # how many were looked at


def sampled(game: Game, agents: int, seed: int, permutations: int | None = None,
            error: float | None = None, *, paired: bool = True,
            control: Known | None = None, confidence: float = 0.95,
            span: float | None = None, names: Sequence[str | int] | None = None
           ) -> Estimate:
    """Estimates the Shapley value from random permutations.

    Args:
        game, agents: a callable on boolean coalition matrices, see `shapley`, and N.
        seed: of the permutations.
        permutations: how many, at least 4; at most so many if an error is asked for.
        error: stop as soon as all agents' errors are at most this.
        paired: each permutation is followed by its reverse (antithetic), and the mean
            of the two is one sample. False is the plain estimator.
        control: a game with known values that is close to this one (control variate):
            only the difference of the two is sampled.
        confidence: probability with which `Estimate.error` holds for all agents.
        span: length of an interval that holds all samples of an agent, if it is known
            (with a control: of the difference). Then `Estimate.error` is a theorem, the
            empirical Bernstein bound of Maurer and Pontil (2009). Without it the range
            that was seen stands in its place: infinite while an outcome of probability
            1/3 may have been missed, too small if few, rare coalitions are worth most.
        names: the agents', by which permutations go, and not by the agents' order.
    ValueError: neither a number of permutations nor an error is given, an argument is
    out of its range, or the game returns something else than finite values.
    """
    _check(permutations, error, paired, confidence)
    draws = [generator(seed, "permutations", name) for name in _names(names, agents)]
    if control is not None:
        game = _difference(game, control, agents)
    ends = values(game, torch.tensor([[False] * agents, [True] * agents]))
    running, looks = _Running(agents), 0
    most = GIVE_UP if permutations is None else permutations
    for count, due in _batches(most, error, agents):
        running.add(_marginals(game, draws, count, ends, paired))
        if due:
            looks += 1
            # the k-th look may fail with probability (1 - confidence) / (k (k + 1)),
            # all of them together with 1 - confidence
            failure = (1 - confidence) / (looks * (looks + 1) if error else 1)
            bound = running.bound(failure, span)
            if error is not None and bound.max() <= error:
                break
    mean = running.mean if control is None else running.mean + control.values
    drawn = running.count * (2 if paired else 1)
    return Estimate(mean, running.standard_error, bound, drawn)


def hoeffding(error: float, failure: float, span: float, agents: int = 1) -> int:
    """Permutations after which |estimate - phi| <= error but for a probability
    `failure`, for all `agents` at once.

    K = ceil(ln(2 agents / failure) span^2 / (2 error^2)). `span` is the length of an
    interval that holds every marginal contribution of one agent in the game at hand; 2
    for the cosine gradient Shapley value. (Maleki et al., 2013, take the range of the
    values.) ValueError: an argument is not positive, or the failure 1 or more.
    """
    if not (error > 0 and span > 0 and 0 < failure < 1 and agents >= 1):
        raise ValueError("need error > 0, span > 0, 0 < failure < 1, agents >= 1, "
                         f"not {error, span, failure, agents}")
    return ceil(log(2 * agents / failure) * span**2 / (2 * error**2))


def _names(names: Sequence[str | int] | None, agents: int) -> Sequence[str | int]:
    _checks.whole(agents=agents)
    names = range(agents) if names is None else names
    if len(names) != agents or len(set(names)) != agents:
        raise ValueError(f"{agents} agents need as many different names, "
                         f"not {list(names)}")
    return names


def _check(permutations, error, paired, confidence) -> None:
    if permutations is None and error is None:
        raise ValueError("say how many permutations, or which error is asked for")
    if permutations is not None:
        check = _checks.even if paired else _checks.whole
        check(4, permutations=permutations)  # fewer have no standard error
    if error is not None:
        _checks.positive(error=error)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")


def _difference(game: Game, control: Known, agents: int) -> Game:
    if (n := len(control.values)) != agents:
        raise ValueError(f"the control game has {n} agents, the game {agents}")
    return lambda members: values(game, members) - values(control.game, members)


def _batches(most: int, error: float | None, agents: int) -> Iterator[tuple[int, bool]]:
    """Numbers of permutations that add up to `most`, small enough for the memory, and
    whether a look at the error is due then: at the end and, where an error is asked
    for, after FIRST, twice as many, and so on."""
    done, look = 0, most if error is None else FIRST
    largest = max(2, COALITIONS // agents // 2 * 2)
    while done < most:
        count = min(largest, most - done, look - done)
        done += count
        yield count, done in (look, most)
        if done == look:
            look *= 2


def _marginals(game: Game, draws: list[torch.Generator], count: int, ends: Tensor,
               paired: bool) -> Tensor:
    """Samples of all agents' marginal contributions along `count` permutations:
    (count, N), paired (count / 2, N)."""
    drawn = count // 2 if paired else count
    keys = [torch.rand(drawn, generator=draw, dtype=torch.float64) for draw in draws]
    # (drawn, N) where in the permutation agent j stands
    places = torch.stack(keys, dim=1).argsort(dim=1).argsort(dim=1)
    found = _along(game, places, ends)
    if paired:
        found = (found + _along(game, len(draws) - 1 - places, ends)) / 2
    return found


def _along(game: Game, places: Tensor, ends: Tensor) -> Tensor:
    """Each agent's marginal contribution along each of K permutations, (K, N)."""
    count, n = places.shape
    members = places[:, None, :] < torch.arange(1, n)[None, :, None]
    path = ends.repeat(count, 1)
    if n > 1:  # coalitions between none and all
        between = values(game, members.reshape(-1, n)).reshape(count, n - 1)
        path = torch.cat([path[:, :1], between, path[:, 1:]], dim=1)
    return path.diff(dim=1).gather(1, places)


class _Running:
    """Mean, variance, range of batches of samples (Chan, Golub and LeVeque, 1983)."""

    def __init__(self, agents: int):
        self.count = 0
        self.mean = torch.zeros(agents, dtype=torch.float64)
        self.squares = torch.zeros(agents, dtype=torch.float64)
        self.low = torch.full((agents,), torch.inf, dtype=torch.float64)
        self.high = -self.low

    def add(self, samples: Tensor) -> None:
        mean, gap = samples.mean(0), samples.mean(0) - self.mean
        total = self.count + len(samples)
        self.squares += ((samples - mean) ** 2).sum(0)
        self.squares += gap**2 * self.count * len(samples) / total
        self.mean = self.mean + gap * len(samples) / total
        self.low = torch.minimum(self.low, samples.amin(0))
        self.high = torch.maximum(self.high, samples.amax(0))
        self.count = total

    @property
    def standard_error(self) -> Tensor:
        return (self.squares / (self.count - 1) / self.count).sqrt()

    def bound(self, failure: float, span: float | None) -> Tensor:
        """Empirical Bernstein bound, two-sided, for all agents at once; the widest
        range of any agent stands for a span that is not known."""
        if span is None and (2 / 3) ** self.count > failure:
            return torch.full_like(self.mean, torch.inf)
        width = (self.high - self.low).max() if span is None else span
        term = log(4 * len(self.mean) / failure)
        far = 7 * width * term / 3 / (self.count - 1)
        return self.standard_error * (2 * term) ** 0.5 + far
