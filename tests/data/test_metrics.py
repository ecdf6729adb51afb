import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mosegedge.data import ConfusionMatrix

CLASSES = 4
PICTURES = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.uint8, shape, elements=st.integers(0, CLASSES - 1)),
        hnp.arrays(np.uint8, shape, elements=st.sampled_from([*range(CLASSES), 255])),
    )
)


POSITIONS = np.arange(240).reshape(12, 20)


def formula(targets, predictions):
    """Label maps that need no random numbers: a quarter of the pixels is guessed, one in eleven is ignored."""
    true = POSITIONS * POSITIONS // 7 % 19
    guess = np.where(POSITIONS % 4 == 0, POSITIONS * 5 % 19, true)
    return guess % predictions, np.where(POSITIONS % 11 == 3, 255, true % targets)


@pytest.mark.parametrize(
    ("maps", "iou", "miou"),
    [
        (
            formula(19, 19),
            [
                *(0.625, 0.631579, 0.5, 0.588235, 0.666667, 0.705882, 0.684211, 0.333333, 0.615385, 0.636364),
                *(0.545455, 0.583333, 0.666667, 0.555556, 0.708333, 0.555556, 0.545455, 0.791667, 0.666667),
            ],
            0.610807,
        ),
        (formula(3, 3), [0.689655, 0.613333, 0.787234, *[math.nan] * 16], 0.696741),
        (formula(4, 9), [0.181818, 0.146067, 0.098592, 0.227273, *[0.0] * 5, *[math.nan] * 10], 0.072639),
        ((formula(19, 19)[0], np.full((12, 20), 255)), [math.nan] * 19, math.nan),
    ],
    ids=["all classes", "absent classes", "predictions that no target has", "everything ignored"],
)
def test_iou_equals_cityscapesscripts_and_torchmetrics(maps, iou, miou):
    """Expected values are those of cityscapesScripts 2.3.0 and torchmetrics 1.9.0, which agree to the digits shown."""
    matrix = ConfusionMatrix(19)
    matrix.update(*maps)
    np.testing.assert_allclose(matrix.iou(), iou, atol=5e-7, equal_nan=True)
    np.testing.assert_allclose(matrix.miou, miou, atol=5e-7, equal_nan=True)


def brute_force(pairs):
    """IoU of each class, pixel by pixel."""
    result = []
    for label in range(CLASSES):
        both = either = 0
        for prediction, target in pairs:
            for guess, true in zip(prediction.ravel().tolist(), target.ravel().tolist(), strict=True):
                if true != 255:
                    both += guess == label and true == label
                    either += guess == label or true == label
        result.append(both / either if either else math.nan)
    return result


@given(st.lists(PICTURES, min_size=1, max_size=3))
def test_iou_equals_brute_force(pairs):
    matrix = ConfusionMatrix(CLASSES)
    for prediction, target in pairs:
        matrix.update(prediction, target)
    expected = brute_force(pairs)
    np.testing.assert_allclose(matrix.iou(), expected, equal_nan=True)
    present = [value for value in expected if not math.isnan(value)]
    if present:
        assert matrix.miou == pytest.approx(sum(present) / len(present))
    else:
        assert math.isnan(matrix.miou)


@given(PICTURES, PICTURES)
def test_merging_equals_counting_together(first, second):
    apart, other, together = (ConfusionMatrix(CLASSES) for _ in range(3))
    apart.update(*first)
    other.update(*second)
    apart.merge(other)
    together.update(*first)
    together.update(*second)
    assert (apart.counts == together.counts).all()


@given(PICTURES)
def test_ignored_pixels_count_nothing(pair):
    prediction, target = pair
    matrix = ConfusionMatrix(CLASSES)
    matrix.update(prediction, target)
    assert matrix.counts.sum() == (target != 255).sum()
    changed = np.where(target == 255, CLASSES - 1 - prediction, prediction)
    same = ConfusionMatrix(CLASSES)
    same.update(changed, target)
    assert (matrix.counts == same.counts).all()


def test_the_mean_is_of_the_data_set_and_not_of_pictures():
    matrix = ConfusionMatrix(2)
    matrix.update(np.zeros((1, 9), int), np.zeros((1, 9), int))
    matrix.update(np.array([[0]]), np.array([[1]]))
    assert matrix.iou().tolist() == [0.9, 0.0]
    assert matrix.miou == 0.45
    assert matrix.pixel_accuracy == 0.9


def test_nothing_counted_is_nan():
    matrix = ConfusionMatrix(3)
    matrix.update(np.zeros((2, 2), int), np.full((2, 2), 255))
    assert math.isnan(matrix.miou)
    assert math.isnan(matrix.pixel_accuracy)


@pytest.mark.parametrize(
    ("prediction", "target", "message"),
    [
        ([[0, 3]], [[0, 0]], "prediction holds the class 3"),
        ([[0, -1]], [[0, 0]], "prediction holds the class -1"),
        ([[0, 0]], [[0, 11]], "target holds the class 11"),
        ([[0, 0]], [[0]], "shape"),
    ],
)
def test_wrong_input_is_refused(prediction, target, message):
    with pytest.raises(ValueError, match=message):
        ConfusionMatrix(3).update(np.array(prediction), np.array(target))


@given(PICTURES, st.sampled_from([2, CLASSES, 300]), st.sampled_from([0, 255, 1000]))
def test_bytes_and_wider_numbers_count_alike(pair, classes, ignore):
    results = []
    for dtype in (np.uint8, np.int64):
        matrix = ConfusionMatrix(classes, ignore=ignore)
        try:
            matrix.update(*(values.astype(dtype) for values in pair))
        except ValueError as error:
            results.append(str(error))
        else:
            results.append(matrix.counts.tolist())
    assert results[0] == results[1]


def test_matrices_of_other_classes_are_not_added():
    with pytest.raises(ValueError, match="3 and 4 classes"):
        ConfusionMatrix(3).merge(ConfusionMatrix(4))
