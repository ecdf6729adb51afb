"""A progress that interrupts."""

from __future__ import annotations

from mosegedge.progress import Silent


class StopAt(Silent):
    """Raises KeyboardInterrupt after some steps, as Ctrl-C does."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.left -= steps
        if self.left == 0:
            raise KeyboardInterrupt


class Losses(Silent):
    """Keeps the loss of every step."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.seen.append(float(note.split()[-1]))
