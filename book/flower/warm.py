"""Flower's commands without their start-up: each is forked from a process that has
imported PyTorch and Flower once, which for a small network is most of the time.

``python warm.py serve socket`` is that process. A copy of this file that is named as a
command, in a folder that comes first in PATH, stands for it: what is forked has its
arguments, environment, folder and output, and is killed when it is.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import threading
import traceback


def call():
    """Stand for the command that this file is called as."""
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(os.environ["FAIRFL_WARM"])
        wanted = [os.path.basename(sys.argv[0]), *sys.argv[1:]]
        request = json.dumps([wanted, dict(os.environ), os.getcwd()]).encode()
        socket.send_fds(link, [len(request).to_bytes(4, "big")], [0, 1, 2])
        link.sendall(request)
        return int(link.makefile().readline() or 1)


def serve(path):
    """Fork what is asked for, until killed."""
    from importlib.metadata import distribution

    import flwr.cli.app
    import flwr.simulation.app
    import flwr.supercore.cli
    import flwr.superlink.cli
    import flwr.superlink.main
    import flwr.supernode.cli
    import flwr.supernode.main  # noqa: F401

    import fairfl.flower.client
    import fairfl.flower.strategy  # noqa: F401

    commands = {entry.name: entry for entry in distribution("flwr").entry_points}
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path)
        door.listen(64)
        while True:
            link = door.accept()[0]
            if os.fork() == 0:
                door.close()
                work(link, commands)
            link.close()


def work(link, commands):
    """In a process of its own for the caller's watch: the command in another one."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    head, files, _, _ = socket.recv_fds(link, 4, 3)
    stream = link.makefile("rb")
    words, environment, folder = json.loads(stream.read(int.from_bytes(head, "big")))
    if (pid := os.fork()) == 0:
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        stream.close()
        link.close()
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        sys.argv = words
        os._exit(run(commands[words[0]]))
    ended = threading.Lock()

    def watch():
        stream.read()  # nothing comes: the caller has ended
        with ended:
            os.kill(pid, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # its number is not given away
    with ended:
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(BrokenPipeError):
            link.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)


def run(command):
    """The exit code of a command."""
    try:
        command.load()()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(bool(left.code))
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    sys.exit(serve(sys.argv[2]) if sys.argv[1:2] == ["serve"] else call())
