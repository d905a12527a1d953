"""What a recorded run says about r: whom the server listens to, and why. Chapter
"Accuracy and fairness" and page "All tables".

N agents, T rounds; rows are rounds.
"""

from typing import TypedDict

import torch
from torch import Tensor

from fairfl import rewards
from fairfl.runs.records import Record


def shares(record: Record) -> Tensor:
    """The parts that the agents' unit updates have in the sum of each round, (T, N),
    rows of sum 1.

    The sum is sum_i lambda_i Delta w_i / |Delta w_i|, where lambda_i is r_{i,t-1} times
    the length that the update has when it is summed. These are the lambda_i, divided by
    their sum.
    """
    history, settings = record.history, record.settings
    scaling = settings.mechanism_options.get("scaling", "normalised")
    lengths = history["update_norm"].double()
    factors = torch.stack([rewards.factors(row, settings.gamma(t), scaling)
                           for t, row in enumerate(lengths, 1)])
    parts = history["weights"].double().expand_as(lengths) * factors * lengths
    return parts / parts.sum(1, keepdim=True)


def mean_cosine(shares: Tensor, psi: Tensor) -> Tensor:
    """Mean cosine of two different agents' updates, drawn with probabilities `shares`,
    (T, N) and (T, N) -> (T,).

    |sum_i p_i u_i| = sum_i p_i psi_i for unit u_i, and its square is sum_i p_i^2 plus
    the cosines of all pairs.
    """
    same = (shares**2).sum(1)
    return ((shares * psi).sum(1) ** 2 - same) / (1 - same)


def effective_agents(r: Tensor) -> Tensor:
    """1 / sum of r_i^2, (..., N) -> (...): N if all r are equal, 1 if one agent has
    all."""
    return 1 / (r.double() ** 2).sum(-1)


def heard(r: Tensor, quality: Tensor) -> Tensor:
    """sum_i r_i quality_i, (..., N) and (N,) -> (...): the mean quality of the agents
    that the server listens to."""
    return r.double() @ quality.double()


class Course(TypedDict):
    """How a run went on."""

    server: Tensor  # its accuracy in percent, where it was recorded
    heard: Tensor  # the mean quality of whom it hears, in round 40 and at the end
    locks: bool  # it hears worse agents at the end, by more than a point
    falls: bool  # it ends more than a point below its best recorded round
    agents: float  # effective agents at the end


def judge(record: Record, alone: Tensor) -> Course:
    """What becomes of a server from round 40 on. alone: what each agent reaches by
    itself, in percent."""
    server = 100 * record.history["server_test_accuracy"]
    listened = heard(record.history["r"], alone)[[39, -1]]
    return {"server": server, "heard": listened,
            "locks": bool(listened[1] < listened[0] - 1),
            "falls": bool(server[-1] < server.max() - 1),
            "agents": float(effective_agents(record.history["r"][-1]))}
