"""A rising map from scores, which only order networks, to the unit of the targets."""

from __future__ import annotations

import numpy as np

from mosegedge.search.predictors.description import Values

_LEAST_RISE = 1e-6
_FEWEST_STEPS = 4  # two scores may lie so close together that a slope between them means nothing


class Quantiles:
    """A rising, piecewise linear map.

    The k-th smallest training score is mapped to the k-th smallest target, equal scores to the mean of theirs. Beyond
    the ends it goes on with the mean slope of the outer quarter, or of the outer five where that is more, so that a
    network predicted better than all evaluated ones stays better. Between equal targets it still rises, by a millionth
    of their range at most, so that the order of scores is never lost.

    Args:
        scores: Of the training rows.
        y: Their targets.
    """

    def __init__(self, scores: Values, y: Values) -> None:
        self._scores, first, count = np.unique(np.sort(scores), return_index=True, return_counts=True)
        self._targets = np.add.reduceat(np.sort(y), first) / count
        if len(self._scores) > 1:
            reach = (self._scores - self._scores[0]) / (self._scores[-1] - self._scores[0])
            self._targets = self._targets + _LEAST_RISE * (y.max() - y.min()) * reach
        quarter = min(len(self._scores) - 1, max(_FEWEST_STEPS, len(self._scores) // 4))
        self._low_slope = self._slope(0, quarter)
        self._high_slope = self._slope(-1 - quarter, -1)

    def __call__(self, scores: Values) -> Values:
        """Scores in the unit of the targets."""
        inside = np.interp(scores, self._scores, self._targets)
        below = np.minimum(scores - self._scores[0], 0.0) * self._low_slope
        above = np.maximum(scores - self._scores[-1], 0.0) * self._high_slope
        return np.asarray(inside + below + above, dtype=np.float64)

    def _slope(self, first: int, last: int) -> float:
        if len(self._scores) < 2:
            return 0.0
        rise = self._targets[last] - self._targets[first]
        return float(rise / (self._scores[last] - self._scores[first]))
