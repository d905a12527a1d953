"""The server of a federation whose agents train elsewhere: its step and its memory.

    server = Server(CGSV(), Setting.of(["a", "b", "c"], dimension))
    answer = server.step({"a": update_a, "c": update_c})  # b is absent
    model = answer["a"].apply(model)

`federation.Federation` trains the agents, too. Chapter "Beyond one machine".
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from fairfl import _checks, _received
from fairfl.delivery import Answer
from fairfl.mechanisms import presence
from fairfl.mechanisms.base import Mechanism, Round, Setting
from fairfl.schedules import Schedule, schedule

# What a mechanism may need of a round, and how a server comes to hold it
GIVEN = {"accuracy": "accuracy=", "losses": "losses= in each step", "lr": "lr=",
         "models": "initial=", "server": "initial="}


class Server:
    """A mechanism with its state, from round to round.

    Args:
        mechanism: see `fairfl.mechanisms`.
        setting: the agents' keys, the number of parameters and what else the mechanism
            may look at, see `Setting.of`.
        gamma: Gamma_t, the length to which updates are normalised; a number stays.
        lr: eta_t, the agents' learning rate, if the mechanism needs it.
        initial: w_0, (D,). With it the server keeps its model, and if the mechanism
            needs them those that the agents hold after all their downloads.
        accuracy: (M, D) -> (M,) in [0, 1], of models on validation data.
        bad: what to do with an update that cannot be aggregated: "raise" an UpdateError
            that names the agent, or take it as "absent", see `Answer.refused`.

    ValueError for what does not fit, or a mechanism that needs what is not given.
    """

    def __init__(self, mechanism: Mechanism, setting: Setting, *,
                 gamma: Schedule | float = Schedule(0.5),
                 lr: Schedule | float | None = None, initial: Any = None,
                 accuracy: Callable[[Tensor], Tensor] | None = None,
                 bad: str = "raise") -> None:
        _checks.known("bad", bad, ("raise", "absent"))
        self.mechanism, self.setting, self.bad = mechanism, setting, bad
        self.gamma = schedule("gamma", gamma)
        self.lr = None if lr is None else schedule("lr", lr)
        self.accuracy = accuracy
        self.t = 0  # rounds so far
        self.state = mechanism.init(setting)
        self.model: Tensor | None = None  # w_t, (D,)
        self.models: Tensor | None = None  # w_{i,t}, (N, D)
        if initial is not None:
            self.initial = _received.vector("initial", initial, setting.dimension)
            self.model = self.initial.clone()
            if "models" in mechanism.needs:
                self.models = self.initial.repeat(len(setting.keys), 1)
        self._check_needs({"accuracy": accuracy, "lr": lr, "server": self.model,
                           "models": self.models, "losses": "come with each step"})

    def step(self, updates: Any, present: Any = None, losses: Any = None) -> Answer:
        """Do a round: take the updates, value them, answer each agent's download.

        Args:
            updates: by key, (D,) each, of those who are present; or (N, D), a row for
                each agent in the order of the keys. Of numpy or torch.
            present: keys of those who are, or (N,) bool; default: all in `updates`.
            losses: F_i(w_{i,t-1}) by key, or (N,), if the mechanism needs them.

        ValueError: a key is unknown or given twice, an update missing, of another
        length, or not finite; or losses are needed. The server is then as before.
        """
        t, keys = self.t + 1, self.setting.keys
        some, here, refused = _received.read(
            updates, present, self.setting, t, self.bad, self.model)
        held: dict[str, Any] = {
            "lr": self.lr and self.lr(t), "server": self.model,
            "models": None if self.models is None else self.models[here],
            "losses": _received.losses(losses, keys, here), "accuracy": self.accuracy}
        self._check_needs(held)
        seen = Round(t, gamma=self.gamma(t), updates=some, present=here, **held)
        state, step = presence.step(self.mechanism, self.state, seen, self.setting)
        if self.model is not None:
            self.model = self.model + step.aggregate
        if self.models is not None:
            step.reward.add_to(self.models)
        self.state, self.t = state, t
        return Answer(t, keys, step, self.model, refused)

    def join(self, key: str, size: int = 1, classes: int = 1) -> None:
        """A new agent with so many samples and labels, from the next round on.

        It starts at w_0 as everybody did, with the weight that `Mechanism.moved` says.
        """
        old = self.setting
        self._move(Setting.of(
            [*old.keys, key], old.dimension, [*old.sizes.tolist(), size],
            [*old.classes.tolist(), classes], old.blocks))

    def leave(self, key: str) -> None:
        """An agent goes for good; the others share its weight. ValueError if unknown or
        the last."""
        _received.check_known([key], self.setting.keys)
        if len(self.setting.keys) == 1:
            raise ValueError(f"{key!r} is the last agent: nobody would be left")
        stay = torch.tensor([other != key for other in self.setting.keys])
        self._move(self.setting.among(stay))

    def _check_needs(self, held: Mapping[str, Any]) -> None:
        for name in self.mechanism.needs:
            if held.get(name) is None:
                raise ValueError(
                    f"{type(self.mechanism).__name__} needs `Round.{name}`: pass the "
                    f"server {GIVEN.get(name, name)}")

    def _move(self, new: Setting) -> None:
        old = self.setting.keys
        self.state = self.mechanism.moved(self.state, self.setting, new)
        if self.models is not None:
            self.models = torch.stack([
                self.models[old.index(key)] if key in old else self.initial
                for key in new.keys])
        self.setting = new

    def state_dict(self) -> dict[str, Any]:
        """What rounds change and who the agents are, as tensors, numbers and lists: for
        ``torch.save``. The constructor's arguments are no part of it."""
        s, models = self.setting, self.models
        return {"t": self.t, "state": dict(self.state), "model": self.model,
                "models": None if models is None else models.clone(),
                "keys": list(s.keys), "sizes": s.sizes, "classes": s.classes}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken, of a server with the same arguments (but
        for who joined or left). ValueError if it is of another mechanism."""
        s = self.setting
        setting = Setting.of(saved["keys"], s.dimension, saved["sizes"],
                             saved["classes"], s.blocks)
        if saved["state"].keys() != self.mechanism.init(setting).keys():
            raise ValueError(f"a state of {', '.join(saved['state']) or 'nothing'} is "
                             f"none of {type(self.mechanism).__name__}")
        models = saved["models"]
        self.setting, self.t, self.state = setting, saved["t"], dict(saved["state"])
        self.model = saved["model"]
        self.models = None if models is None else models.clone()
