"""Memory for pictures that are needed again and again: how much of it may be used, and what is left."""

from __future__ import annotations

from pathlib import Path

_SHARE = 4
_LEAST = 256 << 20
_UNKNOWN = 2 << 30


class Room:
    """A number of bytes that several owners share.

    Args:
        most_bytes: How many there are.
    """

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes

    def take(self, size: int) -> bool:
        """Takes a number of bytes for good; False where fewer are left."""
        if size > self._left:
            return False
        self._left -= size
        return True


def usual_bytes(processes: int = 1) -> int:
    """A quarter of the memory that is free now, 2 GiB where the system does not say; 256 MiB at least.

    Args:
        processes: How many on this machine share it.
    """
    free = free_bytes()
    return max(_LEAST, (_UNKNOWN if free is None else free // _SHARE) // processes)


def free_bytes(root: Path = Path("/")) -> int | None:
    """Memory that this process could still take on its machine or in its container; None where the system is silent.

    Args:
        root: Where `proc` and `sys` are.
    """
    found = [_of_machine(root / "proc/meminfo"), _of_container(root / "sys/fs/cgroup")]
    known = [free for free in found if free is not None]
    return min(known, default=None)


def _of_machine(meminfo: Path) -> int | None:
    for line in _text(meminfo).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return None


def _of_container(groups: Path) -> int | None:
    """The limit of control groups, version 2 or 1, less what is taken, files that can be read again left out."""
    for folder, limit, used, reread in (
        (groups, "memory.max", "memory.current", "inactive_file"),
        (groups / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        most, taken = _text(folder / limit).strip(), _text(folder / used).strip()
        if most.isdigit() and taken.isdigit():
            lines = (line.split() for line in _text(folder / "memory.stat").splitlines())
            return max(0, int(most) - int(taken) + sum(int(line[1]) for line in lines if line[0] == reread))
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
