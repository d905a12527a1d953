"""Agents train, a mechanism aggregates and rewards. Chapter "The whole mechanism"."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fairfl import _inputs, _uploads, evaluation, vectors
from fairfl._clock import Clock
from fairfl._uploads import UpdateError
from fairfl.attacks import Attack
from fairfl.history import History, Snapshot
from fairfl.mechanisms import presence
from fairfl.mechanisms.base import Mechanism, Round, Setting
from fairfl.participation import Participation
from fairfl.partition import Agent
from fairfl.randomness import derived_seed
from fairfl.schedules import Schedule, schedule
from fairfl.training import LocalTraining, choose

Probe = Callable[["Federation", Snapshot], Mapping[str, Tensor]]


class Federation:
    """N agents, a server's mechanism, and a network that all of them train.

    Args:
        agents: one `partition.Agent` or more, or (key, x, y); keys unique; x (n, ...)
            in the network's precision or whole numbers, y (n,) labels 0, 1, ...,
            tensors or numpy arrays. (key, data) with a torch Dataset or DataLoader,
            which is read once; `local` draws the batches.
        model: any classifier, mapping (n, ...) samples to (n, classes) logits, with the
            parameters w_0; it is copied and never changed.
        mechanism: see `fairfl.mechanisms`.
        local: the agents' training. With a loss of its own, outputs (n, ...) and labels
            (n, ...) are any that this takes.
        gamma: Gamma_t, the length to which updates are normalised; a number stays.
        test: (x, y), or a Dataset, for the test accuracy; only probes look at it.
        validation: (x, y) for mechanisms that ask for it.
        seed: of all random draws.
        device: where to train, e.g. "cuda".
        buffers: what to do with running statistics such as BatchNorm's: "local", each
            agent keeps its own and the server is evaluated with their mean; "shared",
            all agents get the mean after each round. A network that has buffers is
            refused while this is None.
        train: how all agents train: "auto", "plain", "stacked" or "threads"
            (`training.choose`), or a function with the arguments and results of
            `training.plain.train`. Of a function's network and labels nothing is asked;
            if they are not a classifier's, losses and accuracies are not taken. The
            attribute `backend` holds the name; "custom" for a function.
        attacks: by agent's key, see `fairfl.attacks`.
        participation: who comes to which round: a `Participation` or what it calls
            `present`, e.g. .5; None: everybody.

    Raises:
        ValueError: agents, data or network do not fit; the message names the agent or
            argument.
    """

    @torch.inference_mode(False)
    def __init__(self, agents: Sequence[Agent], model: nn.Module, mechanism: Mechanism,
                 *, local: LocalTraining = LocalTraining(),
                 gamma: Schedule | float = Schedule(0.5),
                 test: tuple[Tensor, Tensor] | None = None,
                 validation: tuple[Tensor, Tensor] | None = None, seed: int = 0,
                 device: str | torch.device = "cpu", buffers: str | None = None,
                 train: str | Callable = "auto",
                 attacks: Mapping[str, Attack] | None = None,
                 participation: Any = None) -> None:
        derived_seed(seed)  # is it a whole number?
        self.module = copy.deepcopy(model).to(device)
        self.layout = vectors.layout(self.module)
        self.initial = vectors.flatten(self.module)
        self._initial_buffers = vectors.buffers(self.module)
        self.mechanism, self.local, self.seed = mechanism, local, seed
        self.gamma = schedule("gamma", gamma)
        self.device, self.buffers = torch.device(device), buffers
        self.participation = Participation.of(participation)
        self.attacks = {str(key): attack for key, attack in (attacks or {}).items()}
        self.agents = _inputs.agents(agents, device, local)
        self.test = _inputs.pair("test", test, device)
        self.validation = _inputs.pair("validation", validation, device)
        _inputs.check_attacks(self.attacks, [agent.key for agent in self.agents])
        classes, self._unmeasured = _inputs.check(
            self.module, self.agents, mechanism, local,
            {"test": self.test, "validation": self.validation}, buffers,
            own_loop=callable(train))
        self.accuracy = local.accuracy or (evaluation.right if classes else None)
        if callable(train):
            self.backend, self.train = "custom", train
        else:
            self.backend, self.train = choose(self.module, self.agents, local, train)
        self.setting = Setting(
            keys=tuple(agent.key for agent in self.agents),
            dimension=self.layout.dimension,
            sizes=torch.tensor([len(agent.y) for agent in self.agents]),
            classes=torch.tensor([len(agent.y.unique()) for agent in self.agents]),
            blocks=self.layout.blocks)
        self._cheating = {agent.key: self.attacks[agent.key].data(agent, classes)
                          for agent in self.agents if agent.key in self.attacks}

    @torch.inference_mode(False)
    def start(self) -> Snapshot:
        """All agents and the server at w_0."""
        agents = len(self.agents)
        return Snapshot(
            0, self.initial.clone(), self.initial.repeat(agents, 1),
            self._initial_buffers.repeat(agents, 1), self.mechanism.init(self.setting))

    def rounds(self, n: int, start: Snapshot | None = None) -> Iterator[Snapshot]:
        """The snapshots after each of n rounds, from w_0 or from `start`, which stays
        as it is. Raises UpdateError if an upload is NaN or infinite."""
        snapshot = start or self.start()
        for _ in range(n):
            snapshot = self._next(snapshot)
            yield snapshot

    @torch.inference_mode(False)  # which records gradients again, too
    def _next(self, last: Snapshot) -> Snapshot:
        t, clock = last.t + 1, Clock(self.device)
        cheats = {key: attack for key, attack in self.attacks.items()
                  if t >= attack.from_round}
        agents = [self._cheating[agent.key] if agent.key in cheats else agent
                  for agent in self.agents]
        keys = self.setting.keys
        turn = self.participation.turn(t, keys, self.seed, last.late)
        updates, buffers, late = _uploads.arriving(
            lambda models, buffers, agents: self.train(
                self.module, models, buffers, agents, self.local, t, self.seed),
            last, turn, agents)
        training = clock()
        here = {key for key, there in zip(keys, turn.present, strict=True) if there}
        cheats = {key: attack for key, attack in cheats.items() if key in here}
        uploads = _uploads.cheated(keys, last, updates, cheats, self.seed, self.initial)
        _uploads.check_finite(keys, last, uploads)
        clock()  # checking and copying belong to neither
        seen = self._seen(t, last, uploads, turn.present)
        state, step = presence.step(self.mechanism, last.state, seen, self.setting)
        mechanism, models = clock(), last.models.clone()
        clock()
        step.reward.add_to(models)
        mechanism += clock()
        if self.buffers == "shared":
            there = turn.present.to(buffers.device)[:, None]
            buffers = torch.where(there, buffers[turn.present].mean(0), buffers)
        downloads, earlier = _uploads.sent(
            keys, last, step.reward, here & self.attacks.keys())
        return Snapshot(t, last.server + step.aggregate, models, buffers, state,
                        last.models, updates, step,
                        {"training": training, "mechanism": mechanism}, uploads,
                        downloads, earlier,
                        None if self.participation.everybody else turn.present, late)

    def _seen(self, t: int, last: Snapshot, uploads: Tensor, present: Tensor) -> Round:
        """What the mechanism sees."""
        some: Any = slice(None) if present.all() else present  # a view of all

        def accuracy(models: Tensor) -> Tensor:
            x, y = self.validation or (torch.empty(0), torch.empty(0))
            return self.evaluate(models, x, y, last.buffers.mean(0))[1]

        return Round(
            t=t, lr=self.local.rate(t), gamma=self.gamma(t), updates=uploads[some],
            models=last.models[some], server=last.server, accuracy=accuracy,
            losses=lambda: self.own_losses(last.models, last.buffers)[some],
            present=present)

    def run(self, n: int, probes: Sequence[Probe] | None = None,
            history: History | None = None, progress: bool = False,
            after: Callable[[History], None] = lambda history: None) -> History:
        """Run n rounds and record what the probes see after each.

        Args:
            probes: see `fairfl.probes`; default: what the mechanism logs, at no cost.
            history: go on after its last round and add to it. It keeps what was
                recorded when a run is interrupted.
            progress: show a bar, with the mean accuracy where a probe has taken it.
            after: called after each recorded round.

        Raises:
            UpdateError: as in `rounds`; its `history` holds the rounds before.
            ValueError: the history is of other agents, or a probe lacks something.
        """
        from tqdm.auto import tqdm

        history = History(self.setting.keys) if history is None else history
        if history.keys != self.setting.keys:
            raise ValueError(f"the history is of agents {history.keys}, the federation "
                             f"has {self.setting.keys}")
        done = history.last.t if history.last else 0
        bar = tqdm(range(n), total=done + n, initial=done, disable=not progress,
                   unit="round")
        try:
            for _ in bar:
                if history.last:  # or 5 N D numbers were in use, of two snapshots
                    history.last = history.last.bare()
                snapshot = self._next(history.last or self.start())
                clock = Clock(self.device)
                seen = dict(snapshot.step.log) if probes is None else {}
                for probe in probes or ():
                    seen |= probe(self, snapshot)
                if snapshot.present is not None:
                    seen["present"] = snapshot.present.long()
                seconds = {f"seconds_{part}": s for part, s in snapshot.seconds.items()}
                history.add(snapshot, seen | seconds | {"seconds_evaluation": clock()})
                del snapshot
                if "test_accuracy" in seen:
                    mean = 100 * float(seen["test_accuracy"].mean())
                    bar.set_postfix_str(f"accuracy {mean:.1f} %")
                after(history)
        except UpdateError as error:
            error.history = history
            raise
        return history

    def evaluate(self, models: Tensor, x: Tensor, y: Tensor,
                 buffers: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mean loss and accuracy in [0, 1], NaN where there is none, of K models on
        (x, y): (K, D) -> (K,) and (K,), float64. Nothing is drawn or changed that
        training reads.

        Args:
            buffers: (B,) for all or (K, B); default: those that the network came with.

        Raises:
            ValueError: network or labels are not those of a classifier, and `local` has
                no loss.
        """
        self.check_measured()
        buffers = self._initial_buffers if buffers is None else buffers
        buffers, sets = buffers.expand(len(models), -1), [(x, y)] * len(models)
        return evaluation.evaluate(self.module, models, buffers, sets, self.local.loss,
                                   self.accuracy)

    def own_losses(self, models: Tensor, buffers: Tensor) -> Tensor:
        """F_i(w_i): each agent's model on its own samples with the labels it holds,
        (N, D) -> (N,) float64. Raises as `evaluate`."""
        sets = [(agent.x, agent.y) for agent in self.agents]
        self.check_measured()
        return evaluation.evaluate(self.module, models, buffers, sets, self.local.loss,
                                   None)[0]

    def check_measured(self) -> None:
        """ValueError without a loss: network or labels are not a classifier's."""
        if self._unmeasured:
            raise ValueError("losses and accuracies are those of a classifier, take a "
                             f"probe of your own; {self._unmeasured}")
