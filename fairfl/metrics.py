"""What a federation is judged by: fairness and the gain from taking part. Chapter
"Accuracy and fairness".

All functions take numbers of N agents, N >= 1, (N,), or rows of them, (..., N), as
tensors, arrays or lists, and compute in float64. What is not defined is nan. Numbers
that differ by no more than rounding are equal.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

from fairfl._arrays import tensor

ROUNDING = 1e-14  # of the largest number: two ways to compute one may differ by this


def fairness(standalone, rewarded) -> Tensor:
    """The paper's fairness rho, Sec. 4.1: 100 times Pearson's correlation, over the
    agents, of what each reaches alone and what it reaches with the reward.

    Args:
        standalone, rewarded: accuracies (N,) or (..., N); leading dimensions are
            broadcast. ValueError for different numbers of agents.

    Returns:
        (...) in [-100, 100]; nan where either side is the same for all agents, so
        always for one agent.
    """
    return 100 * _pearson(*_both(standalone, rewarded))


def rank_correlation(standalone, rewarded) -> Tensor:
    """Spearman's correlation of the same, in [-1, 1]: Pearson's of the ranks, equal
    values sharing their mean rank. Args, nan and errors as in `fairness`."""
    from scipy.stats import rankdata

    def ranks(x: Tensor) -> Tensor:
        ranked = rankdata(_levels(x).cpu().numpy(), axis=-1)
        return torch.as_tensor(ranked, dtype=torch.float64)

    a, b = _both(standalone, rewarded)
    return _pearson(ranks(a), ranks(b))


def collaboration_gain(standalone, rewarded) -> Tensor:
    """What each agent gains by taking part, rewarded - standalone, (..., N); negative
    where it loses. ValueError for different numbers of agents."""
    a, b = _both(standalone, rewarded)
    return b - a


def share(x) -> Tensor:
    """x / sum of x over the agents, (..., N); a row whose sum is 0 is nan.

    Zero means within the rounding error of adding up: 0.1 + 0.2 - 0.3 is 0 here.
    Entries may be negative, and shares then lie outside of [0, 1].
    """
    x = _numbers(x)
    total = x.sum(-1, keepdim=True)
    rounding = x.shape[-1] * torch.finfo(x.dtype).eps * x.abs().sum(-1, keepdim=True)
    return torch.where(total.abs() <= rounding, torch.nan, x / total)


def _numbers(x) -> Tensor:
    x = tensor(x, "what is given").double()
    if x.ndim == 0:
        raise ValueError("needs a number for each agent, not a single one")
    return x


def _both(standalone, rewarded) -> tuple[Tensor, Tensor]:
    a, b = _numbers(standalone), _numbers(rewarded)
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"standalone is of {a.shape[-1]} agents, "
                         f"rewarded of {b.shape[-1]}")
    return a, b


def _pearson(a: Tensor, b: Tensor) -> Tensor:
    constant = _constant(a) | _constant(b)
    a, b = (x - x.mean(-1, keepdim=True) for x in (a, b))
    a, b = (x / x.norm(dim=-1, keepdim=True) for x in (a, b))
    return torch.where(constant, torch.nan, (a * b).sum(-1).clamp(-1, 1))


def _constant(x: Tensor) -> Tensor:
    """Asked of the numbers themselves: less their mean they need not be zero, as for
    0.1, 0.1, 0.1, nor be all the same, as for (0.1 + 0.2 + 0.3) / 3 in other orders."""
    return x.amax(-1) - x.amin(-1) <= _rounding(x)[..., 0]


def _rounding(x: Tensor) -> Tensor:
    return ROUNDING * x.abs().where(x.isfinite(), 0.0).amax(-1, keepdim=True)


def _levels(x: Tensor) -> Tensor:
    """0, 1, .. from the smallest number on; those that differ by rounding share one."""
    ordered, order = x.sort(-1)
    steps = (ordered.diff(dim=-1) > _rounding(x)).double()
    level = pad(steps, (1, 0)).cumsum(-1).where(~ordered.isnan(), ordered)
    return torch.empty_like(x).scatter(-1, order, level)
