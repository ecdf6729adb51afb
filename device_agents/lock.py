"""The lock that keeps two runs from timing one device at once.

The operating system releases it when the agent ends, however it ends, so a lock never has to be removed by hand. The
file says who holds it. A run whose connection broke may leave its agent behind: an agent of the same run ends that one
and takes over; an agent of any other run is told who holds the device.
"""

import contextlib
import errno
import getpass
import json
import os
import signal
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
_TERMINATION_S = 2.0
_PROC = "/proc"


class DeviceLock:
    """One lock file; `acquire` may be called again by its holder."""

    def __init__(self, path: str) -> None:
        self.path = path or os.environ.get("MOSEGEDGE_LOCK") or DEFAULT_PATH
        self._descriptor: Optional[int] = None

    def acquire(self, owner: str, wait_s: int, run: str = "") -> Dict[str, Any]:
        """Takes the lock and returns what the file now says about its holder.

        Args:
            owner: Who asks, for the message that others get.
            wait_s: How long to wait for another holder to finish.
            run: Token of the run that asks, as `host:pid:random`; an agent left over from the same run is ended.

        Raises:
            RpcError: Someone else holds it; the error's data says who and since when.
        """
        if fcntl is None:
            raise RpcError(BACKEND_FAILED, "This system has no file locks, so runs cannot be kept apart.")
        if self._descriptor is None:
            self._descriptor = self._wait(_open(self.path), wait_s, run)
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "user": _user(),
            "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "owner": owner,
            "run": run,
        }
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(holder).encode("utf-8"), 0)
        return holder

    def _wait(self, descriptor: int, wait_s: int, run: str) -> int:
        end = time.monotonic() + wait_s
        try:
            while not _taken(descriptor):
                holder = _holder(descriptor)
                if run and holder.get("run") == run and _end_left_over(holder.get("pid")):
                    # A process that ends gives its memory back first and its locks a moment later.
                    end = max(end, time.monotonic() + _TERMINATION_S)
                if time.monotonic() >= end:
                    raise RpcError(DEVICE_BUSY, _sentence(holder), holder)
                time.sleep(_POLL_S)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False
    return True


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


def _end_left_over(pid: Any) -> bool:
    """Ends an agent that its run has lost, gently first; returns whether there was one and it is gone."""
    if not _is_own_agent(pid):
        return False
    for number in (signal.SIGTERM, signal.SIGKILL):
        _signal(pid, number)
        end = time.monotonic() + _TERMINATION_S
        while time.monotonic() < end:
            if not _is_own_agent(pid):
                return True
            time.sleep(_POLL_S / 10)
    return False


def _is_own_agent(pid: Any) -> bool:
    """Whether a process is alive, belongs to this user and was started from an agent's zip file."""
    if not isinstance(pid, int) or pid <= 1 or pid == os.getpid():
        return False
    place = "%s/%d" % (_PROC, pid)
    try:
        with open(place + "/cmdline", "rb") as stream:
            arguments = stream.read().split(b"\0")
        return os.stat(place).st_uid == os.getuid() and any(part.endswith(b".pyz") for part in arguments[:4])
    except OSError:
        return False


def _signal(pid: int, number: int) -> None:
    """Reaches the compilers that an agent has started too, where the agent leads a group of processes."""
    with contextlib.suppress(OSError):  # It has ended meanwhile.
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # A number without a name, on a board without a list of users.
        return str(os.getuid())


def _holder(descriptor: int) -> Dict[str, Any]:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0).decode("utf-8"))
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}


def _sentence(holder: Dict[str, Any]) -> str:
    if not holder:
        return "Another run is timing this device."
    text = "Another run is timing this device: %s of %s (process %s on %s, since %s)" % (
        holder.get("owner"),
        holder.get("user"),
        holder.get("pid"),
        holder.get("host"),
        holder.get("since"),
    )
    started = str(holder.get("run") or "").split(":")
    return text + (", started by process %s on %s." % (started[1], started[0]) if len(started) == 3 else ".")
