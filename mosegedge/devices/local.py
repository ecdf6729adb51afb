"""This machine as a device: the same verbs as for a board, so that the whole flow is the same."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from mosegedge.devices.inventory import Device
from mosegedge.errors import DeviceError
from mosegedge.files import write_atomic


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

    def lost(self) -> str:
        """Nothing can break between a program and its parent."""
        return ""


class LocalConnection:
    """Runs programs and copies files on this machine."""

    def __init__(self, device: Device, *, accept_new_host_key: bool = False) -> None:
        del accept_new_host_key  # There is no host to mistake for another.
        self.notes: list[str] = []
        self._interpreter = device.interpreter or sys.executable
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        self.cache = device.cache or str(Path(home) / "mosegedge")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close: processes belong to those who started them."""

    def run(self, arguments: Sequence[str]) -> LocalProcess:
        """Starts a Python program with the device's interpreter."""
        return LocalProcess([self._interpreter, *arguments])

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


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None, "every stream was asked for as a pipe"
    return stream
