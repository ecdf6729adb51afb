"""How long work reports where it is, without knowing who shows it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol


class Progress(Protocol):
    """Receives the state of a piece of work; the command line shows it as a bar with the time left."""

    def start(self, what: str, total: int, done: int = 0) -> None:
        """Begins a piece of work of `total` steps, of which `done` were made by an earlier run."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Counts finished steps; `note` is one short line about the latest one."""

    def say(self, text: str) -> None:
        """One line that stays on the screen."""


class Silent:
    """Shows nothing."""

    def start(self, what: str, total: int, done: int = 0) -> None:
        """Does nothing."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Does nothing."""

    def say(self, text: str) -> None:
        """Does nothing."""


class Terminal:
    """The terminal of this process: what is drawn on it all the time makes room while somebody is asked."""

    def __init__(self) -> None:
        self._one_question = threading.RLock()
        self._drawn: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self._printing = threading.Lock()
        self._questions = 0
        self._held_back: list[Callable[[], None]] = []

    @contextmanager
    def drawing(self, pause: Callable[[], None], resume: Callable[[], None]) -> Iterator[None]:
        """Something is drawn in this context; it is told to stop before a question and to go on after it."""
        with self._one_question:
            self._drawn.append((pause, resume))
        try:
            yield
        finally:
            with self._one_question:
                self._drawn.remove((pause, resume))

    @contextmanager
    def asking(self) -> Iterator[None]:
        """The terminal belongs to one question in this context; others wait for their turn."""
        with self._one_question:
            with self._printing:
                self._questions += 1
            with ExitStack() as after:
                after.callback(self._answered)
                for pause, resume in list(self._drawn):
                    pause()
                    after.callback(resume)
                yield

    def print_line(self, show: Callable[[], None]) -> None:
        """Prints a line now, or after the question that is open."""
        with self._printing:
            if self._questions:
                self._held_back.append(show)
            else:
                show()

    def _answered(self) -> None:
        with self._printing:
            self._questions -= 1
            if not self._questions:
                held_back, self._held_back = self._held_back, []
                for show in held_back:
                    show()


# A process has one terminal, and those who ask do not know those who draw.
TERMINAL = Terminal()
