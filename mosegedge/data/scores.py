"""Everything that is counted while a network is scored on one part of a data set."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mosegedge.data.boundaries import BoundaryCounts
from mosegedge.data.dataset import Sample
from mosegedge.data.labels import IGNORE
from mosegedge.data.metrics import ClassScore, ConfusionMatrix


class PartScores:
    """Scores over any number of pictures, at the size of their labels.

    Args:
        classes: Class names.
        boundary_share: Width of the band that Boundary IoU looks at, in diagonals; without one it is not counted.

    Attributes:
        matrix: Pixels by true and predicted class.
        boundaries: Counts along edges, where they are wanted.
        pictures: Pictures so far.
        ignored: Their pixels without a label.
    """

    def __init__(self, classes: Sequence[str], *, boundary_share: float | None = None) -> None:
        self.classes = tuple(classes)
        self.matrix = ConfusionMatrix(len(self.classes))
        self.boundaries: BoundaryCounts | None = None
        if boundary_share is not None:
            self.boundaries = BoundaryCounts(len(self.classes), share=boundary_share)
        self.pictures = self.ignored = 0
        self._digest = hashlib.sha256()

    def update(self, sample: Sample, prediction: NDArray[np.uint8]) -> None:
        """Counts one picture.

        Args:
            sample: The picture with its true labels.
            prediction: H x W class numbers, at the size of the labels.
        """
        self.matrix.update(prediction, sample.mask)
        if self.boundaries is not None:
            self.boundaries.update(prediction, sample.mask)
        self.pictures += 1
        self.ignored += int((sample.mask == IGNORE).sum())
        for pixels in (sample.image, sample.mask):
            self._digest.update(f"{pixels.shape}".encode() + pixels.tobytes())

    @property
    def pixels_sha256(self) -> str:
        """Digest of all pictures and labels as they were decoded, in their order."""
        return self._digest.hexdigest()

    @property
    def absent(self) -> tuple[str, ...]:
        """Classes that are neither in the labels nor in the predictions; they are in no mean."""
        return tuple(row.name for row in self.rows() if math.isnan(row.iou))

    def rows(self) -> list[ClassScore]:
        """Scores of every class, in the order of their numbers."""
        rows = self.matrix.scores(self.classes)
        if self.boundaries is None:
            return rows
        return [replace(row, boundary_iou=float(iou)) for row, iou in zip(rows, self.boundaries.iou(), strict=True)]

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values; None where a score is not defined."""
        total = max(1, int(self.matrix.counts.sum()))
        boundary = None
        if self.boundaries is not None:
            boundary = {"share": self.boundaries.share, "miou": _number(self.boundaries.miou)}
        return {
            "pictures": self.pictures,
            "miou": _number(self.matrix.miou),
            "pixel_accuracy": _number(self.matrix.pixel_accuracy),
            "boundary": boundary,
            "classes": {
                row.name: {
                    "iou": _number(row.iou),
                    "boundary_iou": None if row.boundary_iou is None else _number(row.boundary_iou),
                    "recall": _number(row.recall),
                    "precision": _number(row.precision),
                    "pixels": row.pixels,
                    "pixel_share": row.pixels / total,
                }
                for row in self.rows()
            },
            "absent": list(self.absent),
            "confusion": self.matrix.counts.tolist(),
            "ignored_pixels": self.ignored,
            "pixels_sha256": self.pixels_sha256,
        }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
