"""This machine as a device: the same verbs as for a board, so that the whole flow is the same."""

from __future__ import annotations

import contextlib
import getpass
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from mosegedge.devices.inventory import Device
from mosegedge.errors import DeviceError
from mosegedge.files import write_atomic

_START_S = 60.0


class LocalProcess:
    """A child process with pipes, out of reach of the terminal's Ctrl-C: that one is for the host."""

    def __init__(self, command: Sequence[str]) -> None:
        try:
            self._child = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise DeviceError(
                f"{command[0]} cannot be started: {error.strerror}.", fix="Correct `interpreter` in devices.toml."
            ) from error
        self.stdin = _pipe(self._child.stdin)
        self.stdout = _pipe(self._child.stdout)
        self.stderr = _pipe(self._child.stderr)
        self.pid = self._child.pid

    def poll(self) -> int | None:
        """Exit status, None while it runs."""
        return self._child.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end; raises TimeoutError when it does not come."""
        try:
            return self._child.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(str(error)) from error

    def kill(self) -> None:
        """Ends it at once, and the compilers that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def discard(self) -> None:
        """Ends it, and gives back what it holds."""
        self.kill()
        self._child.wait()
        for stream in (self.stdin, self.stdout, self.stderr):
            with contextlib.suppress(OSError):
                stream.close()

    def lost(self) -> str:
        """Nothing can break between a program and its parent."""
        return ""


class LocalConnection:
    """Runs programs and copies files on this machine."""

    def __init__(self, device: Device, *, accept_new_host_key: bool = False) -> None:
        del accept_new_host_key  # There is no host to mistake for another.
        self.notes: list[str] = []
        self._device = device
        self._interpreters = [_here(path) if "/" in path else path for path in _listed(device.interpreter)]
        self._environments = [_here(path) for path in _listed(device.environment)]
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        self.cache = device.cache or str(Path(home) / "mosegedge")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close: processes belong to those who started them."""

    def run(self, arguments: Sequence[str]) -> LocalProcess:
        """Starts a Python program with the device's interpreter, in its environment."""
        interpreters = self._interpreters or [sys.executable]
        if len(interpreters) == 1 and not self._environments:
            return LocalProcess([*interpreters, *arguments])
        return self._started(interpreters, arguments)

    def put(self, content: bytes, path: str) -> None:
        """Writes a file unless it is there already; it appears whole or not at all."""
        try:
            if not (Path(path).is_file() and Path(path).read_bytes() == content):
                write_atomic(Path(path), content)
        except OSError as error:
            raise DeviceError(f"{path} cannot be written: {error.strerror}.", fix="Free some disk space.") from error

    def get(self, path: str) -> bytes:
        """Reads a file."""
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise DeviceError(f"{path} cannot be read: {error.strerror}.") from error

    def _started(self, interpreters: Sequence[str], arguments: Sequence[str]) -> LocalProcess:
        """Where there is something to choose or to read first: the shell that becomes the program, as on a board."""
        from mosegedge.devices.ssh.answer import Wanted, ended_by_script, read_answer, refusal
        from mosegedge.devices.ssh.start import STARTED, start_program

        start = start_program(interpreters, self._environments, arguments)
        process = LocalProcess(["sh", "-c", start.command])
        timer = threading.Timer(_START_S, process.kill)
        timer.start()
        try:
            answer = read_answer(start, process.stdout.readline)
            if answer.word == STARTED:
                if answer.note and answer.note not in self.notes:
                    self.notes.append(answer.note)
                return process
            wanted = Wanted(
                name=self._device.name,
                user=getpass.getuser(),
                interpreters=interpreters,
                environments=self._environments,
                source=self._device.source,
            )
            if answer.word:
                raise refusal(wanted, answer)
            if answer.is_endless:
                process.kill()
            raise ended_by_script(wanted, answer, process.wait(), process.stderr.read())
        except BaseException:
            process.discard()
            raise
        finally:
            timer.cancel()


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _here(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None, "every stream was asked for as a pipe"
    return stream
