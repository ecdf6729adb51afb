"""Threads for reading files: decoding and resizing let go of Python's lock, so more cores read more pictures."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_MOST = 8
_AHEAD = 4  # a bound, since pictures are large


def spare_cores() -> int:
    """Threads that leave a core to whoever uses what they read; at least one, at most eight."""
    return max(1, min(_MOST, len(os.sched_getaffinity(0)) - 1))


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ahead: int = _AHEAD
) -> Iterator[Result]:
    """The results of a function, in the order of its arguments, computed by several threads ahead of their use.

    An error of the function is raised where its result would have come.

    Args:
        function: May be called by several threads at once.
        items: Its arguments.
        workers: Threads.
        ahead: Results that wait for their turn, for each thread.
    """
    rest = iter(items)
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="reading")
    try:
        pending.extend(pool.submit(function, item) for item in islice(rest, workers * ahead))
        while pending:
            result = pending.popleft().result()
            pending.extend(pool.submit(function, item) for item in islice(rest, 1))
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
