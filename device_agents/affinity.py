"""Which cores time: as many as there are threads, the same ones from the first burst to the last.

A thread that the scheduler moves finds cold caches, and on a board with large and small cores another speed. The
threads of a runtime start after the agent was pinned and inherit its cores.
"""

import contextlib
import os
from typing import List, Optional

CORES = "MOSEGEDGE_CORES"

_SYS_CPU = "/sys/devices/system/cpu"


def pin(threads: int) -> Optional[List[int]]:
    """Keeps this process on as many cores as it has threads; returns them, or None where it may go anywhere.

    The environment variable MOSEGEDGE_CORES names them, as `2,3`, or `all` for no pinning. Otherwise they are the
    fastest ones of those that the process may use, no two of one physical core while there are others. A process that
    was started with no more cores than threads stays as it is.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    allowed = sorted(os.sched_getaffinity(0))
    asked = os.environ.get(CORES, "").strip()
    if asked == "all":
        return pinned()
    cores = _named(asked) if asked else chosen(allowed, threads)
    if cores:
        for thread in _threads():
            with contextlib.suppress(OSError):  # It has ended, or a core is not this process's to use.
                os.sched_setaffinity(thread, cores)
    return pinned()


def pinned() -> Optional[List[int]]:
    """The cores that this process is kept on; None where it may use all, or the system does not tell."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    return cores if len(cores) < (os.cpu_count() or 1) else None


def chosen(allowed: List[int], threads: int) -> List[int]:
    """The cores for some threads; empty where there are no more than that.

    Core 0 comes last: it has most of the system's interrupts.
    """
    if threads >= len(allowed):
        return []
    seen = set()
    first: List[int] = []
    second: List[int] = []
    for core in sorted(allowed, key=lambda core: (-_khz(core), -core)):
        siblings = _read("%s/cpu%d/topology/thread_siblings_list" % (_SYS_CPU, core)) or str(core)
        (second if siblings in seen else first).append(core)
        seen.add(siblings)
    return sorted((first + second)[:threads])


def _named(text: str) -> List[int]:
    return sorted({int(part) for part in text.split(",") if part.strip().isdigit()})


def _khz(core: int) -> int:
    text = _read("%s/cpu%d/cpufreq/cpuinfo_max_freq" % (_SYS_CPU, core))
    return int(text) if text and text.isdigit() else 0


def _threads() -> List[int]:
    try:
        return [int(name) for name in os.listdir("/proc/self/task")]
    except OSError:
        return [0]


def _read(path: str) -> Optional[str]:
    try:
        with open(path) as stream:
            return stream.read().strip()
    except (OSError, UnicodeDecodeError):
        return None
