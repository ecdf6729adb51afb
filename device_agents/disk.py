"""What to say when the system refuses a file: mostly a full disk, which a board with a small card meets sooner."""

import errno
import os
from typing import Sequence

_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_MIB = 1024 * 1024


def sentence(error: OSError, folders: Sequence[str]) -> str:
    """A failure of the system for the user, with the folder, what is free in it, and the next step.

    Args:
        error: What was raised; only some name their file.
        folders: Where the agent writes, named when the failure names nothing.
    """
    name = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else ""
    places = [os.path.dirname(name)] if os.path.dirname(name) else list(folders)
    rooms = ", ".join("%d MiB free in %s" % (free_mib(place), place) for place in places)
    said = "%s%s" % (error.strerror or str(error) or type(error).__name__, ": %s" % name if name else "")
    if error.errno in _FULL:
        text = "The device's disk is full: %s (%s). Free some space, or set `cache` of the device to another disk."
        return text % (said, rooms)
    if error.errno in _REFUSED:
        text = "The device's user may not use a file or folder: %s (%s). Give the user the right to, or set `cache` of "
        return (text + "the device to a folder of the user's own.") % (said, rooms)
    return "The device's system refused something: %s." % said.rstrip(".")


def free_mib(folder: str) -> int:
    """What this user can still write into the closest folder that exists; 0 where that cannot be told."""
    while folder and not os.path.isdir(folder):
        folder = os.path.dirname(folder.rstrip("/"))
    try:
        status = os.statvfs(folder or "/")
    except (OSError, AttributeError):  # It went away meanwhile; or the system is not POSIX.
        return 0
    return status.f_bavail * status.f_frsize // _MIB
