"""The sentences of Xu et al. (2021) on its figures and theorems. Page "Claims"."""

from book.reproduction.pages import theorems, trends
from book.reproduction.pages.verdicts import Claim

_VALUE, _MECHANISM, _GUARANTEE = (
    "Sec. 3.3, Efficient Approximation", "Sec. 3.4, Reward Mechanism",
    "Sec. 3.5, Fairness Guarantee")
_FIGURES, _PERFORMANCE = "Sec. 4.2, Figures", "Sec. 4.2, Predictive Performance"

_GRADES = {
    "r": "The loss that the authors' code writes. It forgets the agents with a small "
    "r, and with them the wrong labels: the mechanism grades itself.",
    "sizes": "The paper's F with p_i proportional to the size of the data set, labels "
    "as the agents hold them: more than a fifth of those here are wrong.",
    "true": "On the agents' images with their true labels; no weight can bend it.",
    "test": "On the test set; no weight can bend it.",
}

CLAIMS = (
    Claim("factor", _VALUE,
          "the approximation reduces the time by a factor of 2^N",
          "times as long for each further agent", theorems.doubling, 1.8, 2.2,
          both=False, repeats="run",
          reading="Up to constants: each further agent doubles the time of the sum "
          "over coalitions. (From the Gram matrix the sum costs far less, but doubles "
          "too.)"),
    Claim("theorem-1", _VALUE,
          "Theorem 1: phi_i - L_i psi_i is at most I Gamma^2",
          "", theorems.theorem1, high=0, both=False,
          repeats="draw",
          reading="With L_i = 1 and weights that sum to 1 it is proved in the chapter "
          "A cheap approximation, and the bound is never below 1; with the factor "
          "that a proof would produce it is false there."),
    Claim("quadratic", _VALUE,
          "the error of the approximation decreases quadratically with Gamma",
          "times smaller", theorems.quadratic, 50, both=False, repeats="draw",
          reading="A tenth of Gamma would make it a hundredth. The bound falls so for "
          "a fixed I, but the smallest I rises as Gamma falls."),
    Claim("fig1-better", _VALUE,
          "Fig. 1, right: psi has smaller errors than the sampled value, for every D",
          "less of an error", theorems.fig1_better, 0, both=False,
          repeats="draw", reading="Ten draws and 150 orders, as in the authors' "
          "program. The times are in the chapter A cheap approximation."),
    Claim("fig1-widens", _VALUE,
          "Fig. 1, left: the gap in the errors widens with the number of agents",
          "less of an error than with five agents", theorems.fig1_widens, 0,
          both=False, repeats="draw",
          reading="With five agents the published sample holds all orders, without "
          "repetition; ours may repeat some, as any sample for large N must."),
    Claim("wrong-labels", _MECHANISM,
          "the more labels are wrong, the lower psi and the sparser the reward: agents "
          "4 and 5 before 1, 2, 3", "by how much the better agent is ahead",
          trends.noise, 0, both=False),
    Claim("fig2-distance", _MECHANISM,
          "Fig. 2, left: the models of agents 1 to 3 grow in distance from the "
          "server's, in this order, and those of agents 4 and 5 are the closest",
          "further", trends.fig2_distances, 0, both=False),
    *(Claim(f"fig2-loss-{weights}", _MECHANISM,
            "Fig. 2, right: agents 1 to 3 have an increasing training loss, and 4 and "
            f"5 the lowest; here the loss {words}", "higher",
            trends.fig2_losses(weights), 0, both=False, reading=_GRADES[weights])
      for weights, words in trends.WEIGHTS.items()),
    Claim("altruism-bound", _MECHANISM,
          "with beta >= ln((1 + c) / (1 - c)) / 2r nobody downloads fewer than "
          "floor(D c) entries", "entries more than that in the shortest download",
          theorems.altruism_bound, 0, both=False,
          reading="It follows from tanh being increasing. Here r is the smallest that "
          "occurred in a run and c what its beta then promises."),
    *(Claim(f"theorem-2-{weights}", _GUARANTEE,
            "experiments verify Theorem 2 without imposing its conditions on the loss: "
            "of a pair that meets its premise on r and the distances, the one with the "
            f"larger r has the smaller loss; here the loss {words}",
            "of the pairs that meet the premise", theorems.guaranteed(weights), 0.95,
            both=False, reading="This test is ours; the paper correlates r with loss "
            "or accuracy, see an exercise of the chapter Is it fair? Counted in the "
            "second half of a run; at least .95 counts as always. The theorem itself "
            "asks for conditions that are not stated; that chapter has what can be "
            "proved.")
      for weights, words in trends.WEIGHTS.items() if weights != "test"),
    Claim("reweighting", _PERFORMANCE,
          "the better performance may be due to the adaptive re-weighting of the sum",
          "points that the server is above FedAvg's if only the sum is re-weighted",
          trends.reweighted, 0, both=False),
    Claim("fig3", _FIGURES,
          "Fig. 3: under UNI all agents perform alike, under POW their accuracies vary "
          "more, under CLA most", "points wider from the best to the worst agent",
          trends.fig3, 0, both=False),
    Claim("fig4-early", _FIGURES,
          "Fig. 4: of three agents under CLA, agent 3 is at first mistaken to "
          "contribute little", "psi of agent 1 above that of agent 3 in round 1",
          trends.fig4_early, 0, both=False),
    Claim("fig4-late", _FIGURES,
          "Fig. 4: under POW and CLA the larger contribution of agent 3 is recognised",
          "r of agent 3 above that of agent 1 at the end", trends.fig4_late, 0,
          both=False),
    Claim("fig5", _FIGURES,
          "Fig. 5: agent 1 downloads what is further from the sum than what agent 3 "
          "downloads", "further, averaged over the rounds", trends.fig5, 0, both=False),
    Claim("fig6", _FIGURES,
          "Fig. 6: the last layer of agent 1 is further from the server's than that of "
          "agent 3", "further at the end", trends.fig6, 0, both=False),
    *(Claim(f"fig7-{weights}", _FIGURES,
            "Fig. 7: under CLA more altruism gives all agents a smaller training loss; "
            f"here the loss {words}", "lower at beta = infinity than at 1",
            trends.fig7(weights), 0, needed="most", both=False,
            reading="Most agents: the one with the largest r has all already.")
      for weights, words in trends.WEIGHTS.items() if weights != "true"),
    *(Claim(f"fig7-first-{weights}", _FIGURES,
            "Fig. 7: agent 1, who contributes least, benefits most; here the loss "
            f"{words}", "more of a fall than any other agent's",
            trends.fig7(weights, first=True), 0, both=False)
      for weights, words in trends.WEIGHTS.items() if weights != "true"),
)
