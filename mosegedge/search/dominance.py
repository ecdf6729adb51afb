"""Which points no other dominates, and the volume that points dominate; all columns are minimised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mosegedge.search.steps import Grid

Floats = NDArray[np.float64]

_ROWS_AT_ONCE = 512


def nondominated(values: Floats) -> NDArray[np.bool_]:
    """Which of N rows no other row dominates; of equal rows all are kept."""
    if not len(values):
        return np.zeros(0, dtype=bool)
    if values.shape[1] == 2:
        return _nondominated_pairs(values)
    return _nondominated_rows(values)


def _nondominated_pairs(values: Floats) -> NDArray[np.bool_]:
    """One sweep in ascending order of the first column; equal first values are ordered by the second."""
    order = np.lexsort((values[:, 1], values[:, 0]))
    first, second = values[order].T
    best_before = np.concatenate([[np.inf], np.minimum.accumulate(second)[:-1]])
    repeats = np.concatenate([[False], (first[1:] == first[:-1]) & (second[1:] == second[:-1])])
    alive = second < best_before
    start = np.maximum.accumulate(np.where(repeats, 0, np.arange(len(order))))
    kept = np.empty(len(order), dtype=bool)
    kept[order] = alive[start]
    return kept


def _nondominated_rows(values: Floats) -> NDArray[np.bool_]:
    """Compares rows in lexicographic order, some hundreds at a time: whatever dominates a row comes before it."""
    order = np.lexsort(values.T[::-1])
    kept = np.zeros(len(values), dtype=bool)
    front = values[:0]
    for start in range(0, len(order), _ROWS_AT_ONCE):
        rows = order[start : start + _ROWS_AT_ONCE]
        rows = rows[~_dominated(values[rows], front)]
        rows = rows[~_dominated(values[rows], values[rows])]
        kept[rows] = True
        front = np.concatenate([front, values[rows]])
    return kept


def _dominated(values: Floats, by: Floats) -> NDArray[np.bool_]:
    """Which rows are dominated by any of some others."""
    no_worse = np.all(by[None] <= values[:, None], axis=2)
    better = np.any(by[None] < values[:, None], axis=2)
    return np.asarray(np.any(no_worse & better, axis=1))


def hypervolume(values: Floats, reference: Floats) -> float:
    """Volume that the rows dominate below the reference point.

    Two and three columns are summed up exactly here; for more pymoo's indicator is used, which is exact as well.

    Args:
        values: N x M; rows beyond the reference add nothing.
        reference: The worst corner, length M.
    """
    inside = values[(values < reference).all(axis=1)]
    inside = inside[nondominated(inside)]
    if values.shape[1] == 2:
        inside = inside[np.argsort(inside[:, 0])]
        widths = np.diff(np.append(inside[:, 0], reference[0]))
        return float((widths * (reference[1] - inside[:, 1])).sum())
    if not len(inside):
        return 0.0
    if values.shape[1] == 3:
        return Grid.of(inside[:, :2], -inside[:, 2], reference[:2], -float(reference[2])).volume
    return volume_by_pymoo(inside, reference)


def volume_by_pymoo(values: Floats, reference: Floats) -> float:
    """Hypervolume of points that lie inside the reference."""
    from pymoo.indicators.hv import HV

    return float(HV(ref_point=reference)(values)) if len(values) else 0.0
