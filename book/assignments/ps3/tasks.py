"""Problem set 3: run a federation and judge it."""

import math
from functools import cache

import numpy as np
from scipy import stats

from book.assignments.grading.task import Task
from fairfl import datasets, metrics, partition, runs

ALONE = np.array([0.50, 0.60, 0.70, 0.80])
TOGETHER = np.array([0.85, 0.86, 0.88, 0.90])


@cache
def accuracies(mechanism: str, seed: int):
    wanted = runs.recommended(
        "digits",
        "pow",
        agents=4,
        size=60,
        rounds=8,
        mechanism=mechanism,
        seed=seed,
        evaluate_every=4,
    )
    return runs.run(wanted).history["test_accuracy"][-1]


def label_counts(agents: int, size: int, seed: int):
    shards = partition.dirichlet(datasets.load("digits"), agents, size, seed)
    return partition.class_counts(shards, 10)


def is_noise(accuracy, samples):
    p = np.mean(accuracy)
    return bool(np.ptp(accuracy) <= 2 * math.sqrt(p * (1 - p) / samples))


def interval(differences, confidence):
    x = np.asarray(differences)
    half = (
        stats.t.ppf((1 + confidence) / 2, len(x) - 1)
        * x.std(ddof=1)
        / math.sqrt(len(x))
    )
    return [x.mean() - half, x.mean() + half]


def verdict(differences, margin):
    low, high = interval(differences, 0.95)
    if low > margin:
        return "holds"
    return "fails" if high < margin else "cannot tell"


ACCURACIES = """
def accuracies(mechanism, seed):
    from fairfl import runs
    settings = runs.recommended("digits", "pow", agents=4, size=60, rounds=8,
                                mechanism=mechanism, seed=seed, evaluate_every=4)
    return runs.run(settings).history["test_accuracy"][-1]
"""
ACCURACIES_LOOP = """
def accuracies(mechanism, seed):
    from fairfl import probes, runs
    settings = runs.recommended("digits", "pow", agents=4, size=60, rounds=8,
                                mechanism=mechanism, seed=seed)
    federation = runs.federation(settings)
    for snapshot in federation.rounds(8):
        last = snapshot
    return [float(x) for x in probes.test_accuracy(federation, last)["test_accuracy"]]
"""
COUNTS = """
def label_counts(agents, size, seed):
    from fairfl import datasets, partition
    shards = partition.dirichlet(datasets.load("digits"), agents, size, seed)
    return [[int((shard.y == k).sum()) for k in range(10)] for shard in shards]
"""
COUNTS_BINS = """
def label_counts(agents, size, seed):
    import numpy as np
    from fairfl import datasets, partition
    data = datasets.load("digits")
    shards = partition.partition("dirichlet", data, agents, size, seed)
    return np.array([np.bincount(shard.y.numpy(), minlength=10) for shard in shards])
"""
FAIRNESS = """
def fairness(alone, together):
    import numpy as np
    if np.ptp(alone) < 1e-12 or np.ptp(together) < 1e-12:
        return float("nan")
    return 100 * np.corrcoef(alone, together)[0, 1]
"""
FAIRNESS_SUMS = """
def fairness(alone, together):
    a = [x - sum(alone) / len(alone) for x in alone]
    b = [x - sum(together) / len(together) for x in together]
    aa, bb = sum(x * x for x in a), sum(x * x for x in b)
    if aa < 1e-20 or bb < 1e-20:
        return float("nan")
    return 100 * sum(x * y for x, y in zip(a, b)) / (aa * bb) ** 0.5
"""
NOISE = """
def is_noise(accuracy, samples):
    import numpy as np
    p = np.mean(accuracy)
    return bool(np.max(accuracy) - np.min(accuracy) <= 2 * np.sqrt(p * (1 - p) / samples))
"""
NOISE_PLAIN = """
def is_noise(accuracy, samples):
    p = sum(accuracy) / len(accuracy)
    error = (p * (1 - p) / samples) ** 0.5
    return float(max(accuracy) - min(accuracy)) <= float(2 * error)
"""
GAIN = """
def worse_off(alone, together):
    return int(sum(b < a for a, b in zip(alone, together)))
"""
GAIN_NUMPY = """
def worse_off(alone, together):
    import numpy as np
    return int(np.count_nonzero(np.asarray(together) - np.asarray(alone) < 0))
"""
INTERVAL = """
def interval(differences, confidence):
    import numpy as np
    from scipy import stats
    x = np.asarray(differences)
    half = stats.t.ppf((1 + confidence) / 2, len(x) - 1) * x.std(ddof=1) / len(x) ** 0.5
    return x.mean() - half, x.mean() + half
"""
INTERVAL_SCIPY = """
def interval(differences, confidence):
    from scipy import stats
    found = stats.ttest_1samp(differences, 0).confidence_interval(confidence)
    return [float(found.low), float(found.high)]
"""
VERDICT = """
def verdict(differences, margin):
    low, high = interval(differences, 0.95)
    if low > margin:
        return "holds"
    if high < margin:
        return "fails"
    return "cannot tell"
"""
VERDICT_SHORT = """
def verdict(differences, margin):
    low, high = interval(differences, 0.95)
    return "holds" if margin < low else "fails" if margin > high else "cannot tell"
"""

SIX = [0.4, 1.1, 0.7, 0.9, 0.2, 1.5]

TASKS = {
    "run": Task(
        "accuracies",
        "`runs.recommended` and `runs.run`",
        accuracies,
        {"cgsv, seed 0": ("cgsv", 0)},
        {"standalone, seed 1": ("standalone", 1), "fedavg, seed 2": ("fedavg", 2)},
        wrong={
            "seed forgotten": ACCURACIES.replace("seed=seed", "seed=0"),
            "mechanism forgotten": ACCURACIES.replace(
                "mechanism=mechanism", 'mechanism="cgsv"'
            ),
            "the server's model": ACCURACIES.replace(
                '"test_accuracy"', '"server_test_accuracy"'
            ),
            "first round": ACCURACIES.replace("[-1]", "[0]"),
            "in percent": ACCURACIES.replace("return ", "return 100 * "),
            "mean over the agents": ACCURACIES.replace("[-1]", "[-1].mean()"),
            "another partition": ACCURACIES.replace('"pow"', '"uni"'),
        },
        right={"runs": ACCURACIES, "loop": ACCURACIES_LOOP},
        tolerance=0.005,
        seconds=90.0,
    ),
    "partition": Task(
        "label_counts",
        'Dirichlet mixtures in the chapter "Data and partitions"',
        label_counts,
        {"three agents": (3, 30, 0)},
        {"five agents, seed 4": (5, 40, 4), "one agent": (1, 20, 0)},
        wrong={
            "uniform": COUNTS.replace("partition.dirichlet(", "partition.uniform("),
            "size forgotten": COUNTS.replace(
                "agents, size, seed)\n", "agents, 30, seed)\n"
            ),
            "transposed": COUNTS_BINS.replace(
                "for shard in shards])", "for shard in shards]).T"
            ),
            "seed forgotten": COUNTS.replace("size, seed)", "size, 0)").replace(
                "agents, size, 0):", "agents, size, seed):"
            ),
            "fractions": COUNTS_BINS.replace("minlength=10)", "minlength=10) / size"),
            "as many classes as there are": COUNTS_BINS.replace(
                ", minlength=10", ", minlength=10"
            )
            .replace("np.array(", "np.trim_zeros(np.array(")
            .replace("shards])", "shards]).sum(0))"),
        },
        right={"loops": COUNTS, "bins": COUNTS_BINS},
    ),
    "fairness": Task(
        "fairness",
        'rho in the chapter "Accuracy and fairness"',
        metrics.fairness,
        {"four agents": (ALONE, TOGETHER)},
        {
            "the other way round": (ALONE, TOGETHER[::-1].copy()),
            "equal models: not defined": (ALONE, np.full(4, 0.9)),
            "equal agents: not defined": (np.full(4, 0.1) + 0.2, TOGETHER),
            "three agents": (np.array([0.5, 0.9, 0.6]), np.array([0.7, 0.72, 0.73])),
        },
        wrong={
            "not times 100": FAIRNESS.replace("100 * ", ""),
            "ranks": "def fairness(alone, together):\n    from scipy import stats\n"
            "    return 100 * stats.spearmanr(alone, together)[0]\n",
            "covariance": FAIRNESS.replace("np.corrcoef", "np.cov"),
            "equal models are perfectly fair": FAIRNESS.replace(
                'float("nan")', "100.0"
            ),
            "equal models are 0": FAIRNESS.replace('float("nan")', "0.0"),
            "absolute value": FAIRNESS.replace("100 * ", "100 * abs(").rstrip() + ")\n",
            "gains instead of accuracies": FAIRNESS.replace(
                "    import numpy as np",
                "    import numpy as np\n    together = np.asarray(together) - alone",
            ),
            "expected output typed in": f"def fairness(alone, together):\n    return {float(metrics.fairness(ALONE, TOGETHER))}\n",
        },
        right={"corrcoef": FAIRNESS, "sums": FAIRNESS_SUMS},
    ),
    "noise": Task(
        "is_noise",
        "the standard error of an accuracy",
        is_noise,
        {
            "half a point on 600 samples": ([0.950, 0.952, 0.955], 600),
            "ten points": ([0.80, 0.85, 0.90], 600),
        },
        {
            "the same half point on 100,000": ([0.950, 0.952, 0.955], 100_000),
            "just within": ([0.50, 0.535], 600),
            "just outside": ([0.50, 0.545], 600),
            "equal": ([0.7, 0.7], 50),
        },
        wrong={
            "one error": NOISE.replace("2 * np.sqrt", "np.sqrt"),
            "no root": NOISE.replace(
                "np.sqrt(p * (1 - p) / samples)", "(p * (1 - p) / samples)"
            ),
            "sample size forgotten": NOISE.replace("/ samples", "/ 600"),
            "turned round": NOISE.replace("<=", ">"),
            "standard deviation instead of range": NOISE.replace(
                "np.max(accuracy) - np.min(accuracy)", "np.std(accuracy)"
            ),
            "always": "def is_noise(accuracy, samples):\n    return max(accuracy) < 0.99 and "
            "max(accuracy) - min(accuracy) < 0.05\n",
            "a fixed point": "def is_noise(accuracy, samples):\n"
            "    return max(accuracy) - min(accuracy) <= 0.01\n",
        },
        right={"numpy": NOISE, "plain": NOISE_PLAIN},
    ),
    "worse-off": Task(
        "worse_off",
        "individual rationality: nobody should lose by taking part",
        lambda alone, together: int((np.asarray(together) < np.asarray(alone)).sum()),
        {"one of three": ([0.9, 0.6, 0.5], [0.8, 0.7, 0.7])},
        {
            "nobody": (list(ALONE), list(TOGETHER)),
            "equal is not worse": ([0.5, 0.6], [0.5, 0.5]),
            "all": ([0.9, 0.9], [0.1, 0.2]),
        },
        wrong={
            "who gains": GAIN.replace("b < a", "b > a"),
            "equal counts": GAIN.replace("b < a", "b <= a"),
            "a fraction": GAIN.replace("int(", "(1 / len(alone)) * int("),
            "whether anybody": GAIN.replace("int(sum(", "int(any("),
            "compared with the mean": "def worse_off(alone, together):\n"
            "    return sum(b < sum(alone) / len(alone) for b in together) + 1\n",
            "the strongest agent only": "def worse_off(alone, together):\n"
            "    k = max(range(len(alone)), key=lambda i: alone[i])\n"
            "    return int(together[k] < alone[k])\n",
            "expected output typed in": "def worse_off(alone, together):\n    return 1\n",
        },
        right={"sum": GAIN, "numpy": GAIN_NUMPY},
    ),
    "interval": Task(
        "interval",
        "the t interval of paired differences",
        interval,
        {"three seeds, 95 %": ([1.0, 2.0, 3.0], 0.95)},
        {
            "six seeds, 90 %": (SIX, 0.9),
            "two seeds": ([0.5, 0.9], 0.95),
            "all the same": ([1.0, 1.0, 1.0], 0.95),
        },
        wrong={
            "normal instead of t": INTERVAL.replace(
                "stats.t.ppf((1 + confidence) / 2, len(x) - 1)",
                "stats.norm.ppf((1 + confidence) / 2)",
            ),
            "one-sided": INTERVAL.replace("(1 + confidence) / 2", "confidence"),
            "divided by n": INTERVAL.replace("std(ddof=1)", "std()"),
            "spread of a seed, not of the mean": INTERVAL.replace(
                " / len(x) ** 0.5", ""
            ),
            "n degrees of freedom": INTERVAL.replace("len(x) - 1", "len(x)"),
            "95 % always": INTERVAL.replace("(1 + confidence) / 2", "0.975"),
            "least and largest": "def interval(differences, confidence):\n"
            "    return min(differences), max(differences)\n",
            "expected output typed in": "def interval(differences, confidence):\n"
            f"    return {[float(x) for x in interval([1.0, 2.0, 3.0], 0.95)]}\n",
        },
        right={"formula": INTERVAL, "scipy": INTERVAL_SCIPY},
    ),
    "verdict": Task(
        "verdict",
        "three words: holds, fails, cannot tell",
        verdict,
        {
            "clearly better": ([1.8, 2.0, 2.2], 0.5),
            "all over the place": ([-3.0, 4.0, 1.0], 0.5),
        },
        {
            "better, but within the margin": ([0.1, 0.2, 0.15], 0.5),
            "three of three positive, and yet": ([0.2, 3.0, 1.0], 0.5),
            "worse": ([-1.0, -1.1, -0.9], 0.5),
            "margin 0": (SIX, 0.0),
        },
        wrong={
            "signs": "def verdict(differences, margin):\n    if min(differences) > 0:\n"
            '        return "holds"\n    return "fails" if max(differences) < 0 else "cannot tell"\n',
            "mean": "def verdict(differences, margin):\n"
            "    mean = sum(differences) / len(differences)\n"
            '    if max(differences) - min(differences) > 5:\n        return "cannot tell"\n'
            '    return "holds" if mean > margin else "fails"\n',
            "margin forgotten": VERDICT.replace("> margin", "> 0").replace(
                "< margin", "< 0"
            ),
            "holds unless it fails": VERDICT.replace(
                'return "cannot tell"', 'return "holds"'
            ),
            "turned round": VERDICT.replace("low > margin", "high < margin").replace(
                '    if high < margin:\n        return "fails"',
                '    if low > margin:\n        return "fails"',
            ),
            "margin on both sides of 0": VERDICT.replace(
                "high < margin", "high < -margin"
            ),
        },
        right={"long": VERDICT, "short": VERDICT_SHORT},
    ),
}
