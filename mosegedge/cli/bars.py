"""Progress on a terminal (a live bar) and in a log (a line now and then)."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichBar

_SECONDS_BETWEEN_LINES = 10.0


class RichProgress:
    """A live bar on stderr; also a context manager, so that the terminal is whole again afterwards."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar = RichBar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[note]}"),
            console=self._console,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> RichProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def start(self, what: str, total: int, done: int = 0) -> None:
        """Begins a new bar."""
        self._task = self._bar.add_task(what, total=total, completed=done, note="")

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Moves the bar."""
        if self._task is not None:
            self._bar.update(self._task, advance=steps, note=note)

    def say(self, text: str) -> None:
        """Prints a line above the bar."""
        self._console.print(text, highlight=False, markup=False)


class LineProgress:
    """Lines on stderr, at most one every ten seconds and one at the end."""

    def __init__(self) -> None:
        self._what = ""
        self._total = self._done = self._done_before = 0
        self._started = self._printed = 0.0

    def start(self, what: str, total: int, done: int = 0) -> None:
        """Begins a new piece of work."""
        self._what, self._total, self._done, self._done_before = what, total, done, done
        self._started = time.monotonic()
        self._printed = self._started

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Counts steps, and prints a line when it is time for one."""
        self._done += steps
        now = time.monotonic()
        if self._done >= self._total or now - self._printed >= _SECONDS_BETWEEN_LINES:
            self._printed = now
            pace = (now - self._started) / max(1, self._done - self._done_before)
            left = max(0, self._total - self._done) * pace
            self.say(f"{self._what}: {self._done}/{self._total}, {left:.0f} s left{'; ' + note if note else ''}")

    def say(self, text: str) -> None:
        """Prints a line."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
