"""Scores of a whole data set from one confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mosegedge.data.labels import IGNORE


@dataclass(frozen=True, kw_only=True)
class ClassScore:
    """How well one class is found.

    Attributes:
        name: Of the class.
        iou: Intersection over union; NaN where the class is neither in targets nor in predictions.
        recall: Share of its pixels that were found; NaN where it is not in targets.
        precision: Share of the pixels called so that are; NaN where it is not in predictions.
        pixels: True pixels of the class.
        boundary_iou: Intersection over union along its edges, as iou; None where that was not counted.
    """

    name: str
    iou: float
    recall: float
    precision: float
    pixels: int
    boundary_iou: float | None = None


def score_table(scores: Sequence[ClassScore]) -> str:
    """The scores of all classes as text, a line each and the means of what is defined; `-` where nothing is."""
    widest = max([len(score.name) for score in scores] + [len("mean")])
    total = max(1, sum(score.pixels for score in scores))
    columns = {"IoU": [score.iou for score in scores]}
    edges = [score.boundary_iou for score in scores if score.boundary_iou is not None]
    columns |= {"boundary": edges} if edges else {}
    columns |= {"recall": [score.recall for score in scores], "precision": [score.precision for score in scores]}
    lines = [f"{'class':<{widest}}{''.join(f'{title:>11}' for title in columns)}{'pixels':>11}"]
    for place, score in enumerate(scores):
        cells = "".join(f"{_percent(column[place]):>11}" for column in columns.values())
        lines.append(f"{score.name:<{widest}}{cells}{score.pixels / total:>11.2%}")
    means = "".join(f"{_percent(_mean(column)):>11}" for column in columns.values())
    return "\n".join([*lines, f"{'mean':<{widest}}{means}"])


def _mean(column: list[float]) -> float:
    defined = [value for value in column if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")


def _percent(value: float) -> str:
    return "-" if np.isnan(value) else f"{100 * value:.2f}"


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
        if prediction.dtype == target.dtype == np.uint8:
            known = self._known(_pairs_of_bytes(target, prediction))
            self.counts[: len(known), : len(known)] += known
            return
        counted = target != self.ignore
        true, guess = target[counted].astype(np.int64), prediction[counted].astype(np.int64)
        for what, values in (("target", true), ("prediction", guess)):
            if values.size and (values.min() < 0 or values.max() >= self.classes):
                raise self._unknown(what, int(values.max() if values.max() >= self.classes else values.min()))
        pairs = np.bincount(true * self.classes + guess, minlength=self.classes * self.classes)
        self.counts += pairs.reshape(self.counts.shape)

    def _known(self, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
        """The counts of the classes; the row to be ignored may hold anything, other rows and columns nothing."""
        if 0 <= self.ignore < len(pairs):
            pairs[self.ignore] = 0
        known = pairs[: self.classes, : self.classes]
        if known.sum() != pairs.sum():
            true, guess = np.nonzero(pairs)
            if true.max() >= self.classes:
                raise self._unknown("target", int(true.max()))
            raise self._unknown("prediction", int(guess.max()))
        return known

    def _unknown(self, what: str, found: int) -> ValueError:
        return ValueError(f"The {what} holds the class {found}; there are the classes 0 to {self.classes - 1}.")

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

    def shares(self) -> NDArray[np.float64]:
        """K x K; of each true class, the share of its pixels that went to each prediction. NaN rows where none is."""
        counts = self.counts.astype(np.float64)
        rows = counts.sum(axis=1, keepdims=True)
        shares = np.full_like(counts, np.nan)
        np.divide(counts, rows, out=shares, where=rows > 0)
        return shares

    def scores(self, classes: Sequence[str]) -> list[ClassScore]:
        """Scores of every class, in the order of their numbers."""
        hit = np.diagonal(self.counts).astype(np.float64)
        true, guessed = self.counts.sum(axis=1), self.counts.sum(axis=0)
        recall, precision = (
            np.divide(hit, whole, out=np.full(self.classes, np.nan), where=whole > 0) for whole in (true, guessed)
        )
        columns = zip(classes, self.iou(), recall, precision, true, strict=True)
        return [
            ClassScore(name=name, iou=float(iou), recall=float(found), precision=float(right), pixels=int(pixels))
            for name, iou, found, right, pixels in columns
        ]

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


def _pairs_of_bytes(true: NDArray[np.integer[Any]], guess: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """256 x 256 counts of pairs of bytes: checking these is far less work than selecting and checking pixels."""
    pairs = true.astype(np.uint16)
    pairs <<= 8
    pairs |= guess
    return np.bincount(pairs.ravel(), minlength=1 << 16).reshape(256, 256)
