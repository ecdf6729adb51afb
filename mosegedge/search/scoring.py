"""How networks are scored in a search, and what decides the scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mosegedge import __version__
from mosegedge.data import SegmentationSet
from mosegedge.data.room import usual_bytes
from mosegedge.errors import UsageError
from mosegedge.files import sha256_of_file
from mosegedge.supernet.checkpoint import SupernetInfo, load_supernet
from mosegedge.supernet.evaluate import InheritedEvaluator
from mosegedge.supernet.model import Supernet


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """How networks are scored.

    Attributes:
        supernet: Checkpoint whose weights they inherit.
        train: Training pictures, for batch-norm statistics.
        guide: Held-out pictures, for mIoU.
        statistics_pictures: How many of the former; at least 8, a batch.
        guide_pictures: How many of the latter; None for all.
        processes: How many on this machine score networks, and share its memory for pictures.

    Raises:
        UsageError: Too few pictures are asked for.
    """

    supernet: Path
    train: SegmentationSet
    guide: SegmentationSet
    statistics_pictures: int = 64
    guide_pictures: int | None = None
    processes: int = 1

    def __post_init__(self) -> None:
        for name, least in (("statistics_pictures", 8), ("guide_pictures", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"{name} is {value}; it must be at least {least}.")

    def evaluator(self, supernet: Supernet, *, device: torch.device | None = None) -> InheritedEvaluator:
        """Scores networks with the weights of the checkpoint, which the caller has loaded; on the CPU by default."""
        return InheritedEvaluator(
            supernet,
            self.train,
            self.guide,
            statistics_pictures=self.statistics_pictures,
            guide_pictures=self.guide_pictures,
            device=device,
            most_bytes=usual_bytes(self.processes),
        )

    def require_classes(self, info: SupernetInfo) -> None:
        """Raises CheckpointError where the supernet was trained on classes of other names or in another order."""
        info.require_classes(self.guide.classes, self.guide.name, self.supernet)

    def alone(self) -> tuple[InheritedEvaluator, dict[str, Any]]:
        """The evaluation and its facts, for a process that does nothing else.

        Raises:
            CheckpointError: The supernet cannot be read, or was trained on other classes.
        """
        supernet, info = load_supernet(self.supernet)
        self.require_classes(info)
        return self.evaluator(supernet), self.facts()

    @property
    def pictures(self) -> dict[str, int]:
        """How many pictures are looked at."""
        return {
            "statistics_pictures": self.statistics_pictures,
            "guide_pictures": self.guide_pictures or len(self.guide),
        }

    def facts(self) -> dict[str, Any]:
        """What decides a score: processes that agree on it, on processors of one kind, give a network the same one."""
        return {
            "supernet": sha256_of_file(self.supernet),
            "data": self.guide.name,
            **self.pictures,
            "threads": torch.get_num_threads(),
            "torch": str(torch.__version__),
            "mosegedge": __version__,
        }
