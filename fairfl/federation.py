"""The loop: agents train, a mechanism aggregates and rewards. Chapter "The whole mechanism"."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from fairfl import evaluation, vectors
from fairfl.attacks import Attack, Sight
from fairfl.history import History, Snapshot
from fairfl.mechanisms.base import Mechanism, Round, Setting
from fairfl.partition import Agent
from fairfl.schedules import Schedule
from fairfl.training import LocalTraining, choose


class UpdateError(ValueError):
    """An agent uploaded something that cannot be aggregated.

    Attributes:
        agent: its key. round: the round t. history: what was recorded before, where `Federation.run` was running.
    """

    def __init__(self, agent: str, t: int, what: str) -> None:
        super().__init__(f"the update of agent {agent!r} in round {t} {what}")
        self.agent, self.round, self.history = agent, t, None


Probe = Callable[["Federation", Snapshot], Mapping[str, Tensor]]


class Federation:
    """N agents, a server's mechanism, and a network that all of them train.

    Args:
        agents: at least one; keys unique, samples in the network's precision or whole numbers, labels int64.
        model: any classifier, mapping (n, ...) samples to (n, classes) logits. Its present parameters are w_0; the
            module itself is copied and never changed.
        mechanism: see `fairfl.mechanisms`.
        local: the agents' training.
        gamma: Gamma_t, the length to which updates are normalised.
        test: (x, y) for the test accuracy; only probes look at it.
        validation: (x, y) for mechanisms that ask for it.
        seed: of all random draws.
        device: where to train, e.g. "cuda".
        buffers: what to do with running statistics such as BatchNorm's: "local", each agent keeps its own and the
            server is evaluated with their mean; "shared", all agents get the mean after each round. A network that
            has buffers is refused while this is None.
        train: how all agents train: "auto", "plain", "stacked" or "threads" (`training.choose`), or a function
            such as `training.plain.train`. The attribute `backend` holds the name; "custom" for a function.
        attacks: by agent's key, see `fairfl.attacks`; accomplices must be among the agents (`attacks.join`).

    Raises:
        ValueError: agents, data or network do not fit; the message names the agent or argument.
    """

    def __init__(
        self,
        agents: Sequence[Agent],
        model: nn.Module,
        mechanism: Mechanism,
        *,
        local: LocalTraining = LocalTraining(),
        gamma: Schedule = Schedule(0.5),
        test: tuple[Tensor, Tensor] | None = None,
        validation: tuple[Tensor, Tensor] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
        buffers: str | None = None,
        train: str | Callable = "auto",
        attacks: Mapping[str, Attack] | None = None,
    ) -> None:
        self.module = copy.deepcopy(model).to(device)
        self.layout = vectors.layout(self.module)
        self.mechanism, self.local, self.gamma, self.seed = mechanism, local, gamma, seed
        self.device, self.buffers, self.attacks = torch.device(device), buffers, dict(attacks or {})
        self.agents = [Agent(key, x.to(device), y.to(device), (y if true is None else true).to(device))
                       for key, x, y, true in agents]
        self.test, self.validation = (
            pair and (pair[0].to(device), pair[1].to(device)) for pair in (test, validation)
        )
        self.initial, self._initial_buffers = vectors.flatten(self.module), vectors.buffers(self.module)
        self._check()
        self.backend, self.train = (
            ("custom", train) if callable(train) else choose(self.module, self.agents, local, train)
        )
        self.setting = Setting(
            keys=tuple(agent.key for agent in self.agents),
            dimension=self.layout.dimension,
            sizes=torch.tensor([len(agent.y) for agent in self.agents]),
            classes=torch.tensor([len(agent.y.unique()) for agent in self.agents]),
            blocks=self.layout.slices,
        )
        self._cheating = {agent.key: self.attacks[agent.key].data(agent, self._classes)
                          for agent in self.agents if agent.key in self.attacks}

    def _check(self) -> None:
        keys = [agent.key for agent in self.agents]
        if not keys:
            raise ValueError("a federation needs at least one agent")
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise ValueError(f"agents' keys must be unique; {', '.join(map(repr, twice))} occurs more than once")
        for key, attack in self.attacks.items():
            if key not in keys:
                raise ValueError(f"there is no agent {key!r} to cheat; known are {', '.join(map(repr, keys))}")
            attack.check(key, tuple(keys))
        if len(self._initial_buffers) and self.buffers not in ("local", "shared"):
            raise ValueError(
                f"the network has buffers that training changes ({', '.join(vectors.buffer_names(self.module))}); "
                f"say how they are treated: buffers='local' or 'shared', not {self.buffers!r}"
            )
        if self.local.precision and self.initial.dtype == torch.float64:
            raise ValueError(f"precision={self.local.precision!r} needs a network in float32: torch's autocast leaves "
                             "torch.float64 as it is")
        if self.mechanism.needs_validation and self.validation is None:
            raise ValueError(f"{type(self.mechanism).__name__} needs a validation set: pass validation=(x, y)")
        sets = [(f"agent {agent.key!r}", agent.x, agent.y) for agent in self.agents]
        sets += [(name, *pair) for name, pair in (("test", self.test), ("validation", self.validation)) if pair]
        for name, x, y in sets:
            if len(x) == 0:
                raise ValueError(f"{name} holds no samples")
            if len(x) != len(y) or y.ndim != 1:
                raise ValueError(f"{name}: {len(x)} samples do not fit labels of shape {tuple(y.shape)}")
            if x.is_floating_point() and x.dtype != self.initial.dtype:
                raise ValueError(f"{name}: samples are {x.dtype}, the network is {self.initial.dtype}")
            if not x.isfinite().all():
                raise ValueError(f"{name}: the samples hold NaN or infinite values")
            self.module.eval()
            with torch.no_grad():
                try:
                    logits = self.module(x[:1])
                except RuntimeError as error:
                    shape = tuple(x.shape[1:])
                    raise ValueError(f"{name}: the network does not take samples of shape {shape}: {error}") from error
            self._classes = logits.shape[-1]
            if y.dtype != torch.int64 or y.min() < 0 or y.max() >= self._classes:
                raise ValueError(f"{name}: labels must be int64 from 0 to {self._classes - 1}")

    def start(self) -> Snapshot:
        """All agents and the server at w_0."""
        agents = len(self.agents)
        return Snapshot(0, self.initial.clone(), self.initial.repeat(agents, 1),
                        self._initial_buffers.repeat(agents, 1), self.mechanism.init(self.setting))

    def rounds(self, n: int, start: Snapshot | None = None) -> Iterator[Snapshot]:
        """The snapshots after each of n rounds, from w_0 or from `start`, which stays as it is.

        Raises:
            UpdateError: an upload is NaN or infinite.
        """
        snapshot = start or self.start()
        for _ in range(n):
            snapshot = self._next(snapshot)
            yield snapshot

    def _next(self, last: Snapshot) -> Snapshot:
        t, clock = last.t + 1, _Clock(self.device)
        cheats = {key for key, attack in self.attacks.items() if t >= attack.from_round}
        agents = [self._cheating[agent.key] if agent.key in cheats else agent for agent in self.agents]
        updates, buffers = self.train(self.module, last.models, last.buffers, agents, self.local, t, self.seed)
        training = clock()
        if updates.shape != last.models.shape:
            raise ValueError(f"local training returned updates of shape {tuple(updates.shape)} for models of shape "
                             f"{tuple(last.models.shape)}")
        uploads = self._uploads(updates, last, cheats) if cheats else updates
        for agent, update in zip(self.agents, uploads, strict=True):
            # A sum is NaN or infinite if an entry is, and six times as fast; it may also just be too large
            if not update.sum().isfinite() and not update.isfinite().all():
                raise UpdateError(agent.key, t, "holds NaN or infinite entries; is the learning rate too high?")
        round = Round(
            t=t, lr=self.local.rate(t), gamma=self.gamma(t), updates=uploads, models=last.models, server=last.server,
            losses=lambda: self.own_losses(last.models, last.buffers),
            accuracy=lambda models: self.evaluate(models, *self.validation, last.buffers.mean(0))[1],
        )
        models = last.models.clone()
        clock()  # checking and copying belong to neither
        state, step = self.mechanism.apply(last.state, round, self.setting)
        step.reward.add_to(models)
        mechanism = clock()
        if self.buffers == "shared":
            buffers = buffers.mean(0).expand_as(buffers).clone()
        downloads = {key: step.reward.row(i) for i, key in enumerate(self.setting.keys) if key in self.attacks}
        return Snapshot(t, last.server + step.aggregate, models, buffers, state, last.models, updates, step,
                        {"training": training, "mechanism": mechanism}, uploads, downloads)

    def _uploads(self, updates: Tensor, last: Snapshot, cheats: set[str]) -> Tensor:
        """The updates with those of the agents that cheat replaced, (N, D)."""
        trained, uploads = dict(zip(self.setting.keys, updates, strict=True)), updates.clone()
        for i, key in enumerate(self.setting.keys):
            if key in cheats:
                sight = Sight(key, last.t + 1, self.seed, updates[i], trained, last.models[i], self.initial,
                              last.downloads.get(key))
                upload = self.attacks[key].upload(sight)
                if upload.shape != updates[i].shape:
                    raise ValueError(f"the attack of agent {key!r} uploads a tensor of shape {tuple(upload.shape)}, "
                                     f"not {tuple(updates[i].shape)}")
                uploads[i] = upload
        return uploads

    def run(
        self,
        n: int,
        probes: Sequence[Probe] | None = None,
        history: History | None = None,
        progress: bool = False,
        after: Callable[[History], None] = lambda history: None,
    ) -> History:
        """Run n rounds and record what the probes see after each.

        Args:
            n: rounds.
            probes: see `fairfl.probes`; default: what the mechanism logs, which costs nothing.
            history: go on after the last round of this history and add to it. A history that was passed in keeps
                what was recorded when a run is interrupted.
            progress: show a progress bar, with the mean accuracy where a probe has taken it.
            after: called after each recorded round.

        Raises:
            UpdateError: as in `rounds`; its attribute `history` holds the rounds before.
        """
        from tqdm.auto import tqdm

        history = History(self.setting.keys) if history is None else history
        if history.keys != self.setting.keys:
            raise ValueError(f"the history is of agents {history.keys}, the federation has {self.setting.keys}")
        try:
            done = history.last.t if history.last else 0
            bar = tqdm(self.rounds(n, history.last), total=done + n, initial=done, disable=not progress, unit="round")
            for snapshot in bar:
                clock = _Clock(self.device)
                seen = dict(snapshot.step.log) if probes is None else {}
                for probe in probes or ():
                    seen |= probe(self, snapshot)
                seconds = {f"seconds_{part}": spent for part, spent in snapshot.seconds.items()}
                history.add(snapshot, seen | seconds | {"seconds_evaluation": clock()})
                if "test_accuracy" in seen:
                    bar.set_postfix_str(f"accuracy {100 * float(seen['test_accuracy'].mean()):.1f} %")
                after(history)
        except UpdateError as error:
            error.history = history
            raise
        return history

    def evaluate(self, models: Tensor, x: Tensor, y: Tensor, buffers: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy and accuracy in [0, 1] of K models on (x, y): (K, D) -> (K,) and (K,), float64.

        Args:
            buffers: (B,) for all models or (K, B); default: those that the network came with.

        Takes no part in training: nothing is drawn, nothing that training reads is changed.
        """
        buffers = self._initial_buffers if buffers is None else buffers
        return evaluation.evaluate(self.module, models, buffers.expand(len(models), -1), [(x, y)] * len(models))

    def own_losses(self, models: Tensor, buffers: Tensor) -> Tensor:
        """F_i(w_i): each agent's model on its own samples with the labels it holds, (N, D) -> (N,) float64."""
        return evaluation.evaluate(self.module, models, buffers, [(agent.x, agent.y) for agent in self.agents])[0]


class _Clock:
    """Seconds since the last call, on a GPU too, which works on while Python goes ahead."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.last = self._now()

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def __call__(self) -> float:
        before, self.last = self.last, self._now()
        return self.last - before
