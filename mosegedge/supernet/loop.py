"""The loop that every training shares: batches in, steps, curves, states on disk."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mosegedge.data.batches import Batch
from mosegedge.progress import Progress
from mosegedge.supernet.fitting import Fitter
from mosegedge.supernet.state import STATE_FILE, Log, Origin, save_state

CHECKPOINT_STEPS = 50


class Stream(AbstractContextManager[object], Protocol):
    """Batches from a step on, for ever."""

    def __next__(self) -> Batch: ...


@dataclass(frozen=True, kw_only=True)
class Loop:
    """What stays the same through a training.

    Attributes:
        fitter: The optimiser and what it remembers.
        origin: What decides the training, for the headers of its files.
        folder: Run folder.
        progress: Told about every step.
        checkpoint_steps: Steps between saved states; a kill loses at most as many.
    """

    fitter: Fitter
    origin: Origin
    folder: Path
    progress: Progress
    checkpoint_steps: int

    def run(self, start: int, stream: Stream, take_step: Callable[[Batch], dict[str, float]]) -> None:
        """Takes all steps from one on.

        Args:
            start: The first step.
            stream: Batches from that step on.
            take_step: Changes the weights, and returns losses by name, the first of which is shown.
        """
        steps, ranks = self.fitter.config.steps, self.fitter.place.ranks
        self.progress.start("training", steps, start)
        with Log(self.folder / "tensorboard", start, ranks) as log, stream:
            for step in range(start, steps):
                losses = take_step(next(stream))
                log.add(losses, step)
                self.progress.advance(note=f"loss {next(iter(losses.values())):.3f}")
                # Never in the middle of a step, also not at Ctrl-C: going on from there would not be exact.
                if (step + 1) % self.checkpoint_steps == 0 or step + 1 == steps:
                    save_state(self.folder / STATE_FILE, self.fitter, self.origin, step + 1)
