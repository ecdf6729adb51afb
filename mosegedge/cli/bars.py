"""Progress on a terminal (a live bar) and in a log (a line now and then)."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichBar
from rich.table import Column

from mosegedge.progress import TERMINAL

_SECONDS_BETWEEN_LINES = 10.0
_BAR_WIDTH = 20


class RichProgress:
    """A live bar on stderr; also a context manager, so that the terminal is whole again afterwards."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar = _bar_on(self._console)
        self._task: TaskID | None = None

    def __enter__(self) -> RichProgress:
        self._closing = _shown(self._bar)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def start(self, what: str, total: int, done: int = 0) -> None:
        """Begins a new bar."""
        self._task = self._bar.add_task(what, total=total, completed=done, note="")

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Moves the bar."""
        if self._task is not None:
            self._bar.update(self._task, advance=steps, note=note)

    def say(self, text: str) -> None:
        """Prints a line above the bar."""
        TERMINAL.print_line(lambda: self._console.print(text, highlight=False, markup=False))


class DeviceBars:
    """A live line for each of several devices on stderr; also a context manager, as `RichProgress`."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar = _bar_on(self._console)

    def __enter__(self) -> DeviceBars:
        self._closing = _shown(self._bar)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def of(self, device: str) -> DeviceBar:
        """The line of one device."""
        return DeviceBar(device, self._bar, self._console)


class DeviceBar:
    """One device's line, used for one piece of work after the other; safe to use from a thread of its own."""

    def __init__(self, device: str, bar: RichBar, console: Console) -> None:
        self._device = device
        self._bar = bar
        self._console = console
        self._task = bar.add_task(f"{device}: waiting", total=None, note="")

    def start(self, what: str, total: int, done: int = 0) -> None:
        """Begins a new piece of work on the same line."""
        self._bar.reset(self._task, total=total, completed=done, description=f"{self._device}: {what}", note="")

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Moves the bar."""
        self._bar.update(self._task, advance=steps, note=note)

    def say(self, text: str) -> None:
        """Prints a line above all bars."""
        TERMINAL.print_line(lambda: self._console.print(f"{self._device}: {text}", highlight=False, markup=False))


def _shown(bar: RichBar) -> ExitStack:
    """Shows a bar until the stack is closed, but for the time of questions on the terminal."""
    stack = ExitStack()
    stack.enter_context(TERMINAL.drawing(bar.stop, bar.start))
    bar.start()
    stack.callback(bar.stop)
    return stack


def _bar_on(console: Console) -> RichBar:
    """The note takes what is left of the line; numbers are never cut for it."""
    note = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    return RichBar(
        TextColumn("{task.description}"),
        BarColumn(bar_width=_BAR_WIDTH),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[note]}", table_column=note),
        console=console,
        expand=True,
    )


class LineProgress:
    """Lines on stderr, at most one every ten seconds and one at the end.

    Args:
        prefix: Begins every line: which device it is about, where there are several.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
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
        sys.stderr.write(f"{self._prefix}{text}\n")
        sys.stderr.flush()
