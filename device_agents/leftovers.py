"""What an agent that was killed could not remove: unfinished builds, tensors, halves of files, agents of old versions.

Names of unfinished things hold the host and the process that made them, so the next agent can tell whether that one
still lives; a home folder may be shared by several boards. What cannot be told goes when it is a day old.
"""

import contextlib
import os
import re
import shutil
import socket
import time
from typing import List

_OLD_S = 24 * 3600
_KEPT_AGENTS = 4
_MADE_BY = re.compile(r"mosegedge-(?:build|tensors|timing)-(?P<host>[A-Za-z0-9_-]+)-(?P<pid>[0-9]+)-[^-]*")
_MADE = re.compile(r"mosegedge-(?:build|tensors|timing)-|\.")


def prefix(kind: str) -> str:
    """How the name of an unfinished thing of this process begins.

    Args:
        kind: build, tensors or timing.
    """
    return "mosegedge-%s-%s-%d-" % (kind, _host(), os.getpid())


def remove_leftovers(root: str, temporary: str, agent: str = "") -> None:
    """Removes what nobody will finish or use; what cannot be removed stays.

    Args:
        root: The cache folder.
        temporary: The folder for temporary files.
        agent: This agent's own file, which is in use.
    """
    for folder in (os.path.join(root, name) for name in ("models", "built", "agents")):
        for name in _names(folder):
            if _MADE.match(name):
                _remove_if_left_over(folder, name)
    for name in _names(temporary):
        if name.startswith("mosegedge-tensors-"):
            _remove_if_left_over(temporary, name)
    _prune_agents(os.path.join(root, "agents"), agent)


def _remove_if_left_over(folder: str, name: str) -> None:
    path = os.path.join(folder, name)
    with contextlib.suppress(OSError):  # Another agent removed it.
        status = os.lstat(path)
        if status.st_uid != os.getuid():
            return
        made = _MADE_BY.match(name)
        ended = made is not None and made.group("host") == _host() and not _lives(int(made.group("pid")))
        if not ended and time.time() - status.st_mtime < _OLD_S:
            return
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.remove(path)


def _prune_agents(folder: str, own: str) -> None:
    """Keeps the newest; a younger one may be running, and reads its modules from its file as it needs them."""
    if own and os.path.dirname(os.path.abspath(own)) == folder:
        with contextlib.suppress(OSError):  # It belongs to another user.
            os.utime(own, None)
    found = []
    for name in _names(folder):
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError):  # Another agent removed it.
            if name.endswith(".pyz"):
                found.append((os.stat(path).st_mtime, path))
    for changed, path in sorted(found)[:-_KEPT_AGENTS]:
        if time.time() - changed > _OLD_S:
            with contextlib.suppress(OSError):
                os.remove(path)


def _names(folder: str) -> List[str]:
    try:
        return os.listdir(folder)
    except OSError:  # There is none yet.
        return []


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # It lives and is another user's.
        return True
    return True


def _host() -> str:
    """Name of this board in letters that every compiler takes in a path."""
    return re.sub("[^A-Za-z0-9_]", "_", socket.gethostname()) or "host"
