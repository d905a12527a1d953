"""Problem set 4: attack and defend."""

import numpy as np
from scipy import optimize

from book.assignments.grading.task import Task


def _cosine(a, b):
    length = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / length) if length > 1e-12 else 0.0


def _unit(updates):
    lengths = np.linalg.norm(updates, axis=1, keepdims=True)
    return updates / np.where(lengths > 0, lengths, 1)


def psi(updates, r):
    u = _unit(updates)
    return np.array([_cosine(row, r @ u) for row in u])


def best_upload(others, r, gamma):
    total = r @ _unit(others)
    length = np.linalg.norm(total)
    return gamma * total / length if length > 1e-12 else np.zeros(len(total))


def copies_share(updates, copier, names):
    copied = np.vstack(
        [updates, np.repeat(updates[copier : copier + 1], names - 1, axis=0)]
    )
    values = np.maximum(psi(copied, np.full(len(copied), 1 / len(copied))), 0)
    mine = values[copier] + values[len(updates) :].sum()
    return float(mine / values.sum())


def without_self(updates, r):
    u = _unit(updates)
    total = r @ u
    return np.array([_cosine(u[i], total - r[i] * u[i]) for i in range(len(u))])


def shared_weights(updates, r, power):
    u = _unit(updates)
    alike = np.clip(u @ u.T, 0, 1) ** power
    np.fill_diagonal(alike, 1)
    weights = r / alike.sum(1)
    return weights / weights.sum()


def residuals(updates):
    found = []
    for i, row in enumerate(updates):
        others = np.delete(updates, i, axis=0)
        _, rest = optimize.nnls(others.T, row)
        found.append(rest / np.linalg.norm(row))
    return np.array(found)


def _random(n: int, d: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).round(3)


FLAT = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 2.0]])
THREE = np.full(3, 1 / 3)
R4 = np.array([0.1, 0.2, 0.3, 0.4])
ALIKE = np.array([[1.0, 1, 0], [2, 0, 2], [0, 1, 1]])
KNOWING = np.vstack([_random(3, 6, 7), _random(3, 6, 7).sum(0, keepdims=True)])

COSINE = """
def _cos(a, b):
    import numpy as np
    length = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / length) if length > 1e-12 else 0.0

def _unit(updates):
    import numpy as np
    lengths = np.linalg.norm(updates, axis=1, keepdims=True)
    return updates / np.where(lengths > 0, lengths, 1)
"""
BEST = """
def best_upload(others, r, gamma):
    import numpy as np
    lengths = np.linalg.norm(others, axis=1, keepdims=True)
    total = r @ (others / np.where(lengths > 0, lengths, 1))
    length = np.linalg.norm(total)
    return gamma * total / length if length > 1e-12 else np.zeros(len(total))
"""
BEST_LOOP = """
def best_upload(others, r, gamma):
    import math
    total = [0.0] * len(others[0])
    for weight, row in zip(r, others):
        length = math.sqrt(sum(x * x for x in row))
        for k, x in enumerate(row):
            total[k] += weight * x / length if length else 0.0
    length = math.sqrt(sum(x * x for x in total))
    return [gamma * x / length if length > 1e-12 else 0.0 for x in total]
"""
COPIES = (
    COSINE
    + """
def copies_share(updates, copier, names):
    import numpy as np
    everyone = np.vstack([updates, np.repeat(updates[[copier]], names - 1, axis=0)])
    total = _unit(everyone).mean(0)
    values = np.array([max(_cos(row, total), 0) for row in everyone])
    mine = values[copier] + values[len(updates):].sum()
    return mine / values.sum()
"""
)
COPIES_COUNT = (
    COSINE
    + """
def copies_share(updates, copier, names):
    import numpy as np
    counts = np.ones(len(updates))
    counts[copier] = names
    total = counts @ _unit(updates)
    values = np.array([max(_cos(row, total), 0) for row in updates]) * counts
    return float(values[copier] / values.sum())
"""
)
WITHOUT = (
    COSINE
    + """
def without_self(updates, r):
    u = _unit(updates)
    total = r @ u
    return [_cos(row, total - weight * row) for row, weight in zip(u, r)]
"""
)
WITHOUT_LOOP = (
    COSINE
    + """
def without_self(updates, r):
    import numpy as np
    u, found = _unit(updates), []
    for i in range(len(u)):
        keep = np.arange(len(u)) != i
        found.append(_cos(u[i], r[keep] @ u[keep]))
    return np.array(found)
"""
)
SHARED = (
    COSINE
    + """
def shared_weights(updates, r, power):
    import numpy as np
    u = _unit(updates)
    alike = np.clip(u @ u.T, 0, 1) ** power
    np.fill_diagonal(alike, 1)
    weights = r / alike.sum(1)
    return weights / weights.sum()
"""
)
SHARED_LOOP = (
    COSINE
    + """
def shared_weights(updates, r, power):
    weights = []
    for i, row in enumerate(updates):
        crowd = sum(1.0 if i == j else max(_cos(row, other), 0.0) ** power
                    for j, other in enumerate(updates))
        weights.append(float(r[i]) / crowd)
    return [weight / sum(weights) for weight in weights]
"""
)
RESIDUALS = """
def residuals(updates):
    import numpy as np
    from scipy.optimize import nnls
    found = []
    for i, row in enumerate(updates):
        _, rest = nnls(np.delete(updates, i, axis=0).T, row)
        found.append(rest / np.linalg.norm(row))
    return found
"""
RESIDUALS_BOUNDS = """
def residuals(updates):
    import numpy as np
    from scipy.optimize import lsq_linear
    found = np.zeros(len(updates))
    for i in range(len(updates)):
        others = updates[[j for j in range(len(updates)) if j != i]]
        fit = lsq_linear(others.T, updates[i], bounds=(0, np.inf), tol=1e-14)
        found[i] = np.linalg.norm(others.T @ fit.x - updates[i]) / np.linalg.norm(updates[i])
    return found
"""


def _typed(name: str, arguments: str, value) -> str:
    return (
        f"def {name}({arguments}):\n    return {np.asarray(value).round(12).tolist()}\n"
    )


TASKS = {
    "best-upload": Task(
        "best_upload",
        "psi_i = cos(u_i, u_N), and which u_i makes it largest",
        best_upload,
        {"two others": (FLAT[:2], np.full(2, 0.5), 1.0)},
        {
            "unequal lengths and weights": (_random(4, 5, 1) * 3, R4, 0.5),
            "the others cancel": (
                np.array([[1.0, 0], [-2.0, 0]]),
                np.full(2, 0.5),
                1.0,
            ),
            "another uploads nothing": (
                np.array([[1.0, 2.0], [0, 0]]),
                np.full(2, 0.5),
                2.0,
            ),
        },
        wrong={
            "not normalised before the sum": BEST.replace(
                "(others / np.where(lengths > 0, lengths, 1))", "others"
            ),
            "weights forgotten": BEST.replace("r @ (", "np.ones(len(r)) @ ("),
            "length forgotten": BEST.replace(
                "gamma * total / length", "total / length"
            ),
            "not brought to length": BEST.replace(
                "gamma * total / length", "gamma * total"
            ),
            "sign flipped": BEST.replace("gamma * total", "-gamma * total"),
            "division by zero": BEST.replace(
                " if length > 1e-12 else np.zeros(len(total))", ""
            ),
            "the strongest agent's update": "def best_upload(others, r, gamma):\n"
            "    import numpy as np\n    row = others[np.argmax(r)]\n"
            "    return gamma * row / np.linalg.norm(row)\n",
            "expected output typed in": _typed(
                "best_upload",
                "others, r, gamma",
                best_upload(FLAT[:2], np.full(2, 0.5), 1.0),
            ),
        },
        right={"vectors": BEST, "loops": BEST_LOOP},
    ),
    "copies": Task(
        "copies_share",
        'several names for one agent, chapter "When agents cheat"',
        copies_share,
        {"one name": (FLAT, 0, 1), "two names": (FLAT, 0, 2)},
        {
            "five names in four agents": (_random(4, 8, 2), 2, 5),
            "one against the others": (np.array([[1.0, 0], [1, 0.2], [-1, 0.1]]), 2, 2),
            "orthogonal agents": (np.eye(3), 1, 3),
        },
        wrong={
            "own cell only": COPIES.replace(
                "    mine = values[copier] + values[len(updates):].sum()",
                "    mine = values[copier]",
            ),
            "copies added to the names": COPIES.replace("names - 1", "names"),
            "values not cut at 0": COPIES.replace(
                "max(_cos(row, total), 0)", "_cos(row, total)"
            ),
            "sum without the copies": COPIES.replace(
                "_unit(everyone).mean(0)", "_unit(updates).mean(0)"
            ),
            "updates not normalised": COPIES.replace(
                "_unit(everyone).mean(0)", "everyone.mean(0)"
            ),
            "not a share": COPIES.replace("mine / values.sum()", "mine"),
            "in percent": COPIES.replace(
                "mine / values.sum()", "100 * mine / values.sum()"
            ),
            "at most two names": COPIES.replace("names - 1", "min(names, 2) - 1"),
        },
        right={"copies": COPIES, "counts": COPIES_COUNT},
    ),
    "without-self": Task(
        "without_self",
        "valuing against the sum of the others",
        without_self,
        {"three agents": (FLAT, THREE)},
        {
            "unequal weights": (_random(4, 6, 3), R4),
            "nobody else": (np.array([[1.0, 2.0]]), np.array([1.0])),
            "an agent without an update": (np.array([[1.0, 2], [0, 0], [2, 1]]), THREE),
        },
        wrong={
            "with the agent itself": WITHOUT.replace("total - weight * row", "total"),
            "weight forgotten": WITHOUT.replace(
                "total - weight * row", "total - row / len(r)"
            ),
            "not normalised": WITHOUT.replace("u = _unit(updates)", "u = updates"),
            "division by zero": WITHOUT.replace(" if length > 1e-12 else 0.0", ""),
            "inner product": WITHOUT.replace("a @ b / length", "a @ b"),
            "negative values cut": WITHOUT.replace(
                "[_cos(row, total - weight * row)",
                "[max(_cos(row, total - weight * row), 0.0)",
            ),
            "mean of cosines": COSINE
            + "def without_self(updates, r):\n    n = len(updates)\n"
            "    return [sum(_cos(updates[i], updates[j]) for j in range(n) if j != i)"
            " / max(n - 1, 1) for i in range(n)]\n",
            "expected output typed in": _typed(
                "without_self", "updates, r", without_self(FLAT, THREE)
            ),
        },
        right={"difference": WITHOUT, "left out": WITHOUT_LOOP},
    ),
    "shared-weights": Task(
        "shared_weights",
        'a crowd counts once, chapter "When agents cheat"',
        shared_weights,
        {
            "two equal ones and another": (
                np.array([[1.0, 0], [2.0, 0], [0, 1.0]]),
                THREE,
                8.0,
            )
        },
        {
            "unequal weights": (_random(4, 3, 4), R4, 2.0),
            "opposite updates are not alike": (
                np.array([[1.0, 0], [-1, 0.1]]),
                np.array([0.3, 0.7]),
                1.0,
            ),
            "odd powers": (_random(3, 4, 5), THREE, 3.0),
        },
        wrong={
            "opposites are alike": SHARED.replace(
                "np.clip(u @ u.T, 0, 1)", "abs(u @ u.T)"
            ),
            "power forgotten": SHARED.replace(" ** power", ""),
            "not renormalised": SHARED.replace(
                "return weights / weights.sum()", "return weights"
            ),
            "lengths count": SHARED.replace("u = _unit(updates)", "u = updates"),
            "r forgotten": SHARED.replace("r / alike.sum(1)", "1 / alike.sum(1)"),
            "without the agent itself": SHARED.replace(
                "r / alike.sum(1)", "r / np.maximum(alike.sum(1) - 1, 1)"
            ),
            "multiplied": SHARED.replace("r / alike", "r * alike"),
            "expected output typed in": _typed(
                "shared_weights",
                "updates, r, power",
                shared_weights(np.array([[1.0, 0], [2.0, 0], [0, 1.0]]), THREE, 8.0),
            ),
        },
        right={"vectors": SHARED, "loops": SHARED_LOOP},
    ),
    "residuals": Task(
        "residuals",
        "non-negative least squares on the others' uploads",
        residuals,
        {"three alike": (ALIKE,)},
        {
            "the last knows all": (KNOWING,),
            "nobody knows": (_random(4, 9, 8),),
            "a negative multiple is no copy": (
                np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 1]]),
            ),
            "a scaled copy": (np.array([[1.0, 2, 0], [2, 4, 0], [0, 1, 1]]),),
        },
        wrong={
            "any coefficients": "def residuals(updates):\n    import numpy as np\n"
            "    found = []\n    for i, row in enumerate(updates):\n"
            "        others = np.delete(updates, i, 0).T\n"
            "        x = np.linalg.lstsq(others, row, rcond=None)[0]\n"
            "        found.append(np.linalg.norm(others @ x - row) / np.linalg.norm(row))\n"
            "    return found\n",
            "not relative": RESIDUALS.replace("rest / np.linalg.norm(row)", "rest"),
            "squared": RESIDUALS.replace(
                "rest / np.linalg.norm(row)", "(rest / np.linalg.norm(row)) ** 2"
            ),
            "with itself": RESIDUALS.replace(
                "np.delete(updates, i, axis=0).T", "updates.T"
            ),
            "sum of the others only": "def residuals(updates):\n    import numpy as np\n"
            "    rows = np.asarray(updates)\n    whole = rows.sum(0)\n    found = []\n"
            "    for row in rows:\n        other = whole - row\n"
            "        c = max(row @ other / (other @ other), 0)\n"
            "        found.append(np.linalg.norm(row - c * other) / np.linalg.norm(row))\n"
            "    return found\n",
            "relative to the largest": RESIDUALS.replace(
                "np.linalg.norm(row)", "max(np.linalg.norm(x) for x in updates)"
            ),
            "relative to the fit": RESIDUALS.replace(
                "        found.append(rest / np.linalg.norm(row))",
                "        found.append(rest / (np.linalg.norm(row) + rest))",
            ),
            "expected output typed in": _typed(
                "residuals", "updates", residuals(ALIKE)
            ),
        },
        right={"nnls": RESIDUALS, "bounds": RESIDUALS_BOUNDS},
        tolerance=1e-6,
    ),
}
