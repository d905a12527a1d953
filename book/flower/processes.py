"""SuperLink and SuperNodes as processes of this machine, ended when the block ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from book.flower import certificates
from book.flower.task import shares

APP = Path(__file__).parent
BIN = Path(sys.executable).parent
READY = "SuperNode ID"  # what a node logs when it is let in
COMMANDS = ("flwr", "flower-superlink", "flower-supernode", "flower-superexec",
            "flwr-clientapp", "flwr-serverapp", "flwr-simulation")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def listens(port: int) -> bool:
    """Whether somebody does."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def family(pid: int) -> list[int]:
    """The process and all that descend from it."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], check=True, text=True,
                            capture_output=True).stdout
    parents = dict(map(int, line.split()) for line in listed.splitlines())
    found = [pid]
    for known in found:
        found += [child for child, parent in parents.items() if parent == known]
    return found


def end(process: subprocess.Popen, kill: bool = False) -> None:
    """End the process and its family; with `kill` at once, as a crash would."""
    pids = family(process.pid)
    if not kill and process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


class Machines:
    """A SuperLink, and SuperNodes by their number; all of them write into `folder`.

    Without `nodes` the SuperLink simulates them. With some, all speak TLS, and a node
    must have been registered with its key. Node i holds agent i's share of the digits,
    drawn from `seed`. `warm`: without Flower's start-up, see `warm`.
    """

    def __init__(self, folder, nodes: int = 0, seed: int = 0,
                 warm: bool = False) -> None:
        self.folder, self.count = Path(folder).resolve(), nodes
        self.processes: dict[str, subprocess.Popen] = {}
        self.port = free_port()
        for name in ("flwr", "logs", "results", *map(self._state, range(nodes + 1))):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.keys = self.folder / "keys"
        if nodes:
            certificates.make(self.keys, nodes)
        for i, agent in enumerate(shares(nodes, seed) if nodes else [], 1):
            np.savez(self.folder / self._state(i) / "data.npz", x=agent.x, y=agent.y)
        trust = f'root-certificates = "{self.keys / "ca.pem"}"'
        (self.folder / "flwr" / "config.toml").write_text(
            '[superlink]\ndefault = "here"\n\n[superlink.here]\n'
            f'address = "127.0.0.1:{self.port}"\n'
            f'{trust if nodes else "insecure = true"}\n')
        self.env = os.environ | {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1",
            "FLWR_HOME": str(self.folder / "flwr"), "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1", "RAY_USAGE_STATS_ENABLED": "0",
            "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.1"}
        self.warm = warm

    def __enter__(self) -> "Machines":
        try:
            if self.warm:
                self._warm_up()
            self.start_link()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _warm_up(self) -> None:
        """Start the process that forks, and put its stand-ins first in PATH."""
        door, stand_ins = self.folder / "door", self.folder / "bin"
        stand_ins.mkdir(exist_ok=True)
        code = (APP / "warm.py").read_text()
        for name in COMMANDS:
            (stand_ins / name).write_text(f"#!{sys.executable} -S\n{code}")
            (stand_ins / name).chmod(0o755)
        self._start("warm", sys.executable, APP / "warm.py", "serve", door)
        self.env |= {"FAIRFL_WARM": str(door),
                     "PATH": f"{stand_ins}{os.pathsep}{self.env['PATH']}"}
        while not door.exists() and self.processes["warm"].poll() is None:
            time.sleep(0.1)

    def __exit__(self, *error) -> None:
        for process in reversed(list(self.processes.values())):
            end(process)

    def start_link(self) -> None:
        """Start the SuperLink, again with what it knew, and wait until it answers."""
        secure = ["--ssl-ca-certfile", self.keys / "ca.pem",
                  "--ssl-certfile", self.keys / "server.pem",
                  "--ssl-keyfile", self.keys / "server.key", "--enable-supernode-auth"]
        self._start("link", "flower-superlink", "--disable-runtime-dependency-"
                    "installation", "--host", "127.0.0.1", "--port", self.port,
                    "--database", self.folder / "link.db",
                    *(secure if self.count else ["--insecure", "--simulation"]))
        self._wait_for(self.port, "link")

    def kill(self, name: str) -> None:
        """End a process at once, as a crash would, and wait until its port is free."""
        end(self.processes[name], kill=True)
        while name == "link" and listens(self.port):
            time.sleep(0.1)

    def restart_node(self, i: int, timeout: float = 180) -> None:
        """Start node i, which was killed, until the SuperLink lets it in: that takes a
        minute, in which it counts as connected. Whatever keeps a service up does so."""
        limit, known = time.monotonic() + timeout, self.log(f"node-{i}").count(READY)
        while time.monotonic() < limit:
            self.start_node(i)
            while self.processes[f"node-{i}"].poll() is None:
                if self.log(f"node-{i}").count(READY) > known:
                    return
                time.sleep(0.1)
        raise RuntimeError(f"node {i} does not come back\n{self.log(f'node-{i}')}")

    def start_node(self, i: int, key: Path | None = None) -> None:
        """Start node i, with its key or another one."""
        state = self.folder / self._state(i)
        config = f'data="{state / "data.npz"}" state="{state}"'
        self._start(f"node-{i}", "flower-supernode", "--host", "127.0.0.1",
                    "--port", free_port(), "--superlink", f"127.0.0.1:{self.port}",
                    "--root-certificates", self.keys / "ca.pem",
                    "--auth-supernode-private-key", key or self.keys / f"node-{i}",
                    "--node-config", config)

    def register(self, i: int) -> int:
        """Tell the SuperLink node i's public key; the node's id."""
        return int(self.flwr("supernode", "register", self.keys / f"node-{i}.pub",
                             "--format", "json")["node-id"])

    def run(self, name: str = "run", **config) -> None:
        """Start the app with these entries of its run config; its log is `name`."""
        config |= {"folder": str(self.folder / "results"),
                   "state": str(self.folder / self._state(0))}
        entries = " ".join(f"{key}={json.dumps(value)}"
                           for key, value in config.items())
        simulated = ["--federation-config", f"num-supernodes={config['agents']} "
                     "client-resources-num-cpus=1"]
        self._start(name, "flwr", "run", APP, "--stream", "--run-config", entries,
                    *([] if self.count else simulated))

    def wait(self, name: str = "run", timeout: float = 1800) -> None:
        """Until a run has ended."""
        self.processes[name].wait(timeout)

    def results(self, mechanism: str) -> dict[int, dict[str, float]]:
        """What was logged in each round. RuntimeError, with the run's log, if a run has
        left nothing."""
        path = self.folder / "results" / f"{mechanism}.json"
        if not path.exists():
            raise RuntimeError(f"no results of {mechanism}\n{self.log('run')}")
        return {int(t): found for t, found in json.loads(path.read_text()).items()}

    def flwr(self, *words) -> dict:
        """What the command `flwr` answers. RuntimeError if it fails."""
        done = subprocess.run(["flwr", *map(str, words)], env=self.env, text=True,
                              capture_output=True, cwd=self.folder)
        try:
            return json.loads(done.stdout[done.stdout.index("{") :])
        except ValueError as error:
            raise RuntimeError(f"flwr {words}: {done.stdout}{done.stderr}") from error

    def log(self, name: str) -> str:
        """What a process has written."""
        return (self.folder / "logs" / name).read_text()

    def _state(self, i: int) -> str:
        return f"state-{i}"

    def _start(self, name: str, *words) -> None:
        with open(self.folder / "logs" / name, "a") as log:
            self.processes[name] = subprocess.Popen(
                list(map(str, words)), env=self.env, stdout=log,
                stderr=subprocess.STDOUT, cwd=self.folder)

    def _wait_for(self, port: int, name: str, timeout: float = 60) -> None:
        limit = time.monotonic() + timeout
        while time.monotonic() < limit and self.processes[name].poll() is None:
            if listens(port):
                return
            time.sleep(0.1)
        raise RuntimeError(f"{name} does not answer\n{self.log(name)}")
