"""The commands of `book.reproduction`, and which runs of the plan each measures."""

from collections.abc import Callable
from typing import NamedTuple

from book.reproduction import anew, choice, experiments, plan, tuning
from book.reproduction.base import Run


class Target(NamedTuple):
    """What a command of `book.reproduction` measures."""

    text: str  # what its help says
    runs: Callable[[], list[Run]]


TARGETS = {
    "table1": Target(
        "Accuracies of all methods, Table 1; Table 2 and Fig. 3 are computed from "
        "these runs.",
        lambda: plan.tables(tuple(plan.COLUMNS.values()))),
    "table2": Target(
        "Fairness of all methods, Table 2: the runs of Table 1.",
        lambda: plan.tables(tuple(plan.COLUMNS.values()))),
    "table3": Target(
        "Time of the mechanisms beside that of the training, Table 3: ten rounds each.",
        lambda: list(plan.timing())),
    "fig2": Target(
        "Five agents, three of them with wrong labels, Fig. 2.",
        lambda: list(plan.label_noise())),
    "fig3": Target(
        "Accuracies of ten agents, Fig. 3: runs of Table 1.",
        lambda: plan.tables((*plan.MNIST_10, *plan.CIFAR_10))),
    "fig4": Target(
        "Three agents, Fig. 4; Figs. 5 and 6 are of the same runs.",
        lambda: list(plan.three_agents(0))),
    "fig5": Target(
        "Three agents, Fig. 5: the runs of Fig. 4.",
        lambda: list(plan.three_agents(0))),
    "fig6": Target(
        "Three agents, Fig. 6: the runs of Fig. 4.",
        lambda: list(plan.three_agents(0))),
    "fig7": Target(
        "Degrees of altruism, Fig. 7.",
        lambda: [found for seed in (0, 1, 2) for found in plan.altruism(seed)]),
    "scaling": Target(
        "Constant Gamma, clipped and raw updates, for CGSV and FedAvg; longer runs "
        "on CLA.",
        lambda: [found for seed in (0, 1, 2)
                 for found in (*plan.lock_in(seed), *plan.scalings(seed))]),
    "precision": Target(
        "Two columns of Table 1 in bfloat16.",
        lambda: list(plan.precisions())),
    "guarantee": Target(
        "Premise and conclusion of Theorem 2, with a decaying and a constant Gamma.",
        lambda: list(plan.guarantee())),
    "losses": Target(
        "Fig. 2, the guarantee and Fig. 7 with the loss of each model on each "
        "agent's samples.",
        lambda: list(plan.losses())),
    "grid": Target(
        "alpha, Gamma and beta on digits.",
        lambda: list(plan.grid())),
    "thirty": Target(
        "One round of thirty agents on digits, valued exactly.",
        lambda: list(plan.thirty())),
    "participation": Target(
        "Digits with agents that come to some rounds only, or whose updates are late.",
        lambda: [found for seed in range(5) for found in plan.participation(seed)]),
    "updates": Target(
        "Ten agents whose updates the chapter on the cosine approximation values.",
        lambda: list(plan.updates())),
    "choice": Target(
        "The candidates among which the settings were chosen, on the validation set.",
        lambda: list(choice.runs())),
    "tuning": Target(
        "More candidates, among which the settings will be chosen anew.",
        lambda: list(tuning.runs())),
    "anew": Target(
        "Tables 1 and 2 with the settings chosen anew.",
        lambda: [*anew.cells((*plan.MNIST_10, *plan.TEXT, *plan.DIGITS,
                              *plan.CIFAR_10)),
                 *anew.cells(plan.MNIST_20, seeds=(0,))]),
    "later": Target(
        "Mechanisms that came after the paper's: candidates, and their rows of the "
        "tables.",
        lambda: [*tuning.later_runs("digits"), *anew.later(plan.DIGITS),
                 *tuning.later_runs("mnist"), *anew.later(plan.MNIST_10[:2])]),
    "attribution": Target(
        "FedAvg, re-weighting and rewards, with updates normalised, clipped and raw.",
        lambda: [*anew.attribution(), *anew.another_setting()]),
    "authors": Target(
        "MNIST as the authors' script sets it, before September 2024 and since, and "
        "accuracies after long local training.",
        lambda: [*experiments.authors_tables(), *anew.long_training(),
                 *anew.shards()]),
    "all": Target(
        "All tables and figures, the most valuable first.",
        plan.everything),
}
