"""Problem set 2: the mechanism from its equations."""

import math

import numpy as np
import torch

from book.assignments.grading.task import Task
from fairfl import cgsv, rewards

UPDATES = np.array([[3.0, 4.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
WITH_ZERO = np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0], [0.0, -2.0, 1.0]])


def _random(n: int, d: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).round(3)


def _normalise(updates, gamma):
    return rewards.normalise(torch.tensor(updates), gamma)


def _aggregate(updates, gamma, r):
    return rewards.aggregate(_normalise(updates, gamma), torch.tensor(r))


def _importance(r, psi, alpha, floor):
    return rewards.importance(torch.tensor(r), torch.tensor(psi), alpha, floor)


def _quotas(r, beta, dimension):
    return rewards.quotas(torch.tensor(r), beta, dimension)


def _mask(u, q):
    return rewards.mask(torch.tensor(u), q)


def server_round(updates, r, gamma, alpha, beta):
    total = _aggregate(updates, gamma, r)
    psi = cgsv.cosine(torch.tensor(updates), total)
    new = rewards.importance(torch.tensor(r), psi, alpha, 1e-3)
    quotas = rewards.quotas(new, beta, len(total))
    return new, torch.stack([rewards.mask(total, int(q)) for q in quotas])


NORMALISE_VECTOR = """
def normalise(updates, gamma):
    import numpy as np
    lengths = np.linalg.norm(updates, axis=1, keepdims=True)
    return gamma * updates / np.where(lengths > 0, lengths, 1)
"""
NORMALISE_LOOP = """
def normalise(updates, gamma):
    import math
    found = []
    for row in updates:
        length = math.sqrt(sum(x * x for x in row))
        found.append([gamma * x / length if length else 0.0 for x in row])
    return found
"""
AGGREGATE_VECTOR = """
def aggregate(updates, gamma, r):
    import numpy as np
    return np.asarray(r) @ np.asarray(normalise(updates, gamma))
"""
AGGREGATE_LOOP = """
def aggregate(updates, gamma, r):
    rows = normalise(updates, gamma)
    total = [0.0] * len(rows[0])
    for weight, row in zip(r, rows):
        for k, x in enumerate(row):
            total[k] += weight * x
    return total
"""
IMPORTANCE_VECTOR = """
def importance(r, psi, alpha, floor):
    import numpy as np
    average = alpha * r + (1 - alpha) * psi
    average = np.maximum(average, floor)
    return average / average.sum()
"""
IMPORTANCE_LOOP = """
def importance(r, psi, alpha, floor):
    average = [max(alpha * a + (1 - alpha) * b, floor) for a, b in zip(r, psi)]
    return [x / sum(average) for x in average]
"""
QUOTAS_VECTOR = """
def quotas(r, beta, dimension):
    import numpy as np
    quality = np.tanh(beta * r)
    quality = quality / quality.max()
    return np.floor(dimension * quality + 1e-9).astype(int)
"""
QUOTAS_LOOP = """
def quotas(r, beta, dimension):
    import math
    top = max(math.tanh(beta * x) for x in r)
    return [math.floor(dimension * math.tanh(beta * x) / top + 1e-9) for x in r]
"""
MASK_VECTOR = """
def mask(u, q):
    import numpy as np
    order = np.argsort(-np.abs(u), kind="stable")[:q]
    kept = np.zeros(len(u))
    kept[order] = u[order]
    return kept
"""
MASK_LOOP = """
def mask(u, q):
    places = sorted(range(len(u)), key=lambda k: (-abs(u[k]), k))
    kept = [0.0] * len(u)
    for k in places[:q]:
        kept[k] = float(u[k])
    return kept
"""
ROUND_SHORT = """
def server_round(updates, r, gamma, alpha, beta):
    import numpy as np
    total = np.asarray(aggregate(updates, gamma, r))
    lengths = np.linalg.norm(updates, axis=1) * np.linalg.norm(total)
    psi = np.where(lengths > 0, updates @ total / np.where(lengths > 0, lengths, 1), 0)
    new = np.asarray(importance(r, psi, alpha, 1e-3))
    return new, np.array([mask(total, q) for q in quotas(new, beta, len(total))])
"""
ROUND_LOOP = """
def server_round(updates, r, gamma, alpha, beta):
    import math
    import numpy as np
    total = np.array(aggregate(updates, gamma, r))
    psi = []
    for row in updates:
        length = math.sqrt(row @ row) * math.sqrt(total @ total)
        psi.append(float(row @ total) / length if length > 0 else 0.0)
    new = np.array(importance(r, np.array(psi), alpha, 1e-3))
    q = quotas(new, beta, len(total))
    return [new, [mask(total, int(k)) for k in q]]
"""
BETA = """
def beta_for(c, weakest):
    import math
    return math.atanh(c) / weakest
"""
BETA_LOG = """
def beta_for(c, weakest):
    import math
    return math.log((1 + c) / (1 - c)) / (2 * weakest)
"""

R = np.array([0.2, 0.3, 0.5])
R4 = np.array([0.1, 0.2, 0.3, 0.4])
ROUND = (UPDATES, np.full(3, 1 / 3), 0.5, 0.95, 1.0)

TASKS = {
    "normalise": Task(
        "normalise",
        "eq. (1), left",
        _normalise,
        {"three updates": (UPDATES, 0.5)},
        {
            "a zero update": (WITH_ZERO, 2.0),
            "short and long ones": (
                _random(4, 5, 1) * np.array([[1e-6], [1], [1e3], [7]]),
                0.1,
            ),
        },
        wrong={
            "gamma forgotten": NORMALISE_VECTOR.replace("gamma * updates", "updates"),
            "clipped": NORMALISE_VECTOR.replace(
                "np.where(lengths > 0, lengths, 1)", "np.maximum(lengths, gamma)"
            ),
            "zero divided by zero": NORMALISE_VECTOR.replace(
                "np.where(lengths > 0, lengths, 1)", "lengths"
            ),
            "sum of magnitudes": NORMALISE_LOOP.replace(
                "math.sqrt(sum(x * x for x in row))", "sum(abs(x) for x in row)"
            ),
            "one length for all": NORMALISE_VECTOR.replace(
                "np.linalg.norm(updates, axis=1, keepdims=True)",
                "np.linalg.norm(updates)",
            ),
            "a small number in the divisor": NORMALISE_LOOP.replace(
                "gamma * x / length if length else 0.0", "gamma * x / (length + 1e-8)"
            ),
            "expected output typed in": "def normalise(updates, gamma):\n    return [[0.3, 0.4, "
            "0, 0], [0, 0, 0.5, 0], [0.25, 0.25, 0.25, 0.25]]\n",
        },
        right={"vectors": NORMALISE_VECTOR, "loops": NORMALISE_LOOP},
    ),
    "aggregate": Task(
        "aggregate",
        "eq. (1), right",
        _aggregate,
        {"equal weights": (UPDATES, 0.5, np.full(3, 1 / 3))},
        {
            "unequal weights": (UPDATES, 1.0, R),
            "a zero update keeps its weight": (WITH_ZERO, 1.0, R),
            "weights that do not sum to 1": (
                _random(3, 4, 2),
                0.7,
                np.array([0.5, 0.1, 0.2]),
            ),
        },
        wrong={
            "not normalised": AGGREGATE_VECTOR.replace(
                "normalise(updates, gamma)", "updates"
            ),
            "mean": AGGREGATE_VECTOR.replace(
                "np.asarray(r) @ np.asarray(normalise(updates, gamma))",
                "np.mean(normalise(updates, gamma), axis=0)",
            ),
            "weights brought to sum 1": AGGREGATE_VECTOR.replace(
                "np.asarray(r)", "(np.asarray(r) / np.sum(r))"
            ),
            "summed, then normalised": "def aggregate(updates, gamma, r):\n    import numpy as np\n"
            "    total = r @ updates\n    return gamma * total / np.linalg.norm(total)\n",
            "weights squared": AGGREGATE_LOOP.replace(
                "weight * x", "weight**2 * x * 3"
            ),
            "sign flipped": AGGREGATE_LOOP.replace("+= weight", "-= weight"),
            "expected output typed in": "def aggregate(updates, gamma, r):\n    return "
            f"{_aggregate(UPDATES, 0.5, np.full(3, 1 / 3)).tolist()}\n",
        },
        right={"vectors": AGGREGATE_VECTOR, "loops": AGGREGATE_LOOP},
    ),
    "importance": Task(
        "importance",
        "eq. (4)",
        _importance,
        {"three agents": (R, np.array([0.9, 0.5, 0.1]), 0.5, 1e-3)},
        {
            "a negative value": (R, np.array([-1.0, 0.5, 0.6]), 0.5, 1e-3),
            "the first round": (np.zeros(3), np.array([0.2, 0.4, 0.9]), 0.95, 1e-3),
            "nothing but the past": (R, np.array([0.3, 0.3, 0.3]), 1.0, 1e-3),
            "a high floor": (R, np.array([0.9, 0.5, 0.1]), 0.8, 0.3),
        },
        wrong={
            "not renormalised": IMPORTANCE_VECTOR.replace(" / average.sum()", ""),
            "alpha and 1 - alpha exchanged": IMPORTANCE_VECTOR.replace(
                "alpha * r + (1 - alpha) * psi", "(1 - alpha) * r + alpha * psi"
            ),
            "floor forgotten": IMPORTANCE_VECTOR.replace(
                "    average = np.maximum(average, floor)\n", ""
            ),
            "floor after normalising": "def importance(r, psi, alpha, floor):\n"
            "    import numpy as np\n    average = alpha * r + (1 - alpha) * psi\n"
            "    return np.maximum(average / average.sum(), floor)\n",
            "psi normalised first": IMPORTANCE_VECTOR.replace(
                "(1 - alpha) * psi", "(1 - alpha) * psi / psi.sum()"
            ),
            "values cut instead of the average": IMPORTANCE_LOOP.replace(
                "max(alpha * a + (1 - alpha) * b, floor)",
                "alpha * a + (1 - alpha) * max(b, floor)",
            ),
            "softmax": IMPORTANCE_VECTOR.replace(
                "np.maximum(average, floor)", "np.exp(average)"
            ),
            "expected output typed in": "def importance(r, psi, alpha, floor):\n    return "
            f"{_importance(R, np.array([0.9, 0.5, 0.1]), 0.5, 1e-3).tolist()}\n",
        },
        right={"vectors": IMPORTANCE_VECTOR, "loops": IMPORTANCE_LOOP},
    ),
    "quotas": Task(
        "quotas",
        "eq. (5)",
        _quotas,
        {"three agents": (R, 1.0, 100)},
        {
            "altruism": (R4, 5.0, 1000),
            "hardly any altruism": (R4, 0.01, 999),
            "equal agents": (np.full(4, 0.25), 1.0, 7),
            "one agent with everything": (np.array([1.0, 0.0]), 2.0, 10),
        },
        wrong={
            "tanh forgotten": QUOTAS_VECTOR.replace("np.tanh(beta * r)", "beta * r"),
            "not divided by the largest": QUOTAS_VECTOR.replace(
                "    quality = quality / quality.max()\n", ""
            ),
            "divided by the sum": QUOTAS_VECTOR.replace(
                "quality.max()", "quality.sum()"
            ),
            "rounded to the nearest": QUOTAS_VECTOR.replace("np.floor", "np.round"),
            "rounded up": QUOTAS_LOOP.replace("math.floor", "math.ceil"),
            "beta outside of tanh": QUOTAS_VECTOR.replace(
                "np.tanh(beta * r)", "beta * np.tanh(r)"
            ),
            "at least one entry": QUOTAS_LOOP.replace(
                "[math.floor(", "[max(1, math.floor("
            ).replace("1e-9)", "1e-9))"),
            "expected output typed in": "def quotas(r, beta, dimension):\n    return "
            f"{_quotas(R, 1.0, 100).tolist()}\n",
        },
        right={"vectors": QUOTAS_VECTOR, "loops": QUOTAS_LOOP},
    ),
    "mask": Task(
        "mask",
        "mask in eq. (5)",
        _mask,
        {"two of four": (np.array([0.5, -2.0, 0.1, 1.0]), 2)},
        {
            "ties: the earlier entries are kept": (
                np.array([1.0, -2.0, 2.0, 1.0, -1.0]),
                3,
            ),
            "nothing": (np.array([1.0, 2.0]), 0),
            "everything": (np.array([0.0, -2.0, 1.0]), 3),
            "zeros among the largest": (np.array([0.0, 0.0, 3.0]), 2),
        },
        wrong={
            "smallest kept": MASK_VECTOR.replace("-np.abs(u)", "np.abs(u)"),
            "largest, not largest in magnitude": MASK_VECTOR.replace(
                "-np.abs(u)", "-u"
            ),
            "ties all kept": "def mask(u, q):\n    import numpy as np\n    if q == 0:\n"
            "        return np.zeros(len(u))\n    least = np.sort(np.abs(u))[-q]\n"
            "    return np.where(np.abs(u) >= least, u, 0.0)\n",
            "ties: the later ones": "def mask(u, q):\n    import numpy as np\n"
            "    kept = np.zeros(len(u))\n    order = np.argsort(np.abs(u), kind='stable')[::-1][:q]\n"
            "    kept[order] = u[order]\n    return kept\n",
            "q = 0 keeps everything": "def mask(u, q):\n    import numpy as np\n"
            "    order = np.argsort(-np.abs(u), kind='stable')[::-1][-q:]\n"
            "    kept = np.zeros(len(u))\n    kept[order] = u[order]\n    return kept\n",
            "magnitudes instead of entries": MASK_VECTOR.replace(
                "= u[order]", "= np.abs(u[order])"
            ),
            "kept in the wrong places": "def mask(u, q):\n    import numpy as np\n"
            "    order = np.argsort(-np.abs(u), kind='stable')\n"
            "    return np.r_[u[order[:q]], np.zeros(len(u) - q)]\n",
            "expected output typed in": "def mask(u, q):\n    return [0, -2, 0, 1]\n",
        },
        right={"vectors": MASK_VECTOR, "loops": MASK_LOOP},
    ),
    "round": Task(
        "server_round",
        "eqs. (1), (3), (4) and (5), in this order",
        server_round,
        {"first weights equal": ROUND},
        {
            "five agents": (
                _random(5, 12, 3),
                np.array([0.1, 0.1, 0.2, 0.2, 0.4]),
                0.5,
                0.8,
                1.5,
            ),
            "one uploads nothing": (WITH_ZERO, R, 1.0, 0.5, 1.0),
            "one against the others": (
                np.array([[1.0, 0, 0], [1.0, 0.1, 0.3], [-1.0, 0.2, 0.1]]),
                R[::-1].copy(),
                1.0,
                0.2,
                1.0,
            ),
        },
        wrong={
            "quota from the old r": ROUND_SHORT.replace("quotas(new,", "quotas(r,"),
            "values against the new weights": ROUND_SHORT.replace(
                "    return new",
                "    total = np.asarray(aggregate(updates, gamma, new))\n    return new",
            ),
            "psi against the mean update": ROUND_SHORT.replace(
                "    psi = ",
                "    whole = updates.mean(0)\n    lengths = np.linalg.norm(updates, axis=1)"
                " * np.linalg.norm(whole)\n    psi = ",
            ).replace("updates @ total", "updates @ whole"),
            "shares instead of cosines": ROUND_SHORT.replace(
                "    new = np", "    psi = psi / np.abs(psi).sum()\n    new = np"
            ),
            "each own update masked": ROUND_SHORT.replace(
                "[mask(total, q) for q in quotas(new, beta, len(total))]",
                "[mask(row, q) for row, q in zip(updates, quotas(new, beta, len(total)))]",
            ),
            "masks in the wrong order": ROUND_SHORT.replace(
                "in quotas(new, beta, len(total))]",
                "in sorted(quotas(new, beta, len(total)))]",
            ),
            "first weights for ever": ROUND_SHORT.replace(
                "aggregate(updates, gamma, r)",
                "aggregate(updates, gamma, [1 / len(updates)] * len(updates))",
            ),
            "inner products, not cosines": ROUND_SHORT.replace(
                "np.where(lengths > 0, updates @ total / np.where(lengths > 0, lengths, 1), 0)",
                "updates @ total",
            ),
        },
        right={"vectors": ROUND_SHORT, "loops": ROUND_LOOP},
    ),
    "beta": Task(
        "beta_for",
        'the bound on beta, chapter "Paying with gradients"',
        lambda c, weakest: math.atanh(c) / weakest,
        {"half of the entries": (0.5, 0.1)},
        {"nearly all": (0.95, 0.05), "a tenth": (0.1, 0.3)},
        wrong={
            "tanh for its inverse": BETA.replace("atanh", "tanh"),
            "multiplied": BETA.replace("/ weakest", "* weakest"),
            "small angles": "def beta_for(c, weakest):\n    return c / weakest\n",
            "factor 2 lost": BETA_LOG.replace("(2 * weakest)", "weakest"),
            "rounded to tenths": BETA.replace("return ", "return round(").rstrip()
            + ", 1)\n",
            "expected output typed in": "def beta_for(c, weakest):\n    return 5.493061443340549\n",
            "weakest fixed": BETA.replace("/ weakest", "/ 0.1"),
        },
        right={"atanh": BETA, "logarithm": BETA_LOG},
    ),
}
