"""Programs started for the agent by a helper process, which lives next to it from the beginning.

Some vendor libraries forbid child processes once they are in use. The helper is started before that; from then on it
starts whatever the agent wants run, and ends it, with its whole process group, when its time is over or the agent is
gone. One request and one answer a line, as JSON:

    > {"arguments": ["npu-smi", "info"], "folder": null, "environment": {}, "timeout_s": 5.0}
    < {"status": 0, "output": "...", "timed_out": false, "missing": false}
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Dict, List, Optional

import device_agents
from device_agents.protocol import BACKEND_FAILED, RpcError

_MOST_OUTPUT_BYTES = 256 * 1024
_SHORTEST_POLL_S = 0.002
_LONGEST_POLL_S = 0.05
_JOIN_S = 5.0
_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from device_agents.runner import serve; sys.exit(serve())"


class Finished:
    """What became of a program.

    Attributes:
        status: Exit status; -N when signal N ended it.
        output: The last part of what it wrote to stdout and stderr.
        timed_out: Whether it was ended because its time was over.
        missing: Whether it could not be started at all; `output` then says why.
    """

    def __init__(self, status: int, output: str, timed_out: bool = False, missing: bool = False) -> None:
        self.status = status
        self.output = output
        self.timed_out = timed_out
        self.missing = missing


class HostGoneError(Exception):
    """Nobody waits for the program any more."""


class Runner:
    """The helper process as the agent sees it. Start it before any vendor library is in use."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-c", _BOOT, package_root()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def run(
        self,
        arguments: List[str],
        folder: Optional[str] = None,
        environment: Optional[Dict[str, str]] = None,
        timeout_s: float = 60.0,
    ) -> Finished:
        """Runs a program and waits for it; the same as `run_program`, in the helper."""
        request = {"arguments": arguments, "folder": folder, "environment": environment or {}, "timeout_s": timeout_s}
        stdin, stdout = self._child.stdin, self._child.stdout
        assert stdin is not None and stdout is not None  # noqa: PT018 - both were asked for as pipes
        try:
            stdin.write(json.dumps(request).encode("ascii") + b"\n")
            stdin.flush()
            if not _comes_before_hang_up(stdout.fileno()):
                self.stop()
                raise RpcError(BACKEND_FAILED, "The host has gone; %s was ended." % arguments[0])
            answer = json.loads(stdout.readline().decode("ascii"))
        except (OSError, ValueError) as error:
            text = "The helper process of the agent ended while it was to run %s (%s). Start the same command again."
            raise RpcError(BACKEND_FAILED, text % (arguments[0], error))
        return Finished(answer["status"], answer["output"], answer["timed_out"], answer["missing"])

    def stop(self) -> None:
        """Ends the helper, and with it what it runs."""
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            self._child.wait(_JOIN_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def package_root() -> str:
    """What has to be on the module path for `device_agents` to be found: a folder, or the agent's zip file."""
    return os.path.dirname(os.path.dirname(os.path.abspath(device_agents.__file__)))


def run_program(
    arguments: List[str],
    folder: Optional[str] = None,
    environment: Optional[Dict[str, str]] = None,
    timeout_s: float = 60.0,
    watched: Optional[int] = None,
) -> Finished:
    """Runs a program in a process group of its own; no shell reads the arguments.

    Args:
        arguments: The program and what it gets.
        folder: Where it runs.
        environment: Variables in addition to those of this process.
        timeout_s: How long it may take; then its whole group is ended.
        watched: A descriptor that becomes readable when nobody waits any more.

    Raises:
        HostGoneError: `watched` became readable; the program was ended.
    """
    try:
        child = subprocess.Popen(
            arguments,
            cwd=folder,
            env=dict(os.environ, **(environment or {})),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return Finished(127, "%s cannot be started: %s." % (arguments[0], error.strerror), missing=True)
    tail = bytearray()
    reader = threading.Thread(target=_keep_tail, args=(child.stdout, tail), daemon=True)
    reader.start()
    try:
        in_time = _wait(child.pid, timeout_s, watched)
    finally:
        # What it started and left behind goes with it. Only afterwards is its number given back to the system.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        reader.join(_JOIN_S)
    return Finished(child.returncode, bytes(tail).decode("utf-8", "replace"), timed_out=not in_time)


def serve() -> int:
    """The helper process: runs what is asked for until its stdin ends."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while True:
        line = requests.readline()
        if not line:
            return 0
        request: Dict[str, Any] = json.loads(line.decode("ascii"))
        try:
            finished = run_program(watched=requests.fileno(), **request)
        except HostGoneError:
            return 1
        try:
            answers.write(json.dumps(vars(finished)).encode("ascii") + b"\n")
            answers.flush()
        except OSError:  # The agent has gone.
            return 1


def _comes_before_hang_up(answer: int) -> bool:
    """Waits until there is an answer; false when the agent's own stdin was hung up first.

    A compiler may run for many minutes. Without this, an agent whose host has gone would hold the device until its end.
    """
    poller = select.poll()
    poller.register(answer, select.POLLIN)
    # Nothing is read from there: only its end is told, which needs no asking for.
    poller.register(0, 0)
    while True:
        events = dict(poller.poll())
        if answer in events:
            return True
        if events.get(0, 0) & select.POLLHUP:
            return False
        poller.unregister(0)


def _wait(pid: int, timeout_s: float, watched: Optional[int]) -> bool:
    """Waits for the end of a process without taking its status; false when its time was over."""
    end = time.monotonic() + timeout_s
    delay = _SHORTEST_POLL_S
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() >= end:
            return False
        if select.select([] if watched is None else [watched], [], [], delay)[0]:
            raise HostGoneError
        delay = min(delay * 2, _LONGEST_POLL_S)
    return True


def _keep_tail(stream: Any, tail: bytearray) -> None:
    with contextlib.suppress(OSError, ValueError), stream:
        for block in iter(lambda: stream.read1(65536), b""):
            tail += block
            del tail[:-_MOST_OUTPUT_BYTES]
