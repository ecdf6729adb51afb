"""SIGTERM as an exception: launchers end all other processes by it as soon as one of them is lost."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mosegedge.errors import RankLostError

_BY_SIGTERM = 128 + signal.SIGTERM


class Stopped(BaseException):
    """SIGTERM came; no error of an evaluation, so that no one takes it for that."""


class Guard:
    """Turns the first SIGTERM into `Stopped`; one that comes while the end is being told is passed over."""

    def __init__(self) -> None:
        self._armed = True

    def disarm(self) -> None:
        """From here on the process ends anyway, and says why."""
        self._armed = False

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        """The handler of the signal."""
        if self._armed:
            self.disarm()
            raise Stopped


@contextmanager
def stopping() -> Iterator[Guard]:
    """SIGTERM raises `Stopped` inside; one that nobody catches ends the process. For the main thread only.

    Where the context ends by the loss of a rank, SIGTERM is passed over from there on: the launcher is about to send
    it, and what happened has still to be said.
    """
    guard = Guard()
    before = signal.signal(signal.SIGTERM, guard.stop)
    try:
        yield guard
    except Stopped:
        raise SystemExit(_BY_SIGTERM) from None
    except RankLostError:
        guard.disarm()
        raise
    except BaseException:
        signal.signal(signal.SIGTERM, before)
        raise
    signal.signal(signal.SIGTERM, before)
