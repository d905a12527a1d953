"""Problem set 1: Shapley values and the cosine gradient Shapley value."""

import numpy as np

from book.assignments.grading.task import Task
from fairfl import cgsv, shapley

GLOVES = np.array(
    [0.0, 0, 0, 0, 0, 1, 1, 1]
)  # agents 0 and 1 hold a left glove, 2 a right
CLINICS = np.array([0.0, 2, 1, 6, 0, 4, 3, 12])  # the game of task 1
UNANIMOUS = np.array([0.0, 0, 0, 6])
OFFSET = np.array([2.0, 3, 5, 12])
UPDATES = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
OPPOSED = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 3.0]])


def _random(n: int, d: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).round(3)


def _sums(updates: np.ndarray) -> np.ndarray:
    n = len(updates)
    inside = (np.arange(2**n)[:, None] >> np.arange(n)) % 2
    return inside @ updates


def cosine_game(updates: np.ndarray) -> np.ndarray:
    sums = _sums(updates)
    whole = sums[-1]
    lengths = np.linalg.norm(sums, axis=1) * np.linalg.norm(whole)
    return np.divide(
        sums @ whole, lengths, out=np.zeros(len(sums)), where=lengths > 1e-12
    )


def sampled_value(values: np.ndarray, orders: list[list[int]]) -> np.ndarray:
    total = np.zeros(int(np.log2(len(values))))
    for order in orders:
        coalition = 0
        for agent in order:
            total[agent] += values[coalition | 1 << agent] - values[coalition]
            coalition |= 1 << agent
    return total / len(orders)


SHAPLEY_LOOP = """
def shapley_value(values):
    from math import factorial
    n = len(values).bit_length() - 1
    phi = [0.0] * n
    for i in range(n):
        for s in range(2**n):
            if s >> i & 1:
                continue
            size = bin(s).count("1")
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            phi[i] += weight * (values[s | 1 << i] - values[s])
    return phi
"""
SHAPLEY_ORDERS = """
def shapley_value(values):
    import itertools
    import numpy as np
    n = int(np.log2(len(values)))
    phi = np.zeros(n)
    orders = list(itertools.permutations(range(n)))
    for order in orders:
        s = 0
        for i in order:
            phi[i] += values[s + 2**i] - values[s]
            s += 2**i
    return phi / len(orders)
"""
GAME_VECTOR = """
def cosine_game(updates):
    import numpy as np
    n = len(updates)
    inside = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    sums = inside @ updates
    whole = updates.sum(0)
    norms = np.linalg.norm(sums, axis=1) * np.linalg.norm(whole)
    there = norms > 1e-12
    return np.where(there, sums @ whole / np.where(there, norms, 1), 0.0)
"""
GAME_LOOP = """
def cosine_game(updates):
    import math
    n = len(updates)
    whole = [sum(float(row[k]) for row in updates) for k in range(len(updates[0]))]
    values = []
    for s in range(2**n):
        u = [sum(float(updates[i][k]) for i in range(n) if s >> i & 1)
             for k in range(len(whole))]
        length = math.hypot(*u) * math.hypot(*whole)
        inner = sum(a * b for a, b in zip(u, whole))
        values.append(inner / length if length > 1e-12 else 0.0)
    return values
"""
CGSV_SHORT = """
def cgsv(updates):
    return shapley_value(cosine_game(updates))
"""
PSI_VECTOR = """
def psi(updates, r):
    import numpy as np
    whole = r @ updates
    lengths = np.linalg.norm(updates, axis=1) * np.linalg.norm(whole)
    there = lengths > 1e-12
    return np.where(there, updates @ whole / np.where(there, lengths, 1), 0.0)
"""
PSI_LOOP = """
def psi(updates, r):
    import math
    import numpy as np
    whole = sum(weight * row for weight, row in zip(r, updates))
    found = []
    for row in updates:
        length = math.sqrt(float(row @ row)) * math.sqrt(float(whole @ whole))
        found.append(float(row @ whole) / length if length > 1e-12 else 0.0)
    return found
"""
SAMPLED_LOOP = """
def sampled_value(values, orders):
    n = len(orders[0])
    phi = [0.0] * n
    for order in orders:
        s = 0
        for i in order:
            phi[i] += (values[s | 1 << i] - values[s]) / len(orders)
            s |= 1 << i
    return phi
"""
SAMPLED_VECTOR = """
def sampled_value(values, orders):
    import numpy as np
    orders = np.asarray(orders)
    steps = np.cumsum(2**orders, axis=1)
    before = np.concatenate([np.zeros((len(orders), 1), int), steps[:, :-1]], 1)
    values = np.asarray(values)
    gains = values[steps] - values[before]
    phi = np.zeros(orders.shape[1])
    np.add.at(phi, orders, gains)
    return phi / len(orders)
"""


TASKS = {
    "by-hand": Task(
        "by_hand",
        'the formula of the Shapley value, chapter "Who contributed?"',
        lambda: shapley.exact(CLINICS),
        {},
        {"the three values": ()},
        wrong={
            "equal shares": "def by_hand():\n    return [4, 4, 4]\n",
            "last marginal contributions": "def by_hand():\n    return [9, 8, 6]\n",
            "worth alone": "def by_hand():\n    return [2, 1, 0]\n",
            "all coalitions alike": "def by_hand():\n    return [5, 4, 2.5]\n",
            "wrong order": "def by_hand():\n    return [16/6, 25/6, 31/6]\n",
            "rounded": "def by_hand():\n    return [5.2, 4.2, 2.6]\n",
        },
        right={
            "fractions": "def by_hand():\n    return [31/6, 25/6, 16/6]\n",
            "decimals": "def by_hand():\n    return (5.166667, 4.166667, 2.666667)\n",
        },
        tolerance=1e-4,
    ),
    "shapley": Task(
        "shapley_value",
        'the formula of the Shapley value, chapter "Who contributed?"',
        lambda values: shapley.exact(np.array(values)),
        {"gloves": (GLOVES,), "two agents who need each other": (UNANIMOUS,)},
        {
            "four agents": (_random(1, 16, 1)[0],),
            "an empty coalition that is worth something": (OFFSET,),
            "one agent": ([0.0, 3.0],),
        },
        wrong={
            "weights of subsets forgotten": SHAPLEY_LOOP.replace(
                "weight = factorial(size) * factorial(n - size - 1) / factorial(n)",
                "weight = 1 / 2**(n - 1)",
            ),
            "sign flipped": SHAPLEY_LOOP.replace(
                "values[s | 1 << i] - values[s]", "values[s] - values[s | 1 << i]"
            ),
            "factorials swapped": SHAPLEY_LOOP.replace(
                "factorial(n - size - 1)", "factorial(n - size)"
            ),
            "forced to sum to v(N)": SHAPLEY_LOOP.replace(
                "    return phi",
                "    total = sum(phi)\n"
                "    return [x * values[-1] / total for x in phi]",
            ),
            "first agent is the highest bit": SHAPLEY_LOOP.replace(
                "    return phi", "    return phi[::-1]"
            ),
            "expected output typed in": "def shapley_value(values):\n    return "
            "[1/6, 1/6, 2/3] if len(values) == 8 else [3, 3]\n",
        },
        right={"subsets": SHAPLEY_LOOP, "orders": SHAPLEY_ORDERS},
    ),
    "game": Task(
        "cosine_game",
        'v(S) = cos(u_S, u_N), chapter "Cosine gradient Shapley value"',
        cosine_game,
        {"two directions": (UPDATES,)},
        {
            "four agents": (_random(4, 6, 2),),
            "a coalition whose updates cancel": (OPPOSED,),
            "nobody moves": (np.zeros((2, 3)),),
        },
        wrong={
            "inner product": GAME_VECTOR.replace(
                "norms = np.linalg.norm(sums, axis=1) * np.linalg.norm(whole)",
                "norms = np.ones(len(sums))",
            ),
            "mean instead of sum of cosines": GAME_LOOP.replace(
                "inner / length if length > 1e-12",
                "inner / (length + 1) if length > 1e-12",
            ),
            "empty coalition worth 1": GAME_LOOP.replace(
                "    return values", "    values[0] = 1.0\n    return values"
            ),
            "division by zero": GAME_VECTOR.replace(
                "np.where(there, sums @ whole / np.where(there, norms, 1), 0.0)",
                "np.r_[0.0, (sums[1:] @ whole) / norms[1:]]",
            ),
            "cancelling counts as 1": GAME_LOOP.replace(
                "else 0.0", "else float(s > 0)"
            ),
            "updates brought to length 1": GAME_LOOP.replace(
                "    n = len(updates)",
                "    n = len(updates)\n    updates = [row / (row @ row) ** 0.5 for row in updates]",
            ),
            "expected output typed in": "def cosine_game(updates):\n    return "
            f"{[round(float(x), 12) for x in cosine_game(UPDATES)]}\n",
        },
        right={"vectors": GAME_VECTOR, "loops": GAME_LOOP},
    ),
    "cgsv": Task(
        "cgsv",
        "eq. (2)",
        lambda updates: cgsv.exact(cgsv.gram(np.array(updates))),
        {"two directions": (UPDATES,)},
        {
            "four agents": (_random(4, 6, 3),),
            "two who cancel": (OPPOSED,),
            "one against the others": (np.array([[1.0, 0], [1.0, 0.1], [-0.5, 0.2]]),),
        },
        wrong={
            "psi": "def cgsv(updates):\n    return psi(updates, [1.0] * len(updates))\n"
            + PSI_LOOP,
            "normalised to sum 2": "def cgsv(updates):\n    import numpy as np\n"
            "    return 2 * np.array(shapley_value(cosine_game(updates)))\n",
            "shares of lengths": "def cgsv(updates):\n    import numpy as np\n"
            "    x = np.linalg.norm(updates, axis=1)\n    return x / x.sum()\n",
            "leave one out": "def cgsv(updates):\n    v = cosine_game(updates)\n"
            "    n = len(updates)\n    return [v[-1] - v[2**n - 1 - 2**i] for i in range(n)]\n",
            "negative values cut": "def cgsv(updates):\n    import numpy as np\n"
            "    return np.maximum(shapley_value(cosine_game(updates)), 0)\n",
            "rounded": "def cgsv(updates):\n    import numpy as np\n"
            "    return np.round(shapley_value(cosine_game(updates)), 3)\n",
            "expected output typed in": "def cgsv(updates):\n    return "
            f"{[round(float(x), 12) for x in cgsv.exact(cgsv.gram(UPDATES))]}\n",
        },
        right={
            "short": CGSV_SHORT,
            "all in one": SHAPLEY_ORDERS.replace("shapley_value", "_value")
            + GAME_LOOP.replace("cosine_game", "_game")
            + "\ndef cgsv(updates):\n    return list(_value(_game(updates)))\n",
        },
    ),
    "psi": Task(
        "psi",
        "eq. (3)",
        lambda updates, r: cgsv.cosine(
            np.array(updates), np.array(r) @ np.array(updates)
        ),
        {
            "equal weights": (UPDATES, np.full(3, 1 / 3)),
            "weights": (UPDATES, np.array([0.5, 0.3, 0.2])),
        },
        {
            "unequal weights": (_random(4, 6, 4), np.array([0.1, 0.2, 0.3, 0.4])),
            "an agent without an update": (
                np.array([[1.0, 2], [0, 0], [2, 1]]),
                np.full(3, 1 / 3),
            ),
            "the sum cancels": (np.array([[1.0, 0], [-1.0, 0]]), np.full(2, 0.5)),
        },
        wrong={
            "weights forgotten": PSI_VECTOR.replace("r @ updates", "updates.sum(0)"),
            "not divided by the length of u_i": PSI_VECTOR.replace(
                "np.linalg.norm(updates, axis=1) * np.linalg.norm(whole)",
                "np.ones(len(updates)) * np.linalg.norm(whole)",
            ),
            "zero update not caught": "def psi(updates, r):\n    import numpy as np\n"
            "    whole = r @ updates\n    return updates @ whole / np.linalg.norm(updates, axis=1)"
            " / np.linalg.norm(whole)\n",
            "r inside the cosine's sign": PSI_VECTOR.replace(
                "updates @ whole", "abs(updates @ whole)"
            ),
            "shares instead of cosines": PSI_VECTOR.replace(
                "    return ", "    found = "
            )
            + "    return found / found.sum()\n",
            "expected output typed in": "def psi(updates, r):\n    return "
            f"{[round(float(x), 12) for x in cgsv.cosine(UPDATES, UPDATES.mean(0))]}\n",
        },
        right={"vectors": PSI_VECTOR, "loops": PSI_LOOP},
    ),
    "sampling": Task(
        "sampled_value",
        'the estimator by permutations, chapter "Who contributed?"',
        sampled_value,
        {"two orders": (GLOVES, [[0, 1, 2], [2, 1, 0]])},
        {
            "five orders of four agents": (
                _random(1, 16, 5)[0],
                [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2], [2, 3, 0, 1]],
            ),
            "an empty coalition that is worth something": (OFFSET, [[0, 1]]),
        },
        wrong={
            "not divided by the number of orders": SAMPLED_LOOP.replace(
                " / len(orders)", ""
            ),
            "divided by the number of agents": SAMPLED_LOOP.replace(
                "/ len(orders)", "/ n"
            ),
            "place instead of agent": SAMPLED_LOOP.replace(
                "for i in order:", "for place, i in enumerate(order):"
            ).replace("phi[i] +=", "phi[place] +="),
            "coalition never grows": SAMPLED_LOOP.replace("s |= 1 << i", "pass"),
            "last order only": SAMPLED_LOOP.replace(
                "for order in orders:", "for order in orders[-1:] * len(orders):"
            ),
            "starts from nothing worth 0": SAMPLED_LOOP.replace(
                "values[s])", "(values[s] if s else 0))"
            ),
            "expected output typed in": "def sampled_value(values, orders):\n"
            "    return [0.0, 0.5, 0.5]\n",
        },
        right={"loops": SAMPLED_LOOP, "vectors": SAMPLED_VECTOR},
    ),
}
