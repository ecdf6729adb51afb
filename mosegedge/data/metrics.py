"""Scores of a whole data set from one confusion matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mosegedge.data.labels import IGNORE


class ConfusionMatrix:
    """Counts of pixels by true and predicted class, over any number of pictures.

    Args:
        classes: Number of classes.
        ignore: Label of true pixels that are left out.

    Attributes:
        counts: K x K; rows are true classes, columns predictions.
    """

    def __init__(self, classes: int, ignore: int = IGNORE) -> None:
        self.counts: NDArray[np.int64] = np.zeros((classes, classes), np.int64)
        self.ignore = ignore

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.counts)

    def update(self, prediction: NDArray[np.integer[Any]], target: NDArray[np.integer[Any]]) -> None:
        """Counts the pixels of one or more pictures.

        Args:
            prediction: Class numbers of any shape.
            target: True class numbers of the same shape, or the ignore label.

        Raises:
            ValueError: The shapes differ, or a counted pixel holds a number that is no class.
        """
        prediction, target = np.asarray(prediction), np.asarray(target)
        if prediction.shape != target.shape:
            raise ValueError(f"The prediction has the shape {prediction.shape}, the target {target.shape}.")
        counted = target != self.ignore
        true, guess = target[counted].astype(np.int64), prediction[counted].astype(np.int64)
        for what, values in (("target", true), ("prediction", guess)):
            if values.size and (values.min() < 0 or values.max() >= self.classes):
                worst = values.max() if values.max() >= self.classes else values.min()
                raise ValueError(f"The {what} holds the class {worst}; there are the classes 0 to {self.classes - 1}.")
        pairs = np.bincount(true * self.classes + guess, minlength=self.classes * self.classes)
        self.counts += pairs.reshape(self.counts.shape)

    def merge(self, other: ConfusionMatrix) -> None:
        """Adds the counts of another matrix, of other pictures."""
        if other.counts.shape != self.counts.shape or other.ignore != self.ignore:
            raise ValueError(f"Matrices of {self.classes} and {other.classes} classes cannot be added.")
        self.counts += other.counts

    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each class; NaN for a class that is neither in targets nor in predictions."""
        hit = np.diagonal(self.counts).astype(np.float64)
        union = self.counts.sum(axis=0) + self.counts.sum(axis=1) - np.diagonal(self.counts)
        iou = np.full(self.classes, np.nan)
        np.divide(hit, union, out=iou, where=union > 0)
        return iou

    @property
    def miou(self) -> float:
        """Mean of `iou` over the classes that occur in targets or predictions; NaN when nothing was counted."""
        iou = self.iou()
        present = ~np.isnan(iou)
        return float(iou[present].mean()) if present.any() else float("nan")

    @property
    def pixel_accuracy(self) -> float:
        """Share of the counted pixels that are right; NaN when nothing was counted."""
        total = int(self.counts.sum())
        return float(np.trace(self.counts)) / total if total else float("nan")
