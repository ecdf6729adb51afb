"""How well edges are met: the Boundary IoU of Cheng et al., "Boundary IoU", CVPR 2021, for maps of classes.

Only pixels near an edge of their own region count: those of the target near an edge in the target, those of the
prediction near an edge in the prediction. Inside a large region everything may be right; a few pixels off along its
edge, or a thin thing that was missed, weigh what they are there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from mosegedge.data.labels import IGNORE
from mosegedge.errors import UsageError

USUAL_SHARE = 0.02
"""Width of the band in diagonals of a picture, as in the paper."""


class BoundaryCounts:
    """Intersections and unions of the bands along edges, over any number of pictures.

    Pixels without a label are laid over the prediction too: their outline is an edge in both, and they count nothing.
    The border of a picture is an edge as well.

    Args:
        classes: Number of classes.
        share: Width of the band in diagonals of the picture.
        ignore: Label of true pixels that are left out.

    Attributes:
        both: Of each class, pixels that are in the target's and in the prediction's band.
        either: Of each class, pixels that are in one of them at least.

    Raises:
        UsageError: The share is not above 0 and at most 1.
    """

    def __init__(self, classes: int, *, share: float = USUAL_SHARE, ignore: int = IGNORE) -> None:
        if not 0 < share <= 1:
            raise UsageError(
                f"A band along edges cannot be {share:g} diagonals wide.",
                known="Its width is above 0 and at most 1 diagonal of a picture.",
                fix=f"The paper's is --boundary-share {USUAL_SHARE:g}",
            )
        self.both: NDArray[np.int64] = np.zeros(classes, np.int64)
        self.either: NDArray[np.int64] = np.zeros(classes, np.int64)
        self.share, self._ignore = share, ignore

    def update(self, prediction: NDArray[np.integer[Any]], target: NDArray[np.integer[Any]]) -> None:
        """Counts one picture.

        Args:
            prediction: H x W class numbers.
            target: H x W true class numbers, or the ignore label.
        """
        labelled = target != self._ignore
        shown = np.where(labelled, prediction, target)
        width = width_of(target.shape, self.share)
        true, found = in_band(target, width) & labelled, in_band(shown, width) & labelled
        met = self._counts(target[true & found & (target == shown)])
        self.both += met
        self.either += self._counts(target[true]) + self._counts(shown[found]) - met

    def iou(self) -> NDArray[np.float64]:
        """Boundary IoU of each class; NaN for a class that is neither in targets nor in predictions."""
        iou = np.full(len(self.both), np.nan)
        np.divide(self.both, self.either, out=iou, where=self.either > 0)
        return iou

    @property
    def miou(self) -> float:
        """Mean of `iou` over the classes that occur; NaN when nothing was counted."""
        iou = self.iou()
        present = ~np.isnan(iou)
        return float(iou[present].mean()) if present.any() else float("nan")

    def _counts(self, labels: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        return np.bincount(labels, minlength=len(self.both)).astype(np.int64)


def width_of(shape: tuple[int, ...], share: float) -> int:
    """Width of the band in pixels, at least one, in a picture of this height and width."""
    return max(1, round(share * math.hypot(*shape[:2])))


def in_band(labels: NDArray[np.integer[Any]], width: int) -> NDArray[np.bool_]:
    """Pixels near an edge of their region: another label, or the outside, is at most `width` rows and columns away.

    Args:
        labels: H x W.
        width: In pixels.
    """
    if 2 * width >= min(labels.shape):
        return np.ones(labels.shape, np.bool_)
    window = 2 * width + 1
    band: NDArray[np.bool_] = maximum_filter(labels, window) != minimum_filter(labels, window)
    band[:width] = band[-width:] = True
    band[:, :width] = band[:, -width:] = True
    return band
