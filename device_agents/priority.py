"""The scheduler's favour while a burst is timed.

A program that shares its processor with others is interrupted every few milliseconds, and a network that runs longer
than that is never timed whole. Real-time scheduling keeps others out for the length of a burst; the kernel still
reserves a share for them. It needs a right that not every user has: then a higher priority is asked for, and where
that is refused as well, the conditions of the measurement say so.
"""

import contextlib
import os
from typing import Iterator, List

REAL_TIME, RAISED, NORMAL = "real-time", "raised", "normal"

_LOWEST_REAL_TIME = 1
_RAISED_NICENESS = -10


def favour() -> str:
    """What this process may have: real-time, raised or normal scheduling."""
    with preferred() as granted:
        return granted


@contextlib.contextmanager
def preferred() -> Iterator[str]:
    """Has all threads of this process scheduled ahead of others inside the context; yields what was granted."""
    if not hasattr(os, "sched_setscheduler"):
        yield NORMAL
        return
    threads = _threads()
    try:
        _schedule(threads, os.SCHED_FIFO, _LOWEST_REAL_TIME)
    except OSError:
        yield RAISED if _raise_niceness(threads) else NORMAL
        return
    try:
        yield REAL_TIME
    finally:
        _schedule(threads, os.SCHED_OTHER, 0)


def _threads() -> List[int]:
    try:
        return [int(name) for name in os.listdir("/proc/self/task")]
    except OSError:
        return [0]


def _schedule(threads: List[int], policy: int, priority: int) -> None:
    for thread in threads:
        with contextlib.suppress(ProcessLookupError):  # A thread of the runtime has ended meanwhile.
            os.sched_setscheduler(thread, policy, os.sched_param(priority))


def _raise_niceness(threads: List[int]) -> bool:
    """Stays raised: a process may not always lower its own niceness twice."""
    try:
        for thread in threads:
            os.setpriority(os.PRIO_PROCESS, thread, _RAISED_NICENESS)
    except OSError:
        return False
    return True
