"""Boundary IoU against the definition: masks of one class, eroded step by step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosegedge.data import IGNORE, ConfusionMatrix
from mosegedge.data.boundaries import BoundaryCounts, in_band, width_of
from mosegedge.errors import UsageError

CLASSES = 3


def eroded(mask, steps):
    """What is left of a mask when its outermost pixels are taken away so many times; outside is nothing."""
    for _ in range(steps):
        around = np.pad(mask, 1)
        height, width = mask.shape
        kept = np.ones_like(mask)
        for row in range(3):
            for column in range(3):
                kept &= around[row : row + height, column : column + width]
        mask = kept
    return mask


def slow(pairs, share):
    """Intersections and unions of each class, straight from the definition."""
    both, either = np.zeros(CLASSES, int), np.zeros(CLASSES, int)
    for prediction, target in pairs:
        steps = max(1, round(share * (target.shape[0] ** 2 + target.shape[1] ** 2) ** 0.5))
        for k in range(CLASSES):
            true, found = target == k, (prediction == k) & (target != IGNORE)
            true, found = true & ~eroded(true, steps), found & ~eroded(found, steps)
            both[k] += (true & found).sum()
            either[k] += (true | found).sum()
    return both, either


def fast(pairs, share):
    counts = BoundaryCounts(CLASSES, share=share)
    for prediction, target in pairs:
        counts.update(prediction, target)
    return counts


def maps(rng, shape, blocks):
    """A map of rectangles, so that there are regions with an inside."""
    labels = np.full(shape, rng.integers(CLASSES), np.uint8)
    for _ in range(blocks):
        top, left = rng.integers(shape[0]), rng.integers(shape[1])
        labels[top : top + rng.integers(1, 12), left : left + rng.integers(1, 12)] = rng.integers(CLASSES)
    return labels


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    blocks=st.integers(0, 12),
    share=st.sampled_from([0.001, 0.05, 0.1, 0.4]),
    ignored=st.sampled_from([0.0, 0.05, 0.6]),
)
def test_it_is_what_the_definition_says(seed, shape, blocks, share, ignored):
    rng, pairs = np.random.default_rng(seed), []
    for _ in range(2):
        target = maps(rng, shape, blocks)
        prediction = np.where(rng.random(shape) < 0.1, maps(rng, shape, blocks), target).astype(np.uint8)
        target[rng.random(shape) < ignored] = IGNORE
        pairs.append((prediction, target))
    both, either = slow(pairs, share)
    found = fast(pairs, share)
    assert found.both.tolist() == both.tolist()
    assert found.either.tolist() == either.tolist()


@pytest.mark.parametrize(
    "pair",
    [
        (np.zeros((9, 11), np.uint8), np.zeros((9, 11), np.uint8)),
        (np.zeros((9, 11), np.uint8), np.ones((9, 11), np.uint8)),
        (np.zeros((9, 11), np.uint8), np.full((9, 11), IGNORE, np.uint8)),
        (np.ones((1, 1), np.uint8), np.ones((1, 1), np.uint8)),
        (np.eye(20, dtype=np.uint8), np.zeros((20, 20), np.uint8)),
        (np.tile(np.uint8([0, 1, 2]), (30, 10)), np.tile(np.uint8([0, 2, 1]), (30, 10))),
        (np.tril(np.ones((30, 30), np.uint8)), np.triu(np.full((30, 30), 2, np.uint8))),
    ],
)
@pytest.mark.parametrize("share", [0.001, 0.1, 1.0])
def test_it_is_what_the_definition_says_at_the_edges(pair, share):
    both, either = slow([pair], share)
    found = fast([pair], share)
    assert (found.both.tolist(), found.either.tolist()) == (both.tolist(), either.tolist())
    assert np.isnan(found.iou()).tolist() == (either == 0).tolist()


def test_a_square_that_is_off_by_one_pixel():
    target, prediction = np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint8)
    target[10:30, 10:30] = prediction[10:30, 11:31] = 1
    found = fast([(prediction, target)], 0.02)
    # Rings one pixel wide, 76 pixels each, share two lines of 19.
    assert found.iou()[1] == 38 / (2 * 76 - 38)
    matrix = ConfusionMatrix(2)
    matrix.update(prediction, target)
    assert matrix.iou()[1] == 19 / 21


def test_a_band_that_covers_everything_gives_the_usual_score(rng):
    pairs = [(rng.integers(0, CLASSES, (20, 30)), rng.integers(0, CLASSES, (20, 30))) for _ in range(2)]
    matrix = ConfusionMatrix(CLASSES)
    for prediction, target in pairs:
        matrix.update(prediction, target)
    found = fast(pairs, 1.0)
    assert found.iou().tolist() == matrix.iou().tolist()
    assert found.miou == matrix.miou


def test_what_is_predicted_on_ignored_pixels_changes_nothing(rng):
    target, prediction = maps(rng, (30, 40), 8), maps(rng, (30, 40), 8)
    target[5:12, :] = IGNORE
    other = np.where(target == IGNORE, 2, prediction).astype(np.uint8)
    one, two = fast([(prediction, target)], 0.05), fast([(other, target)], 0.05)
    assert (one.both.tolist(), one.either.tolist()) == (two.both.tolist(), two.either.tolist())


def test_a_band_is_two_hundredths_of_the_diagonal_wide():
    assert width_of((360, 480), 0.02) == 12
    assert width_of((4, 4), 0.02) == 1
    assert in_band(np.zeros((100, 80), np.uint8), 3).sum() == 100 * 80 - 94 * 74


def test_nothing_counted_is_no_score():
    assert np.isnan(BoundaryCounts(2).miou)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5, float("nan")])
def test_widths_that_cannot_be_are_refused(share):
    with pytest.raises(UsageError, match="above 0"):
        BoundaryCounts(2, share=share)
