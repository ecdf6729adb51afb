"""The lock that keeps two runs from timing one device at once.

The operating system releases it when the agent ends, however it ends, so a lock never has to be removed by hand. The
file says who holds it.
"""

import errno
import json
import os
import socket
import time
from typing import Any, Dict, Optional

from device_agents.protocol import BACKEND_FAILED, DEVICE_BUSY, RpcError

try:
    import fcntl
except ImportError:  # Not a POSIX system.
    fcntl = None  # type: ignore[assignment]

DEFAULT_PATH = "/tmp/mosegedge-device.lock"  # noqa: S108 - one file that every user of the device can find
_POLL_S = 0.2


class DeviceLock:
    """One lock file; `acquire` may be called again by its holder."""

    def __init__(self, path: str) -> None:
        self.path = path or os.environ.get("MOSEGEDGE_LOCK") or DEFAULT_PATH
        self._descriptor: Optional[int] = None

    def acquire(self, owner: str, wait_s: int) -> Dict[str, Any]:
        """Takes the lock and returns what the file now says about its holder.

        Args:
            owner: Who asks, for the message that others get.
            wait_s: How long to wait for another holder to finish.

        Raises:
            RpcError: Someone else holds it; the error's data says who and since when.
        """
        if fcntl is None:
            raise RpcError(BACKEND_FAILED, "This system has no file locks, so runs cannot be kept apart.")
        if self._descriptor is None:
            self._descriptor = self._wait(_open(self.path), wait_s)
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": since, "owner": owner}
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(holder).encode("utf-8"), 0)
        return holder

    def _wait(self, descriptor: int, wait_s: int) -> int:
        end = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return descriptor
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    os.close(descriptor)
                    raise
                if time.monotonic() >= end:
                    holder = _holder(descriptor)
                    os.close(descriptor)
                    raise RpcError(DEVICE_BUSY, _sentence(holder), holder)
            time.sleep(_POLL_S)


def _open(path: str) -> int:
    """Opens the file for any user of the device; a link is not followed."""
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        try:
            # Without O_CREAT first: a protected sticky folder refuses it for a file of another user.
            return os.open(path, flags)
        except FileNotFoundError:
            descriptor = os.open(path, flags | os.O_CREAT, 0o666)
            os.fchmod(descriptor, 0o666)
            return descriptor
    except OSError as error:
        raise RpcError(BACKEND_FAILED, "The lock file %s cannot be opened: %s." % (path, error.strerror))


def _holder(descriptor: int) -> Dict[str, Any]:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0).decode("utf-8"))
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}


def _sentence(holder: Dict[str, Any]) -> str:
    if not holder:
        return "Another run is timing this device."
    return "Another run is timing this device: %s (process %s on %s, since %s)." % (
        holder.get("owner"),
        holder.get("pid"),
        holder.get("host"),
        holder.get("since"),
    )
