"""A way to a device: run a program there, put a file there, get a file from there.

Everything above works with these three verbs alone, so a device at the other end of a network needs one more class
and nothing else.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Protocol, Self

from mosegedge.devices.inventory import Device
from mosegedge.errors import DeviceError

TRANSPORTS = {
    "local": "mosegedge.devices.local:LocalConnection",
    "ssh": "mosegedge.devices.ssh.connection:SshConnection",
}


class Process(Protocol):
    """A program that runs on the device, with its three streams."""

    stdin: IO[bytes]
    stdout: IO[bytes]
    stderr: IO[bytes]

    def poll(self) -> int | None:
        """Exit status, None while it runs; negative where something else than the program ended it."""

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end; raises TimeoutError when it does not come."""

    def kill(self) -> None:
        """Ends it at once, on the device too."""

    def lost(self) -> str:
        """Why the way to the program broke; empty while it stands, and when the program ended by itself."""


class Connection(Protocol):
    """A way to a device, open inside its context; it may be entered again after it was left.

    Attributes:
        cache: Folder on the device where mosegedge keeps files between runs.
        notes: What the user should know about this way, such as a slower path that had to be taken.
    """

    cache: str
    notes: list[str]

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def run(self, arguments: Sequence[str]) -> Process:
        """Starts a Python program with the device's interpreter.

        Args:
            arguments: Path of the program on the device and its arguments; no shell reads them.
        """

    def put(self, content: bytes, path: str) -> None:
        """Writes a file on the device; it appears whole or not at all."""

    def get(self, path: str) -> bytes:
        """Reads a file on the device."""


def connect(device: Device, *, accept_new_host_key: bool = False) -> Connection:
    """The connection of a device, not yet open.

    Args:
        device: The device.
        accept_new_host_key: Trust a device whose host key is not known yet, and remember the key.

    Raises:
        DeviceError: The device names a kind of connection that does not exist.
    """
    if device.connection not in TRANSPORTS:
        raise DeviceError(
            f"The device {device.name} is reached by {device.connection!r}, which is unknown.",
            known=f"Connections: {', '.join(sorted(TRANSPORTS))}.",
            fix=f"Correct `connection` in {device.source}.",
        )
    module, name = TRANSPORTS[device.connection].split(":")
    kind = getattr(importlib.import_module(module), name)
    connection: Connection = kind(device, accept_new_host_key=accept_new_host_key)
    return connection
