"""How long work reports where it is, without knowing who shows it."""

from __future__ import annotations

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
